"""What outsiders can do to those who receive callbacks, by what they send."""
