"""What ``listen`` shows, and how."""
