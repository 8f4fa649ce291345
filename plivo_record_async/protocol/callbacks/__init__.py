"""Callbacks, the calls from Plivo: their signatures, their fields, and the events that they report."""
