"""The database of a fleet: SQLite and PostgreSQL, addresses, items, and what is read of them."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.fleet.database import FleetDatabase, NewItem, lock_number


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FleetDatabase]:
    sqlite = f"sqlite:///{tmp_path / 'fleet.db'}"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres").url()
    database = FleetDatabase(url, f"fleet-{secrets.token_hex(8)}")
    database.open()
    yield database
    database.close()


def items(batch: str, *numbers: int) -> list[NewItem]:
    return [NewItem(key=f"{batch}{number}", dedupe_key=f"d{number}", item=[str(number), False]) for number in numbers]


def test_item_is_new_once(database: FleetDatabase) -> None:
    key = f"{secrets.token_hex(8)}-"
    assert database.submit(key, items(key, 1, 2)) == 2
    assert database.submit(key, items(key, 1, 2, 3)) == 1
    assert database.submit(key, []) == 0
    assert database.counts(key) == {"waiting": 3}
    assert database.counts(key[:-1].upper() + "-") == {}
    assert database.finished(key, (0, ""), 10) == []
    assert database.executors() == []
    assert database.release("nobody") == 0


def test_processes_that_submit_the_same_items_count_each_once(database: FleetDatabase) -> None:
    key = f"{secrets.token_hex(8)}-"
    orders = [range(60), range(59, -1, -1), range(0, 60, 2), range(30, 60)]
    with ThreadPoolExecutor(len(orders)) as threads:
        new = list(threads.map(lambda order: database.submit(key, items(key, *order)), orders))
    assert sum(new) == 60
    assert database.counts(key) == {"waiting": 60}


def test_missing_server_is_a_store_error() -> None:
    database = FleetDatabase("postgresql://me:s3cret@127.0.0.1:1/plivo", "plivo-record")
    with pytest.raises(StoreError, match=r"the fleet's database postgresql://me:.* cannot be used") as caught:
        database.open()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "fleet.db", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgresql://h"])
def test_wrong_address_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the address of a fleet's database must"):
        FleetDatabase(url, "plivo-record")


@pytest.mark.parametrize("name", ["", "ab", "A-fleet", "_dbos_x", "a b c"])
def test_wrong_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the name of a fleet must have 3 to 256 lowercase letters"):
        FleetDatabase("sqlite:///fleet.db", name)


def test_lock_numbers_are_those_of_postgresql() -> None:
    assert len({lock_number(str(number)) for number in range(100)}) == 100
    assert -(2**63) <= lock_number("x") < 2**63


def test_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['dbos'] = None; import plivo_record_async.fleet"
    process = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "a fleet needs the extra 'fleet'" in process.stderr
    assert 'pip install "plivo-record-async[fleet]"' in process.stderr


def test_nothing_of_the_engine_is_imported_with_the_package() -> None:
    code = "import sys, plivo_record_async.tracker; print({'dbos', 'sqlalchemy'} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout == "set()\n"
