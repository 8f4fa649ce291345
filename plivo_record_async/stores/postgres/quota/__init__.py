"""A quota that processes share through a PostgreSQL database."""
