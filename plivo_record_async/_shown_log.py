"""The log on standard error, for scripts: the environment variable ``PLIVO_LOG`` switches it on."""

from __future__ import annotations

import logging
from functools import cache

from plivo_record_async.settings import log_level

__all__ = ["show_log"]

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@cache
def show_log() -> None:
    """Show the package's log on standard error if ``PLIVO_LOG`` is set. The first client of a process calls this.

    If the program has configured handlers for the logger of the package, these handlers are used, so that no record is
    written twice. Only the level is then set.

    Raises:
        ConfigurationError: ``PLIVO_LOG`` is neither ``debug`` nor ``info``.
    """
    level, log = log_level(), logging.getLogger("plivo_record_async")
    if level is None:
        return
    log.setLevel(level)
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
        log.addHandler(handler)
