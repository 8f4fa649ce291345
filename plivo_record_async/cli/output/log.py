"""Log messages of the package and of its server, shown as lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from plivo_record_async.cli.input.options import shown_level

__all__ = ["showing_log", "without_script_log"]


class _LineHandler(logging.Handler):
    def __init__(self, show: Callable[[str], None], note: Callable[[str], None], verbose: str | None) -> None:
        super().__init__()
        self._show = show
        self._note = note
        self._verbose = None if verbose is None else logging.Filter(verbose)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to show a log record: a warning, or any record of the verbose logger and its children."""
        return record.levelno >= logging.WARNING or bool(self._verbose and self._verbose.filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        show = self._show if record.levelno >= logging.WARNING else self._note
        show(record.getMessage() + (f": {error}" if error else ""))


@contextmanager
def showing_log(
    show: Callable[[str], None], *, note: Callable[[str], None] | None = None, verbose: str | None = None
) -> Generator[None]:
    """Show each warning that is logged inside this block as one line, without a traceback.

    Args:
        show: Called with each line.
        note: Called with each line of the levels INFO and DEBUG instead. If None, ``show`` is called.
        verbose: The name of a logger whose messages of the level INFO are shown too. If None, only warnings are shown,
            unless the command was given ``--verbose`` or ``PLIVO_LOG`` is set: then the messages of the whole package
            are shown.
    """
    level = shown_level()
    if level is not None:
        verbose = "plivo_record_async"
    root, logger = logging.getLogger(), logging.getLogger(verbose)
    handler = _LineHandler(show, note or show, verbose)
    before = logger.level
    if verbose is not None:
        logger.setLevel(level or logging.INFO)
        handler.setLevel(level or logging.INFO)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def without_script_log() -> Generator[None]:
    """Keep ``PLIVO_LOG`` from showing the log as it does for scripts, because `showing_log` shows it inside this block.

    The first client adds no handler if the logger of the package has one.
    """
    logger, handler = logging.getLogger("plivo_record_async"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
