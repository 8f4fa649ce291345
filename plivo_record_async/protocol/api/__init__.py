"""Calls to Plivo: requests, responses, and what the responses mean."""
