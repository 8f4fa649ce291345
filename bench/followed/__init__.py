"""What it costs to follow recordings: callbacks in, starts out. ``python -m bench.followed``."""
