"""What the commands ``batch start`` and ``batch stop`` do."""
