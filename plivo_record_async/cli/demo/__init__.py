"""``demo``: recordings started, called back and stopped before one's eyes."""
