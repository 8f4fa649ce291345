"""Plivo's protocol as pure values and functions: nothing here opens, waits, reads a clock or rolls a die."""
