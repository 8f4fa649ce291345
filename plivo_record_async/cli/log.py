"""What the library and its server log, told as lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["log_told"]


class _Teller(logging.Handler):
    def __init__(self, tell: Callable[[str], None], verbose: str | None) -> None:
        super().__init__(logging.INFO)
        self._tell = tell
        self._verbose = None if verbose is None else logging.Filter(verbose)

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass warnings, and what the verbose logger and its children log, whatever the levels of other loggers are."""
        return record.levelno >= logging.WARNING or bool(self._verbose and self._verbose.filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._tell(record.getMessage() + (f": {error}" if error else ""))


@contextmanager
def log_told(tell: Callable[[str], None], *, verbose: str | None = None) -> Generator[None]:
    """Inside this block each warning that is logged is told: one line, without a traceback.

    Args:
        tell: Is called with each line.
        verbose: The name of a logger of which the level INFO is told as well. If None, there is none.
    """
    root, talkative = logging.getLogger(), logging.getLogger(verbose)
    teller = _Teller(tell, verbose)
    level = talkative.level
    if verbose is not None:
        talkative.setLevel(logging.INFO)
    root.addHandler(teller)
    try:
        yield
    finally:
        root.removeHandler(teller)
        talkative.setLevel(level)
