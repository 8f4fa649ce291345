"""The error for a command whose libraries are not installed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from plivo_record_async.errors import ConfigurationError

__all__ = ["needed_extra"]

_LIBRARIES = {"cli": {"click", "rich"}, "emulator": {"starlette", "uvicorn"}}


@contextmanager
def needed_extra(extra: str) -> Generator[None]:
    """Raise a configuration error if a library that the block imports is not installed.

    Args:
        extra: The extra whose libraries the block imports: ``cli`` or ``emulator``.

    Raises:
        ConfigurationError: One of the extra's libraries is not installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _LIBRARIES[extra]:
            raise
        raise ConfigurationError(
            f"{library} is not installed: this command needs the extra '{extra}'; "
            f"install it with: pip install 'plivo-record-async[cli,emulator]'"
        ) from error
