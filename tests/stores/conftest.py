"""A path for an SQLite file, and a check that the package does not block the event loop."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

import plivo_record_async


@pytest.fixture(autouse=True)
def blockbuster() -> Generator[BlockBuster]:
    """Let the tests themselves read files, and only the package must not block."""
    with blockbuster_ctx(plivo_record_async) as watch:
        yield watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"
