"""DBOS, the engine that distributes the items of a fleet to its workers."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

from dbos import DBOS, DBOSConfig

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.fleet.database import JSON, POOL_SIZE, SCHEMA, WORKFLOW, FleetDatabase

__all__ = ["Start", "launch", "shut_down"]

Start = Callable[[str, Any], Coroutine[Any, Any, list[Any]]]
"""Starts an item. The arguments are its dedupe key and its JSON. The result is the JSON of its outcome."""


class _Engine(DBOS):
    """The DBOS of a fleet. It differs in its type from a DBOS that another part of the program created."""


_start: Start | None = None


async def _start_item(dedupe_key: str, item: Any) -> list[Any]:
    """Start an item. DBOS runs this function in an event loop of its own."""
    if _start is None:
        raise CancelledError  # DBOS stores no outcome, so the item stays in progress until it is released
    return await _start(dedupe_key, item)


@cache
def _register_workflow() -> None:
    DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(_start_item)


def launch(database: FleetDatabase, executor: str, start: Start) -> None:
    """Take items from the queue of a fleet, in threads of DBOS. This function blocks until the threads run.

    Args:
        database: The database, which is open.
        executor: The ID of this worker.
        start: Starts an item.

    Raises:
        ConfigurationError: The program runs another DBOS or another fleet.
        StoreError: The database cannot be used.
    """
    global _start  # noqa: PLW0603 - DBOS is global too
    if _start is not None:
        raise ConfigurationError("this program is already a worker of a fleet, and a program can be only one worker")
    _register_workflow()
    config: DBOSConfig = {
        "name": database.name,
        "system_database_url": database.url,
        "dbos_system_schema": SCHEMA,
        "executor_id": executor,
        "application_version": database.version,
        "serializer": JSON,
        "sys_db_pool_size": POOL_SIZE,
        "log_level": "WARNING",
        "enable_otlp": False,
    }
    if not isinstance(_Engine(config=config), _Engine):
        raise ConfigurationError(
            "this program runs a DBOS of its own, and DBOS supports only one in a process: run the fleet in a process "
            "of its own, for example with `plivo-record fleet worker`"
        )
    _start = start
    try:
        with database.store_errors():
            DBOS.launch()
    except BaseException:
        shut_down(grace=0)
        raise


def shut_down(*, grace: int) -> None:
    """Take no more items, and end DBOS. This function blocks.

    Args:
        grace: How many seconds to wait for items in progress.
    """
    global _start  # noqa: PLW0603 - DBOS is global too
    DBOS.destroy(workflow_completion_timeout_sec=grace)
    _start = None
