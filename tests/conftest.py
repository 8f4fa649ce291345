"""Settings of every test, and a check that no test blocks the event loop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

from tests.support.secret_search import SecretSearch, searched_for_secrets
from tests.support.servers.postgres_server import PostgresServer
from tests.support.telemetry import Recorded, recorded_telemetry

# A runner in the background ignores SIGINT, and every process under it would; the tests of Ctrl-C must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("plivo_record_async.testing.store_contract")

settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail whatever blocks while an event loop runs; a test that must may say where with ``can_block_in``."""
    with blockbuster_ctx() as watch:
        # Two event loops in two threads may import the same module at the same time.
        watch.functions["threading.Lock.acquire"].can_block_in("<frozen importlib._bootstrap>", "_find_and_load")
        yield watch


@pytest.fixture(autouse=True)
def root_logger() -> None:
    """Give the root logger its default level. An application of Litestar changes it for all later tests."""
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def secret_search(root_logger: None) -> Iterator[SecretSearch]:
    """Fail if a log record or an error of the test contains a secret."""
    yield from searched_for_secrets()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server that all tests of this process share. A test uses its own schema or database."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Return the spans and the measurements that are recorded during the test."""
    yield from recorded_telemetry()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line say how many starts the test of everything makes."""
    parser.addoption("--starts", type=int, default=60, help="the number of starts in test_everything_is_resolved.py")
