"""Following recordings: what is known of each, how it is learned, and how it is reported."""
