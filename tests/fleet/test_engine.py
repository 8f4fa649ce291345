"""The engine of a fleet: addresses, items, what is read of them, DBOS in this process, and workers that have ended."""

from __future__ import annotations

import asyncio
import logging
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from blockbuster import BlockBuster
from dbos import DBOS

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.fleet.engine import Engine
from tests.support.servers.postgres_server import PostgresServer


@pytest.fixture(autouse=True)
def _threads_of_dbos(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()


def new_engine(url: str) -> Engine:
    engine = Engine(url, f"fleet-{secrets.token_hex(8)}")
    engine.open()
    return engine


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = f"sqlite:///{tmp_path / 'fleet.db'}"
    engine = new_engine(sqlite if request.param == "sqlite" else request.getfixturevalue("postgres").url())
    yield engine
    engine.close()


def items(batch: str, *numbers: int) -> dict[str, tuple[str, Any]]:
    return {f"{batch}{number}": (f"d{number}", [str(number), False]) for number in numbers}


async def started(dedupe_key: str, item: Any) -> list[Any]:
    return ["started", dedupe_key]


def test_item_is_new_once(engine: Engine) -> None:
    key = secrets.token_hex(8)
    assert engine.submit(items(key, 1, 2)) == 2
    assert engine.submit(items(key, 1, 2, 3)) == 1
    assert engine.counts(key) == {"waiting": 3}
    assert engine.counts(key[:-1]) == engine.counts(key)
    assert engine.counts(secrets.token_hex(8)) == {}
    assert engine.finished(key, (0, "")) == []


def test_processes_that_submit_the_same_items_count_each_once(engine: Engine) -> None:
    key = secrets.token_hex(8)
    orders = [range(60), range(59, -1, -1), range(0, 60, 2), range(30, 60), range(60), range(60), range(60)]

    def submit(order: range) -> int:
        return engine.submit(items(key, *order))

    with ThreadPoolExecutor(len(orders)) as threads:
        new = list(threads.map(submit, orders))
    assert sum(new) == 60
    assert engine.counts(key) == {"waiting": 60}


def test_outcomes_are_read_in_the_order_in_which_they_were_stored(engine: Engine) -> None:
    key, done = secrets.token_hex(8), threading.Semaphore(0)

    async def start(dedupe_key: str, item: Any) -> list[Any]:
        done.release()
        return await started(dedupe_key, item)

    engine.submit(items(key, 1, 2, 3))
    engine.launch("one", start, concurrency=2)
    try:
        for _ in range(3):
            assert done.acquire(timeout=30)
    finally:
        engine.stop("one", grace=10)
    found = engine.finished(key, (0, ""))
    assert found == sorted(found)
    assert sorted((item, outcome) for _, _, item, outcome in found) == [
        ([str(number), False], ["started", f"d{number}"]) for number in (1, 2, 3)
    ]
    assert engine.finished(key, found[1][:2]) == found[2:]
    assert engine.counts(key) == {"started": 3}


def end_sessions_with_locks(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")


def test_items_of_a_worker_that_has_ended_are_released_and_those_of_a_living_one_are_not(
    postgres: PostgresServer,
) -> None:
    one = new_engine(postgres.url())
    two = Engine(postgres.url(), one.name)
    two.open()
    key, taken = secrets.token_hex(8), threading.Event()

    async def hang(dedupe_key: str, item: Any) -> list[Any]:
        taken.set()
        raise asyncio.CancelledError  # DBOS stores no outcome

    two.submit(items(key, 1))
    one.take_over("one")
    one.launch("one", hang, concurrency=2)
    try:
        assert taken.wait(30)
        two.take_over("two")
        assert two.counts(key) == {"running": 1}
        end_sessions_with_locks(postgres)
        for engine, worker in ((one, "one"), (two, "two")):
            with pytest.raises(StoreError):
                engine.take_over(worker)
            engine.take_over(worker)
        assert two.counts(key) == {"running": 1}
    finally:
        one.stop("one", grace=0)
    assert two.counts(key) == {"waiting": 1}
    one.close()
    two.close()


def test_program_can_be_one_worker(engine: Engine) -> None:
    engine.launch("one", started, concurrency=1)
    try:
        with pytest.raises(ConfigurationError, match="already a worker of a fleet"):
            engine.launch("two", started, concurrency=1)
    finally:
        engine.stop("one", grace=0)
    engine.launch("three", started, concurrency=1)
    engine.stop("three", grace=0)


def test_program_with_a_dbos_of_its_own_is_refused(engine: Engine, tmp_path: Path) -> None:
    DBOS(config={"name": "foreign", "system_database_url": f"sqlite:///{tmp_path / 'foreign.db'}"})
    try:
        with pytest.raises(ConfigurationError, match="this program runs a DBOS of its own"):
            engine.launch("one", started, concurrency=1)
    finally:
        DBOS.destroy()
    engine.launch("one", started, concurrency=1)
    engine.stop("one", grace=0)


def test_dbos_prints_nothing(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.launch("one", started, concurrency=1)
    engine.stop("one", grace=0)
    assert capfd.readouterr() == ("", "")
    assert not any(type(handler) is logging.StreamHandler for handler in logging.getLogger("dbos").handlers)


def test_missing_server_is_a_store_error() -> None:
    engine = Engine("postgresql://me:s3cret@127.0.0.1:1/plivo", "plivo-record")
    with pytest.raises(StoreError, match=r"the fleet's database postgresql\+psycopg://me:.* cannot be used") as caught:
        engine.open()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "fleet.db", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgresql://"])
def test_wrong_address_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the address of a fleet's database must"):
        Engine(url, "plivo-record")


@pytest.mark.parametrize("name", ["", "ab", "A-fleet", "_dbos_x", "a b c"])
def test_wrong_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the name of a fleet must have 3 to 256 lowercase letters"):
        Engine("sqlite:///fleet.db", name)


def test_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['dbos'] = None; import plivo_record_async.fleet"
    process = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "a fleet needs the extra 'fleet'" in process.stderr
    assert 'pip install "plivo-record-async[fleet]"' in process.stderr


def test_nothing_of_the_engine_is_imported_with_the_package() -> None:
    code = "import sys, plivo_record_async.tracker; print({'dbos', 'sqlalchemy'} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "set()\n"
