"""The command ``listen``: the events that it shows, and how it shows them in a terminal and as JSON."""
