"""What ``demo`` does, and how it is shown."""
