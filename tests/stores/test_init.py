"""The public names of the package of stores, and what it does not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from plivo_record_async import stores
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.sqlite.store import SQLiteStore


def test_both_stores_are_public() -> None:
    assert {name: getattr(stores, name) for name in stores.__all__} == {
        "MemoryStore": MemoryStore,
        "SQLiteStore": SQLiteStore,
    }


def test_dir_lists_both_stores() -> None:
    assert set(dir(stores)) >= {*stores.__all__, "__doc__"}


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RedisStore'"):
        getattr(stores, "RedisStore")  # noqa: B009 - so that type checkers do not see it


def test_memory_store_does_not_import_sqlite3() -> None:
    program = """if True:
        import sys
        before = set(sys.modules)
        from plivo_record_async.stores import MemoryStore
        MemoryStore()
        assert "sqlite3" not in set(sys.modules) - before
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
