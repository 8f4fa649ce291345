"""Errors of the SQLite file that ``--db`` names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.sqlite.statements import NOT_OPENED

__all__ = ["usable_file"]


@contextmanager
def usable_file() -> Generator[None]:
    """Raise a configuration error if the block finds that the file cannot be used as a store.

    Raises:
        ConfigurationError: The file cannot be opened, is not an SQLite database, or belongs to another program or to a
            newer version.
    """
    try:
        yield
    except StoreError as error:
        # An error without a cause comes from the store itself, which rejected the schema of the file.
        if error.__cause__ is None or getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in NOT_OPENED:
            raise ConfigurationError(str(error)) from error
        raise
