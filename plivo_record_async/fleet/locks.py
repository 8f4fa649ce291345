"""The lock that a worker holds while its process lives, by which the others notice that it has ended.

The operating system or PostgreSQL releases the lock when the process ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from plivo_record_async._file_lock import lock_file
from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.fleet.database import lock_number
from plivo_record_async.stores.postgres.connection import Address, Connection, PostgresError, to_store_error

__all__ = ["FileLock", "PostgresLock", "WorkerLock"]

_KEEPALIVE = """
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET idle_session_timeout = 0
"""
"""The server notices within about ten seconds that the machine of a worker has disappeared."""


class WorkerLock(Protocol):
    """The lock of a worker. Its methods block."""

    def acquire(self) -> None:
        """Acquire the lock, unless it is held already.

        Raises:
            ConfigurationError: Another process holds it.
            StoreError: The database cannot be used.
        """
        ...

    def ended(self, executor: str) -> AbstractContextManager[bool]:
        """Return whether another worker has ended. Inside the block, no other process gets the answer ``True``.

        Args:
            executor: The ID of the worker.

        Raises:
            StoreError: The database cannot be used.
        """
        ...

    def release(self) -> None:
        """Release the lock."""


class FileLock:
    """The lock of the only worker of a fleet in an SQLite file.

    Args:
        path: The path of the database.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(f"{path}.lock")
        self._file: BinaryIO | None = None

    def acquire(self) -> None:
        """Acquire the lock, unless it is held already.

        Raises:
            ConfigurationError: Another process is the worker of this fleet.
            StoreError: The file cannot be written.
        """
        if self._file is not None:
            return
        try:
            file = self._path.open("a+b")
        except OSError as error:
            raise StoreError(f"the lock {self._path} of the fleet cannot be opened: {error}") from error
        try:
            lock_file(file)
        except OSError as error:
            file.close()
            raise ConfigurationError(
                f"another process is the worker of the fleet in {self._path.stem}, and SQLite supports one worker: use "
                "a PostgreSQL database for several"
            ) from error
        self._file = file

    @contextmanager
    def ended(self, executor: str) -> Generator[bool]:  # noqa: ARG002 - all other workers have ended
        """Return ``True``, because no other process can be a worker while this one is.

        Args:
            executor: The ID of the worker.
        """
        yield True

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


class PostgresLock:
    """The lock of a worker of a fleet in PostgreSQL: an advisory lock of a session.

    Args:
        url: The address of the database. It must not lead to a PgBouncer in transaction mode.
        executor: The ID of the worker.
    """

    def __init__(self, url: str, executor: str) -> None:
        self._address = Address(url)
        self._executor = executor
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Acquire the lock, unless the session that holds it still exists.

        Raises:
            StoreError: The database cannot be used.
        """
        with self._store_errors() as connection:
            connection.run("SELECT 1")

    @contextmanager
    def ended(self, executor: str) -> Generator[bool]:
        """Return whether another worker has ended. Inside the block, no other process gets the answer ``True``.

        Args:
            executor: The ID of the worker.

        Raises:
            StoreError: The database cannot be used.
        """
        with self._store_errors() as connection:
            [[has_ended]] = connection.run("SELECT pg_try_advisory_lock(%s)", [lock_number(executor)])
            try:
                yield has_ended
            finally:
                if has_ended:
                    connection.run("SELECT pg_advisory_unlock(%s)", [lock_number(executor)])

    def release(self) -> None:
        """Release the lock."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _store_errors(self) -> Generator[Connection]:
        """Run a block with the session that holds the lock. If it fails, the next block begins a new session."""
        try:
            if self._connection is None:
                self._connection = self._address.connect()
                self._connection.run(_KEEPALIVE)
                self._connection.run("SELECT pg_advisory_lock(%s)", [lock_number(self._executor)])
            yield self._connection
        except PostgresError as error:
            self.release()
            raise to_store_error(str(self._address), error) from error
