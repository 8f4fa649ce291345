"""The database of a fleet, as its workers and the processes that submit batches use it.

Each item is a workflow of DBOS, in DBOS's tables: https://docs.dbos.dev/explanations/system-tables
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final

import attrs

from plivo_record_async.errors import ConfigurationError, StoreError

try:
    import sqlalchemy as sa
    from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowSerializationFormat
    from dbos import error as dbos_error
except ModuleNotFoundError as _error:
    raise ConfigurationError(
        f"a fleet needs the extra 'fleet' ({_error}); install it with: pip install \"plivo-record-async[fleet]\""
    ) from _error

__all__ = ["JSON", "POOL_SIZE", "SCHEMA", "WORKFLOW", "FinishedItem", "FleetDatabase", "NewItem", "lock_number"]

SCHEMA: Final = "plivo_record_fleet"
"""The schema of DBOS's tables in PostgreSQL."""

WORKFLOW: Final = "plivo_record_async.fleet.start"

_VERSION: Final = "1"
"""The version of the items. A worker takes only items of its version. DBOS wants it to be unique to each fleet."""

POOL_SIZE: Final = 5
"""The connections to the database of a worker, and of a process that submits, at most."""

_POLL_INTERVAL: Final = 0.2
"""The seconds after which a worker looks for items."""

_COLUMNS: Final = {
    "workflow_status": ("workflow_uuid", "status", "queue_name", "executor_id", "completed_at"),
    "workflow_input": ("workflow_uuid", "inputs"),
    "workflow_output": ("workflow_uuid", "output"),
}
"""The columns of DBOS's tables that are read here."""

JSON: Final = DBOSPortableJSONSerializer()

logging.getLogger("dbos").addHandler(logging.NullHandler())  # otherwise, DBOS prints its log on stderr


@attrs.frozen(kw_only=True)
class NewItem:
    """An item that is submitted.

    Attributes:
        key: The key of the item. It begins with the key of its batch.
        dedupe_key: The dedupe key of its start.
        item: The item, as JSON.
    """

    key: str
    dedupe_key: str
    item: Any


@attrs.frozen(kw_only=True)
class FinishedItem:
    """An item that has an outcome.

    Attributes:
        key: The key of the item.
        at: When it was finished, in milliseconds since 1970 by the clock of the database.
        item: The item, as JSON.
        outcome: The outcome, as JSON. It is None if another program ended the item.
    """

    key: str
    at: int
    item: Any
    outcome: Any


class FleetDatabase:
    """The database of a fleet. Its methods block.

    Args:
        url: The address of the database.
        name: The name of the fleet.

    Raises:
        ConfigurationError: The address is not that of an SQLite file or of a PostgreSQL database, or the name is not
            valid.
    """

    def __init__(self, url: str, name: str) -> None:
        if not re.fullmatch("[a-z0-9][a-z0-9_-]{2,255}", name):
            raise ConfigurationError(
                f"the name of a fleet must have 3 to 256 lowercase letters, digits, '-' and '_', not {name!r}"
            )
        try:
            address = sa.make_url(url)
        except sa.exc.ArgumentError:
            address = sa.make_url("invalid://")
        self.is_sqlite = address.drivername == "sqlite"
        if not self.is_sqlite and address.drivername not in {"postgresql", "postgres"}:
            raise ConfigurationError("the address of a fleet's database must begin with sqlite:/// or postgresql://")
        if not address.database or address.database == ":memory:":
            raise ConfigurationError("the address of a fleet's database must name one, such as sqlite:///fleet.db")
        scheme, driver = ("sqlite", "sqlite") if self.is_sqlite else ("postgresql", "postgresql+psycopg")
        self.name = name
        self.version = f"{name} {_VERSION}"
        self.path = address.database
        self.url = address.set(drivername=scheme).render_as_string(hide_password=False)
        self._place = address.render_as_string()
        self._address = address.set(drivername=driver)
        self._items, self._inputs, self._outputs = (
            sa.table(table, *map(sa.column, columns), schema=None if self.is_sqlite else SCHEMA).alias()
            for table, columns in _COLUMNS.items()
        )
        self._with_outputs = self._items.outerjoin(
            self._outputs, self._outputs.c.workflow_uuid == self._items.c.workflow_uuid
        )
        self._engine: sa.Engine
        self._client: DBOSClient

    def open(self) -> None:
        """Create the tables if they do not exist, and connect to the database.

        Raises:
            StoreError: The database cannot be used.
        """
        self._engine = sa.create_engine(
            self._address,
            connect_args={"isolation_level": "IMMEDIATE", "timeout": 30} if self.is_sqlite else {"connect_timeout": 10},
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=0,
        )
        with self.store_errors():
            DBOS.migrate(self.url, schema=SCHEMA)
            self._client = DBOSClient(
                system_database_engine=self._engine,
                dbos_system_schema=SCHEMA,
                serializer=JSON,
                application_name=self.name,
                retry_connection_errors=False,
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()
        self._engine.dispose()

    def submit(self, batch_key: str, items: Sequence[NewItem]) -> int:
        """Store the items that the database does not have yet, in one transaction.

        Args:
            batch_key: The key of their batch. One process at a time submits items of it.
            items: The items.

        Returns:
            How many items are new.

        Raises:
            StoreError: The database cannot be used.
        """
        ids = self._items.c.workflow_uuid
        with self.store_errors(), self._engine.begin() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(batch_key))))
            known = set(connection.scalars(sa.select(ids).where(ids.in_([item.key for item in items]))))
            new = [item for item in items if item.key not in known]
            for item in new:
                self._client.enqueue_in_transaction(
                    connection,
                    {
                        "workflow_name": WORKFLOW,
                        "queue_name": self.name,
                        "workflow_id": item.key,
                        "app_version": self.version,
                        "serialization_type": WorkflowSerializationFormat.PORTABLE,
                    },
                    item.dedupe_key,
                    item.item,
                )
            return len(new)

    def counts(self, batch_key: str) -> Mapping[str, int]:
        """Return how many items of a batch are waiting, running, started, failed and unknown.

        Args:
            batch_key: The key of the batch.

        Raises:
            StoreError: The database cannot be used.
        """
        items, output = self._items.c, self._outputs.c.output
        kind = sa.case(
            (items.status.in_(["ENQUEUED", "DELAYED"]), "waiting"),
            (items.status == "PENDING", "running"),
            (output.startswith('["started"'), "started"),
            (output.startswith('["unknown"'), "unknown"),
            else_="failed",
        )
        query = (
            sa.select(kind, sa.func.count())
            .select_from(self._with_outputs)
            .where(self._is_in(batch_key))
            .group_by(kind)
        )
        with self.store_errors(), self._engine.begin() as connection:
            return {str(name): int(count) for name, count in connection.execute(query)}

    def finished(self, batch_key: str, after: tuple[int, str], limit: int) -> list[FinishedItem]:
        """Return items of a batch that have an outcome, those that were finished first before the others.

        Args:
            batch_key: The key of the batch.
            after: The time and the key of the item after which the items are read.
            limit: How many items to return at most.

        Raises:
            StoreError: The database cannot be used.
        """
        items = self._items.c
        query = (
            sa.select(items.workflow_uuid, items.completed_at, self._inputs.c.inputs, self._outputs.c.output)
            .select_from(self._with_outputs.join(self._inputs, self._inputs.c.workflow_uuid == items.workflow_uuid))
            .where(
                self._is_in(batch_key),
                items.completed_at >= after[0],  # the index has only this column
                sa.tuple_(items.completed_at, items.workflow_uuid) > sa.tuple_(*after),
            )
            .order_by(items.completed_at, items.workflow_uuid)
            .limit(limit)
        )
        with self.store_errors(), self._engine.begin() as connection:
            return [
                FinishedItem(
                    key=key,
                    at=at,
                    item=JSON.deserialize(inputs)["positionalArgs"][1],
                    outcome=JSON.deserialize(output),
                )
                for key, at, inputs, output in connection.execute(query)
            ]

    def executors(self) -> list[str]:
        """Return the workers that have items in progress.

        Raises:
            StoreError: The database cannot be used.
        """
        items = self._items.c
        query = sa.select(items.executor_id).distinct().where(items.queue_name == self.name, items.status == "PENDING")
        with self.store_errors(), self._engine.begin() as connection:
            return [executor for executor in connection.scalars(query) if executor is not None]

    def release(self, executor: str) -> int:
        """Let other workers take the items that a worker has in progress.

        Args:
            executor: The worker, which must have ended.

        Returns:
            How many items they are.

        Raises:
            StoreError: The database cannot be used.
        """
        with self.store_errors():
            found = self._client.list_workflows(
                executor_id=executor, status="PENDING", queue_name=self.name, load_input=False, load_output=False
            )
            if found:
                self._client.resume_workflows([each.workflow_id for each in found], queue_name=self.name)
            return len(found)

    def register(self, concurrency: int) -> None:
        """Create the queue of the fleet, or change its concurrency.

        Args:
            concurrency: How many items each worker has in progress at most.

        Raises:
            StoreError: The database cannot be used.
        """
        with self.store_errors():
            self._client.register_queue(
                self.name,
                worker_concurrency=concurrency,
                polling_interval_sec=_POLL_INTERVAL,
                on_conflict="always_update",
            )

    def _is_in(self, batch_key: str) -> sa.ColumnElement[bool]:
        # In every collation, the keys of a batch are between these. A condition on `substr` would read the whole table.
        first = batch_key.removesuffix("-")
        return sa.and_(self._items.c.workflow_uuid >= first, self._items.c.workflow_uuid < f"{first}g")

    @contextmanager
    def store_errors(self) -> Generator[None]:
        """Raise a `StoreError` if the block cannot use the database."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, dbos_error.DBOSException) as error:
            message = str(getattr(error, "orig", None) or error)
            raise StoreError(
                f"the fleet's database {self._place} cannot be used: {' '.join(message.split())}"
            ) from error


def lock_number(text: str) -> int:
    """Return the number of an advisory lock in PostgreSQL.

    Args:
        text: What the lock protects.
    """
    return int.from_bytes(sha256(f"plivo-record-async fleet {text}".encode()).digest()[:8], signed=True)
