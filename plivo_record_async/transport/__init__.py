"""Sending requests: attempts, deadlines, retries and the account's quota."""
