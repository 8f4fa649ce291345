"""Following recordings: starting them, receiving their callbacks, asking Plivo, and running handlers."""
