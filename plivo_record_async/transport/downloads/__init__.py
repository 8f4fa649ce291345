"""Downloads of recorded files."""
