"""The store that keeps recordings in an SQLite file."""
