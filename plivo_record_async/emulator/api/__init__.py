"""Plivo's API, from a request to its answer."""
