"""DBOS, the engine of a fleet: it keeps the items of the batches in a database, and distributes them to the workers.

Each item is a workflow of DBOS, in DBOS's tables: https://docs.dbos.dev/explanations/system-tables
"""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, Final

from plivo_record_async import _clock
from plivo_record_async.errors import ConfigurationError, StoreError

try:
    import sqlalchemy as sa
    import sqlalchemy.exc
    from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, WorkflowSerializationFormat
    from dbos import error as dbos_error
except ModuleNotFoundError as _error:
    raise ConfigurationError(
        f"a fleet needs the extra 'fleet' ({_error}); install it with: pip install \"plivo-record-async[fleet]\""
    ) from _error

__all__ = ["Engine", "Start"]

Start = Callable[[str, Any], Awaitable[Any]]
"""Starts an item. The arguments are its dedupe key and its JSON. The result is the JSON of its outcome."""

_SCHEMA: Final = "plivo_record_fleet"
"""The schema of DBOS's tables in PostgreSQL."""

_WORKFLOW: Final = "plivo_record_async.fleet.start"
_JSON: Final = DBOSPortableJSONSerializer()

_SLOW: Final = 10.0
"""How many seconds to wait until a thread of DBOS has ended, if the database answers slowly."""

_KEEPALIVE: Final = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
"""The server notices within about ten seconds that the machine of a worker has disappeared."""

_COUNTS: Final = """
    SELECT CASE
        WHEN item.status IN ('ENQUEUED', 'DELAYED') THEN 'waiting'
        WHEN item.status = 'PENDING' THEN 'running'
        WHEN result.output LIKE '["started"%' THEN 'started'
        WHEN result.output LIKE '["unknown"%' THEN 'unknown'
        ELSE 'failed'
    END AS state, count(*)
    FROM {0}workflow_status AS item LEFT JOIN {0}workflow_output AS result USING (workflow_uuid)
    WHERE workflow_uuid >= :batch AND workflow_uuid < :end GROUP BY state
"""
_FINISHED: Final = """
    SELECT workflow_uuid, completed_at, input.inputs, result.output
    FROM {0}workflow_status AS item JOIN {0}workflow_input AS input USING (workflow_uuid)
    LEFT JOIN {0}workflow_output AS result USING (workflow_uuid)
    WHERE workflow_uuid >= :batch AND workflow_uuid < :end
    AND completed_at >= :at AND (completed_at, workflow_uuid) > (:at, :key) -- the index has only completed_at
    ORDER BY completed_at, workflow_uuid LIMIT 500
"""

_start: Start | None = None

logging.getLogger("dbos").addHandler(logging.NullHandler())  # otherwise, DBOS prints its log on stderr
# An item that is left to other workers is cancelled. DBOS would warn of each of them.
logging.getLogger("dbos").addFilter(lambda record: not record.getMessage().startswith("Asyncio task cancelled"))


class _DBOS(DBOS):
    """The DBOS of a fleet. It differs in its type from a DBOS that another part of the program created."""


@DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)
async def _start_item(dedupe_key: str, item: Any) -> Any:
    """Start an item. DBOS runs this function in an event loop of its own."""
    if _start is None:
        raise asyncio.CancelledError  # DBOS stores no outcome, so the item stays in progress until it is released
    return await _start(dedupe_key, item)


class Engine:
    """The database of a fleet, and the engine of one of its workers. The methods block.

    Args:
        url: The address of the database: ``sqlite:///`` and the path of a file, or ``postgresql://``.
        name: The name of the fleet.

    Raises:
        ConfigurationError: The address or the name is not valid.

    Attributes:
        name: The name of the fleet.
        is_sqlite: Whether the database is an SQLite file.
    """

    def __init__(self, url: str, name: str) -> None:
        if not re.fullmatch("[a-z0-9][a-z0-9_-]{2,255}", name):
            raise ConfigurationError(
                f"the name of a fleet must have 3 to 256 lowercase letters, digits, '-' and '_', not {name!r}"
            )
        scheme, _, place = url.partition("://")
        self.name: str = name
        self.is_sqlite: bool = scheme == "sqlite"
        if scheme not in {"sqlite", "postgresql", "postgres"} or place in {"", "/", "/:memory:"}:
            raise ConfigurationError(
                "the address of a fleet's database must be sqlite:/// and the path of a file, or postgresql:// and the "
                "address of a server with the name of a database"
            )
        self._url = url if self.is_sqlite else f"postgresql://{place}"
        self._sqlite_options: dict[str, Any] = {"creator": partial(_connect_sqlite, url)} if self.is_sqlite else {}
        self._tables = "" if self.is_sqlite else f"{_SCHEMA}."
        self._session: sa.Connection | None = None
        self._submitting = threading.Lock()  # a submission needs two connections, so several might wait for each other
        self._stop_events: Sequence[threading.Event] = ()
        self._engine: sa.Engine
        self._client: DBOSClient

    def open(self) -> None:
        """Create the tables if they do not exist, and connect to the database.

        Raises:
            StoreError: The database cannot be used.
        """
        address = self._url if self.is_sqlite else self._url.replace("postgresql", "postgresql+psycopg", 1)
        options: dict[str, Any] = {"connect_args": {"connect_timeout": 10, "options": _KEEPALIVE}}
        self._engine = sa.create_engine(
            address, **(self._sqlite_options or options), pool_pre_ping=True, pool_size=5, max_overflow=0
        )
        with self._store_errors():
            DBOS.migrate(self._url, schema=_SCHEMA)
            self._client = DBOSClient(
                system_database_engine=self._engine,
                dbos_system_schema=_SCHEMA,
                serializer=_JSON,
                application_name=self.name,
                retry_connection_errors=False,
            )

    def close(self) -> None:
        """Close the connections, and release the lock of this worker."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._client.destroy()
        self._engine.dispose()

    def submit(self, items: Mapping[str, Sequence[Any]]) -> int:
        """Store the items that the database does not have yet, in one transaction.

        Args:
            items: The dedupe key and the JSON of each item, by the key of the item.

        Returns:
            How many items are new.

        Raises:
            StoreError: The database cannot be used.
        """
        with self._submitting, self._store_errors(), self._engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:  # processes that submit to a fleet do so one after another
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock(self.name))))
            found = self._client.list_workflows(workflow_ids=[*items], load_input=False, load_output=False)
            known = {item.workflow_id for item in found}
            for key in items.keys() - known:
                self._client.enqueue_in_transaction(
                    connection,
                    {
                        "workflow_name": _WORKFLOW,
                        "queue_name": self.name,
                        "workflow_id": key,
                        "app_version": self.name,
                        "serialization_type": WorkflowSerializationFormat.PORTABLE,
                    },
                    *items[key],
                )
            return len(items) - len(known)

    def counts(self, batch: str) -> dict[str, int]:
        """Return how many items of a batch are waiting, running, started, failed and unknown.

        Args:
            batch: The beginning of the keys of the items.

        Raises:
            StoreError: The database cannot be used.
        """
        return dict(self._read(_COUNTS, batch))

    def finished(self, batch: str, after: tuple[int, str]) -> list[tuple[int, str, Any, Any]]:
        """Return items of a batch that have an outcome, those that were finished first before the others.

        Args:
            batch: The beginning of the keys of the items.
            after: The time and the key of the item after which the items are read.

        Returns:
            The time in milliseconds since 1970, the key, the JSON of the item, and that of its outcome.

        Raises:
            StoreError: The database cannot be used.
        """
        return [
            (at, key, _JSON.deserialize(inputs)["positionalArgs"][1], _JSON.deserialize(output))
            for key, at, inputs, output in self._read(_FINISHED, batch, at=after[0], key=after[1])
        ]

    def launch(self, worker: str, start: Start, *, concurrency: int) -> None:
        """Take items from the queue of the fleet, in threads of DBOS. This method returns when the threads run.

        Args:
            worker: The ID of this worker.
            start: Starts an item.
            concurrency: How many items a worker has in progress at most.

        Raises:
            ConfigurationError: The program runs another DBOS or another worker.
            StoreError: The database cannot be used.
        """
        global _start
        if _start is not None:
            raise ConfigurationError("this program is already a worker of a fleet, and a program can be only one")
        config: DBOSConfig = {
            "name": self.name,
            "system_database_url": self._url,
            "dbos_system_schema": _SCHEMA,
            "executor_id": worker,
            "application_version": self.name,
            "serializer": _JSON,
            "sys_db_pool_size": 5,
            "db_engine_kwargs": self._sqlite_options,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        dbos = _DBOS(config=config)
        if not isinstance(dbos, _DBOS):
            raise ConfigurationError(
                "this program runs a DBOS of its own, and DBOS supports only one in a process: run the fleet in a "
                "process of its own, for example with `plivo-record fleet worker`"
            )
        _start, self._stop_events = start, dbos.background_thread_stop_events
        try:
            with self._store_errors():
                self._client.register_queue(
                    self.name,
                    worker_concurrency=concurrency,
                    polling_interval_sec=0.2,
                    on_conflict="always_update",
                )
                DBOS.launch()
        except BaseException:
            self.stop(worker, grace=0)
            raise

    def stop(self, worker: str, *, grace: int) -> None:
        """Take no more items, and leave those in progress to the other workers.

        Args:
            worker: The ID of this worker.
            grace: How many seconds to wait for items in progress.

        Raises:
            StoreError: The database cannot be used.
        """
        global _start  # noqa: PLW0603 - DBOS is global too
        for event in self._stop_events:
            event.set()
        for thread in threading.enumerate():
            if thread.name.startswith("queue-worker-") and thread.is_alive():
                thread.join(_SLOW)  # otherwise, it may take an item after its event loop has ended
        DBOS.destroy(workflow_completion_timeout_sec=grace)
        _start = None
        self._release(worker)

    def take_over(self, worker: str) -> None:
        """Let the workers take the items of workers that have ended.

        In PostgreSQL, each worker has an advisory lock of its own while its session exists. An SQLite file has one
        worker.

        Args:
            worker: The ID of this worker.

        Raises:
            StoreError: The database cannot be used.
        """
        with self._store_errors():
            if self._session is None:
                self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._has_lock("pg_advisory_lock", worker)
            self._session.execute(sa.text("SELECT 1"))  # it fails if the session has ended, and with it the lock
            found = self._client.list_workflows(
                status="PENDING", queue_name=self.name, load_input=False, load_output=False
            )
            for other in {item.executor_id for item in found if item.executor_id} - {worker}:
                if self._has_lock("pg_try_advisory_lock", other):
                    try:
                        self._release(other)
                    finally:
                        self._has_lock("pg_advisory_unlock", other)

    def _has_lock(self, function: str, worker: str) -> bool:
        """Acquire or release the lock of a worker with a function of PostgreSQL. Return False if the function did."""
        if self.is_sqlite:
            return True
        assert self._session is not None  # noqa: S101 - `take_over` began it
        return self._session.scalar(sa.text(f"SELECT {function}(:number)"), {"number": _lock(worker)}) is not False

    def _release(self, worker: str) -> None:
        """Put the items that a worker has in progress back into the queue."""
        with self._store_errors():
            found = self._client.list_workflows(
                executor_id=worker, status="PENDING", queue_name=self.name, load_input=False, load_output=False
            )
            if found:
                self._client.resume_workflows([item.workflow_id for item in found], queue_name=self.name)

    def _read(self, query: str, batch: str, **values: Any) -> Sequence[Any]:
        """Read items of a batch. In every collation, their keys are between these two: they are hexadecimal."""
        values |= {"batch": batch, "end": f"{batch}g"}
        with self._store_errors(), self._engine.connect() as connection:
            return connection.execute(sa.text(query.format(self._tables)), values).all()

    @contextmanager
    def _store_errors(self) -> Generator[None]:
        """Raise a `StoreError` if the block cannot use the database. The next block begins a new session."""
        try:
            yield
        except (sqlalchemy.exc.SQLAlchemyError, dbos_error.DBOSException) as error:
            if self._session is not None:
                self._session.invalidate()
                self._session = None
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreError(f"the fleet's database {self._engine.url!r} cannot be used: {reason}") from error


def _connect_sqlite(url: str) -> sqlite3.Connection:
    """Connect to an SQLite file. With Python 3.12, DBOS needs a function that SQLite has had since version 3.42."""
    path = sa.make_url(url).database
    assert path is not None  # noqa: S101 - the address was checked
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    if sqlite3.sqlite_version_info < (3, 42):
        connection.create_function("unixepoch", 1, _unixepoch)
    return connection


def _unixepoch(_modifier: str) -> float:
    """Return the seconds since 1970, as SQLite's function does with the modifier ``subsec``."""
    return round(_clock.now().timestamp(), 3)


def _lock(text: str) -> int:
    """Return the number of an advisory lock in PostgreSQL."""
    return int.from_bytes(sha256(f"plivo-record-async fleet {text}".encode()).digest()[:8], signed=True)
