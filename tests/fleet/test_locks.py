"""The lock of a worker: it is released however the worker ends."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
import pytest

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.fleet.database import lock_number
from plivo_record_async.fleet.locks import FileLock, PostgresLock
from tests.support.servers.postgres_server import PostgresServer


def test_sqlite_file_has_one_worker(tmp_path: Path) -> None:
    one, two = (FileLock(str(tmp_path / "fleet.db")) for _ in range(2))
    one.acquire()
    one.acquire()
    with pytest.raises(ConfigurationError, match=r"another process is the worker of the fleet in fleet.db, and SQLite"):
        two.acquire()
    with one.ended("other") as has_ended:
        assert has_ended
    one.release()
    one.release()
    two.acquire()
    two.release()


def test_lock_in_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        FileLock(str(tmp_path / "none" / "fleet.db")).acquire()


def wait_until_released(postgres: PostgresServer, name: str) -> None:
    """Wait until the server has noticed that the session of a worker has ended."""
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [lock_number(name)])


def test_one_process_learns_that_a_worker_in_postgresql_has_ended(postgres: PostgresServer) -> None:
    names = [secrets.token_hex(8) for _ in range(3)]
    one, two, three = locks = [PostgresLock(postgres.url(), name) for name in names]
    for lock in locks:
        lock.acquire()
        lock.acquire()
    with two.ended(names[0]) as has_ended:
        assert not has_ended
    one.release()
    wait_until_released(postgres, names[0])
    with two.ended(names[0]) as first, three.ended(names[0]) as second:
        assert (first, second) == (True, False)
    with three.ended(names[0]) as has_ended:
        assert has_ended
    two.release()
    three.release()


def test_lock_is_acquired_again_after_its_session_was_lost(postgres: PostgresServer) -> None:
    name = secrets.token_hex(8)
    lock, other = PostgresLock(postgres.url(), name), PostgresLock(postgres.url(), secrets.token_hex(8))
    lock.acquire()
    other.acquire()
    postgres.kill()
    try:
        with pytest.raises(StoreError, match="postgresql://postgres@"):
            lock.acquire()
        with pytest.raises(StoreError):
            lock.acquire()
    finally:
        postgres.start()
    lock.acquire()
    with pytest.raises(StoreError), other.ended(name):
        pass
    with other.ended(name) as has_ended:
        assert not has_ended
    lock.release()
    other.release()
