"""The terminal session on the page about batches has the shape of a new one."""

from __future__ import annotations

import asyncio
import re
import runpy
from pathlib import Path

import pytest
from blockbuster import BlockBuster

DOCS = Path(__file__).parents[2] / "docs"


def shape(session: str) -> list[str]:
    """Return the lines without IDs and numbers."""
    return [re.sub(r"\b[0-9a-f]{32}\b|\d+", "N", line) for line in session.splitlines()]


@pytest.mark.timeout(60)
async def test_session_has_the_shape_of_a_new_one(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the script runs processes and writes files
    script = runpy.run_path(str(DOCS / "record_batch_session.py"))
    recorded = (DOCS / "_static" / "batch-session.txt").read_text(encoding="utf-8")
    assert shape(await asyncio.create_task(script["record"]())) == shape(recorded)
    assert "_static/batch-session.txt" in (DOCS / "howto" / "batches.md").read_text(encoding="utf-8")
