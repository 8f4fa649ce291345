"""The part of ``batch start`` that follows recordings: to their ends, across restarts, and into files."""
