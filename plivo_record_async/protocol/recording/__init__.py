"""The life of a followed recording: its record, its states, and the evidence that changes them."""
