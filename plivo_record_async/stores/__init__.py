"""Where followed recordings are kept: `MemoryStore` and `SQLiteStore`. Their interface is `interface.Store`.

`SQLiteStore` is imported at its first use, so that a program that does not use it does not import ``sqlite3``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plivo_record_async.stores.memory import MemoryStore

if TYPE_CHECKING:
    from plivo_record_async.stores.sqlite.store import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore"]


def __getattr__(name: str) -> Any:
    if name == "SQLiteStore":
        from plivo_record_async.stores.sqlite.store import SQLiteStore  # noqa: PLC0415 - at its first use

        return SQLiteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
