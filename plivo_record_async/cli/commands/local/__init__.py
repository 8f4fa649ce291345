"""The commands that work on this machine: they check it, or run a local Plivo."""
