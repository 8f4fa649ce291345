"""What the stores that run blocking jobs in a thread share."""
