"""Where followed recordings are kept: `MemoryStore` and `SQLiteStore`; the interface is `interfaces.Store`."""

from __future__ import annotations

from plivo_record_async.stores.memory import MemoryStore

__all__ = ["MemoryStore"]
