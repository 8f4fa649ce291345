"""One SQLite file for each test of it, and a watch over what blocks."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

import plivo_record_async


@pytest.fixture(autouse=True)
def blockbuster() -> Generator[BlockBuster]:
    """These tests look at the file themselves; only the package must not block."""
    with blockbuster_ctx(plivo_record_async) as watch:
        yield watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"
