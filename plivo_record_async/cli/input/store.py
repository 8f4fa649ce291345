"""The store that ``--store`` names, and the errors of a store that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plivo_record_async import stores
from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.stores.interface import Store, StoreObserver
from plivo_record_async.stores.sqlite.statements import NOT_OPENED
from plivo_record_async.stores.sqlite.store import SQLiteStore

if TYPE_CHECKING:
    from plivo_record_async.stores.postgres.store import PostgresStore

__all__ = ["open_existing_store", "open_postgres_store", "open_store", "store_name", "usable_store"]

_POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def open_store(text: str, *, observer: StoreObserver | None = None) -> SQLiteStore | PostgresStore:
    """Return the store that the value of ``--store`` names. Nothing is read or written yet.

    Args:
        text: The path of an SQLite file, or a ``postgresql://`` address.
        observer: A function that is called after each change. If None, no function is called.

    Raises:
        ConfigurationError: The text does not name a store, or the extra ``postgres`` is not installed.
    """
    if text.startswith(_POSTGRES_SCHEMES):
        return open_postgres_store(text, observer=observer)
    try:
        return SQLiteStore(text, observer=observer)
    except ValueError as error:
        raise ConfigurationError(f"--store: {error}") from error


def open_postgres_store(address: str, **options: Any) -> PostgresStore:
    """Return the store in a PostgreSQL database. Nothing is read or written yet.

    Args:
        address: A ``postgresql://`` address.
        **options: The options of ``PostgresStore``.

    Raises:
        ConfigurationError: The text is not such an address, an option is not valid, or the extra ``postgres`` is not
            installed.
    """
    if not address.startswith(_POSTGRES_SCHEMES):
        raise ConfigurationError(f"the address of a database begins with postgresql://, unlike {address!r}")
    try:
        return stores.PostgresStore(address, **options)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def open_existing_store(text: str) -> Store:
    """Return the store that the value of ``--store`` names, for a command that must not create it.

    Args:
        text: The path of an SQLite file, or a ``postgresql://`` address.

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
            newer version; or the tables in the database do not exist, or have a version that cannot be used.
    """
    try:
        yield
    except StoreError as error:
        # An error without a cause comes from the store itself, which rejected the schema of the file.
        if error.__cause__ is None or getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF in NOT_OPENED:
            raise ConfigurationError(str(error)) from error
        raise
