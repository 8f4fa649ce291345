"""`SQLiteStore`, which keeps followed recordings in an SQLite file."""
