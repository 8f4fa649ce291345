"""`PostgresStore`, which keeps followed recordings in a PostgreSQL database."""
