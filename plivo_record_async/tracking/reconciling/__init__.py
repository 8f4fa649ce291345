"""Asking Plivo about recordings whose state is not certain."""
