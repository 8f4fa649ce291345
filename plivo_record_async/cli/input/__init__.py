"""What a command reads: its options, and the lines and files that they name."""
