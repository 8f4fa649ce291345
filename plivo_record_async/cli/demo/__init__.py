"""The command ``demo``: its scenario, and how it is shown in a terminal and as JSON."""
