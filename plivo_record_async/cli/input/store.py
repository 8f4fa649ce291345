"""The store that ``--store`` names, and the errors of a store that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.interface import Store, StoreObserver
from plivo_record_async.stores.sqlite.statements import NOT_OPENED
from plivo_record_async.stores.sqlite.store import SQLiteStore

__all__ = ["open_existing_store", "open_store", "store_name", "usable_store"]

_POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def open_store(text: str, *, observer: StoreObserver | None = None) -> Store:
    """Return the store that the value of ``--store`` names. Nothing is read or written yet.

    Args:
        text: The path of an SQLite file.
        observer: A function that is called after each change. If None, no function is called.

    Raises:
        ConfigurationError: The text does not name a store.
    """
    if text.startswith(_POSTGRES_SCHEMES):
        raise ConfigurationError("--store must be the path of an SQLite file; this version has no PostgreSQL store")
    try:
        return SQLiteStore(text, observer=observer)
    except ValueError as error:
        raise ConfigurationError(f"--store: {error}") from error


def open_existing_store(text: str) -> Store:
    """Return the store that the value of ``--store`` names, for a command that must not create it.

    Args:
        text: The path of an SQLite file.

    Raises:
        ConfigurationError: The text does not name a store, or the file does not exist.
    """
    store = open_store(text)
    if not text.startswith(_POSTGRES_SCHEMES) and not Path(text).exists():
        raise ConfigurationError(f"--store: the file {text!r} does not exist")
    return store


def store_name(text: str) -> str:
    """Return the value of ``--store`` without the user, the password and the options of a database.

    Args:
        text: The value of ``--store``.
    """
    return re.sub("(?<=://)[^/]*@", "", text.partition("?")[0]) if text.startswith(_POSTGRES_SCHEMES) else text


@contextmanager
def usable_store() -> Generator[None]:
    """Raise a configuration error if the block finds that a store cannot be used.

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
