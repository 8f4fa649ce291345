"""What the library and its server log, told as lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["warnings_told"]


class _Teller(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._tell(record.getMessage() + (f": {error}" if error else ""))


@contextmanager
def warnings_told(tell: Callable[[str], None]) -> Generator[None]:
    """Inside this block each warning that is logged is told: one line, without a traceback."""
    teller = _Teller(tell)
    logging.getLogger().addHandler(teller)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(teller)
