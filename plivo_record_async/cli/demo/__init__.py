"""What the demo does, and how it is shown."""
