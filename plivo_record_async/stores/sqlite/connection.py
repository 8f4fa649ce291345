"""Opening the SQLite file, and converting SQLite's errors.

The journal is a write-ahead log (WAL) with ``synchronous=FULL``, so a committed transaction survives ``kill -9``. It
also survives a power failure if the disk really writes what it reports as written.
https://www.sqlite.org/pragma.html#pragma_synchronous
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

__all__ = ["SQLiteError", "absolute_path", "connect", "describe_truncation", "to_store_error"]

SQLiteError = sqlite3.Error
"""Any error of SQLite."""

_PAUSE: Final = 0.02
"""Seconds between two attempts to open a file that another process is creating."""


def absolute_path(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a file.

    Args:
        path: The path. If it is relative, it is relative to the current directory.

    Raises:
        ValueError: The path does not name a file.
    """
    text = os.fsdecode(path)
    if text in {"", ":memory:"} or "\0" in text:
        raise ValueError(f"path must name a file, not {path!r}; MemoryStore() keeps recordings in memory")
    # `os.getcwdb` instead of `os.getcwd`, which tools for blocking calls, such as blockbuster, report.
    return text if Path(text).is_absolute() else str(Path(os.fsdecode(os.getcwdb()), text))  # noqa: PTH109


def connect(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Open the file. If it does not exist, create it. If its schema is older, migrate it.

    Args:
        path: The path of the file.
        busy_timeout: How long to wait while another process has the file locked, in seconds.

    Returns:
        The connection.

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


def to_store_error(path: str, error: Exception) -> Exception:
    """Return the `StoreError` for an error of SQLite or of the operating system, and any other error unchanged.

    Args:
        path: The path of the file.
        error: The error.
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


def describe_truncation(path: str) -> str | None:
    """Return what is wrong with a file that became smaller.

    A new connection reads the file, because the connection that is in use has pages of the file in its cache.

    Args:
        path: The path of the file.

    Returns:
        A description of the damage. If None, the file is complete; a ``VACUUM``, for example, made it smaller.
    """
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as connection:
            [(found,)] = connection.execute("PRAGMA quick_check(1)")
    except sqlite3.Error as error:
        found = str(error)
    return None if found == "ok" else f"{path} was truncated while it was in use ({' '.join(found.split())})"


def _create_private(path: str) -> None:
    """Create the file with permissions for its owner only. SQLite gives the journal the same permissions.

    A file that exists keeps its permissions.
    """
    with suppress(OSError):  # if there is a real problem, SQLite reports it next
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        os.chmod(path, 0o600)  # restores permissions that the umask removed  # noqa: PTH101


def _use_wal(connection: sqlite3.Connection, path: str, *, until: float) -> None:
    """Switch the file to WAL mode.

    The switch needs exclusive access to the file. SQLite does not wait for it, but reports that the file is locked. The
    switch changes the file permanently, so the function checks first that the file belongs to this package.
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
                raise StoreError(f"{path}: SQLite can keep no WAL, only {mode!r}, on this disk; choose a local disk")
            return
