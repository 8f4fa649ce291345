"""Calls to Plivo: requests, responses, and the result or error that a response means."""
