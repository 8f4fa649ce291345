"""The public names of the package of stores, and what it does not import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from plivo_record_async import stores
from plivo_record_async.stores.interface import Store
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.sqlite.store import SQLiteStore

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "stores.md"


def test_every_public_name_can_be_imported() -> None:
    assert {name for name in stores.__all__ if getattr(stores, name) is None} == set()
    assert stores.MemoryStore is MemoryStore
    assert stores.SQLiteStore is SQLiteStore
    assert stores.Store is Store


def test_every_public_name_is_in_the_reference() -> None:
    pattern = r"^\.\. auto(?:class|data|function):: (\w+)$"
    documented = re.findall(pattern, REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(stores.__all__)


def test_dir_lists_every_public_name() -> None:
    assert set(dir(stores)) >= {*stores.__all__, "__doc__"}


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RedisStore'"):
        getattr(stores, "RedisStore")  # noqa: B009 - so that type checkers do not see it


def test_memory_store_imports_no_database() -> None:
    program = """if True:
        import sys
        before = set(sys.modules)
        from plivo_record_async.stores import MemoryStore
        MemoryStore()
        assert {"sqlite3", "psycopg"}.isdisjoint(set(sys.modules) - before)
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
