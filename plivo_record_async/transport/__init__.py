"""Sending requests: deadlines, retries, the account's quota, and who owns a request under way."""
