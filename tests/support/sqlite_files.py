"""What the tests of the SQLite file share: other programs that use it, and a word with the store's own connection."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from plivo_record_async.stores.sqlite.store import SQLiteStore

WRITER = Path(__file__).parent / "programs" / "sqlite_writer.py"


def start_writer(*arguments: object) -> subprocess.Popen[str]:
    """Another process that has the file open; see there."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def output_of(process: subprocess.Popen[str]) -> list[str]:
    """What it has said when it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.close()
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    return lines


@contextmanager
def other_connection(path: Path) -> Generator[sqlite3.Connection]:
    """Another program that looks at the file, or has it locked."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


async def execute_sql(store: SQLiteStore, statement: str, *, writes: bool = False) -> list[tuple[object, ...]]:
    """Say something to SQLite that no verb says, on the store's own connection."""
    worker = store._worker  # pyright: ignore[reportPrivateUsage]
    rows: list[tuple[object, ...]] = await worker.submit(lambda c: c.execute(statement).fetchall(), writes=writes)
    return rows
