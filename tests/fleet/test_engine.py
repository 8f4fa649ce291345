"""DBOS in this process: one at a time, and none that belongs to another part of the program."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from dbos import DBOS

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.fleet.database import FleetDatabase
from plivo_record_async.fleet.engine import launch, shut_down


@pytest.fixture(autouse=True)
def _threads_of_dbos(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()


async def start(dedupe_key: str, item: Any) -> list[Any]:
    raise AssertionError


@pytest.fixture
def database(tmp_path: Path) -> FleetDatabase:
    database = FleetDatabase(f"sqlite:///{tmp_path / 'fleet.db'}", "plivo-record")
    database.open()
    database.close()
    return database


def test_program_can_be_one_worker(database: FleetDatabase) -> None:
    launch(database, "one", start)
    try:
        with pytest.raises(ConfigurationError, match="already a worker of a fleet"):
            launch(database, "two", start)
    finally:
        shut_down(grace=0)
    launch(database, "three", start)
    shut_down(grace=0)


def test_program_with_a_dbos_of_its_own_is_refused(database: FleetDatabase, tmp_path: Path) -> None:
    DBOS(config={"name": "foreign", "system_database_url": f"sqlite:///{tmp_path / 'foreign.db'}"})
    try:
        with pytest.raises(ConfigurationError, match="this program runs a DBOS of its own"):
            launch(database, "one", start)
    finally:
        DBOS.destroy()
    launch(database, "one", start)
    shut_down(grace=0)


def test_dbos_prints_nothing(database: FleetDatabase, capfd: pytest.CaptureFixture[str]) -> None:
    launch(database, "one", start)
    asyncio.run(asyncio.sleep(0))
    shut_down(grace=0)
    assert capfd.readouterr() == ("", "")
    assert not any(type(handler) is logging.StreamHandler for handler in logging.getLogger("dbos").handlers)
