"""The file that ``--db`` names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.sqlite.statements import NOT_OPENED

__all__ = ["usable_file"]


@contextmanager
def usable_file() -> Generator[None]:
    """Inside this block a file that no store can be opened in is a wrong configuration.

    Raises:
        ConfigurationError: It cannot be opened, is no database, or is another program's or a newer version's.
    """
    try:
        yield
    except StoreError as error:
        # Without a cause it was the store itself that refused the file, for what its schema is.
        if error.__cause__ is None or getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in NOT_OPENED:
            raise ConfigurationError(str(error)) from error
        raise
