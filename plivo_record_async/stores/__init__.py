"""Stores of followed recordings, and what a store of your own needs.

`MemoryStore`, `SQLiteStore` and `PostgresStore` are the stores of this package. `Store` is the interface that they
implement. The other names are for stores of your own: https://docs.python.org/3/library/typing.html#typing.Protocol
explains how a class implements an interface without deriving from it.

`SQLiteStore`, `PostgresStore`, `encode` and `decode` are imported at their first use, so that a program that does not
use them does not import ``sqlite3`` and does not need ``psycopg``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plivo_record_async.protocol.recording.schedule import is_silent
from plivo_record_async.stores.id_hashes import hash_ids
from plivo_record_async.stores.interface import (
    MAX_ORPHANS_PER_START,
    MAX_ORPHANS_WITHOUT_START,
    FollowedRecording,
    Orphan,
    OrphanKept,
    PlivoId,
    Pruned,
    RecordCreated,
    RecordForgotten,
    RecordReplaced,
    Store,
    StoreChange,
    StoreObserver,
)
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.paging import list_records

if TYPE_CHECKING:
    from plivo_record_async.stores.encoding import decode, encode
    from plivo_record_async.stores.postgres.quota.rate_limit import PostgresRateLimit
    from plivo_record_async.stores.postgres.store import PostgresStore
    from plivo_record_async.stores.sqlite.store import SQLiteStore

__all__ = [
    "MAX_ORPHANS_PER_START",
    "MAX_ORPHANS_WITHOUT_START",
    "FollowedRecording",
    "MemoryStore",
    "Orphan",
    "OrphanKept",
    "PlivoId",
    "PostgresRateLimit",
    "PostgresStore",
    "Pruned",
    "RecordCreated",
    "RecordForgotten",
    "RecordReplaced",
    "SQLiteStore",
    "Store",
    "StoreChange",
    "StoreObserver",
    "decode",
    "encode",
    "hash_ids",
    "is_silent",
    "list_records",
]

_IMPORTED_AT_FIRST_USE = {
    "PostgresRateLimit": "plivo_record_async.stores.postgres.quota.rate_limit",
    "PostgresStore": "plivo_record_async.stores.postgres.store",
    "SQLiteStore": "plivo_record_async.stores.sqlite.store",
    "decode": "plivo_record_async.stores.encoding",
    "encode": "plivo_record_async.stores.encoding",
}
"""For each of these names, the module that defines it."""


def __getattr__(name: str) -> Any:
    if name not in _IMPORTED_AT_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_IMPORTED_AT_FIRST_USE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
