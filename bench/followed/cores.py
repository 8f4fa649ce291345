"""Which core a process runs on, where the system lets it choose."""

from __future__ import annotations

import os


def pin(number: int) -> None:
    """Stay on one of the cores that this process may use."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})
