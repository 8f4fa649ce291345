"""Downloads of recorded files, to a path or as a stream."""
