"""Where followed recordings are kept: `MemoryStore` and `SQLiteStore`; the interface is `interfaces.Store`.

Whoever needs no file does not import ``sqlite3``: `SQLiteStore` is looked up when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plivo_record_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from plivo_record_async.stores.sqlite.store import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore"]


def __getattr__(name: str) -> Any:
    if name == "SQLiteStore":
        from plivo_record_async.stores.sqlite.store import SQLiteStore  # noqa: PLC0415 - only when it is asked for

        return SQLiteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
