"""The connection to the SQLite file: how it is opened, and what its errors mean.

The journal is a WAL with ``synchronous=FULL``, so a committed transaction survives ``kill -9`` and, if the disk keeps
its promises, a power failure. https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.sqlite.schema import MIGRATIONS, migrate, schema_version
from plivo_record_async.stores.sqlite.statements import ERROR_HINTS, NOT_OPENED

__all__ = ["SQLiteError", "connect", "explained", "truncation"]

SQLiteError = sqlite3.Error
"""Any error of SQLite."""

_PAUSE: Final = 0.02
"""Seconds between two attempts to open a file that another process is creating."""


def connect(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open the file, and create or migrate it if necessary.

    Args:
        path: The file.
        busy_timeout: How many seconds to wait while another process has the file locked.

    Raises:
        SQLiteError: SQLite cannot open the file.
        StoreError: The file is not one that this version of the package can use.
    """
    _create_private(path)
    connection = sqlite3.connect(path, timeout=_PAUSE, isolation_level=None)
    try:
        _use_wal(connection, path, until=time.monotonic() + busy_timeout)
        connection.execute(f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA secure_delete = ON")  # overwrites what is deleted
        migrate(connection, MIGRATIONS, path)
    except BaseException:
        connection.close()
        raise
    return connection


def explained(path: str, error: Exception) -> Exception:
    """Return the `StoreError` for an error of SQLite or of the operating system, and any other error as it is.

    Args:
        path: The file.
        error: What went wrong with it.
    """
    if isinstance(error, OSError):
        return StoreError(f"{path} was deleted or moved while it was being opened ({error})")
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    hint = ERROR_HINTS.get(code, "SQLite failed")
    reassurance = "" if code in NOT_OPENED else "; what was acknowledged before is not affected"
    store_error = StoreError(f"{path}: {hint} ({error}){reassurance}")
    store_error.__cause__ = error
    return store_error


def truncation(path: str) -> str | None:
    """Say in words what is wrong with a file that became smaller. If None, it is whole, as after a vacuum.

    A new connection reads the file, because a connection that is in use has pages in its cache.
    """
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as connection:
            [(found,)] = connection.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as error:
        found = str(error)
    return None if found == "ok" else f"{path} was truncated while it was in use ({' '.join(found.split())})"


def _create_private(path: str) -> None:
    """Create the file for its owner alone; SQLite gives the journal the same permissions.

    A file that exists keeps its permissions.
    """
    with suppress(OSError):  # SQLite gets the same error next and explains it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        os.chmod(path, 0o600)  # restores what the umask has removed  # noqa: PTH101


def _use_wal(connection: sqlite3.Connection, path: str, *, until: float) -> None:
    """Switch to WAL mode, which needs the file for itself and fails at once where a statement would wait.

    The switch changes the file permanently, so the file is identified first.
    """
    while True:
        try:
            schema_version(connection, len(MIGRATIONS), path)
            [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if time.monotonic() > until or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE)
        else:
            if mode != "wal":
                raise StoreError(f"{path}: where it lies SQLite can keep no WAL, only {mode!r}; choose a local disk")
            return
