"""Sending requests: attempts, deadlines, retries, the account's quota, and batches."""
