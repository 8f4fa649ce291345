"""Calls to Plivo: requests, their JSON, and what the answers mean."""
