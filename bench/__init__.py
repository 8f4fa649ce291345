"""What a call costs, and how many starts it takes: this package and other SDKs in one run. ``python -m bench``."""
