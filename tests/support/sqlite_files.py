"""Use an SQLite file beside the store: another process, another connection, and the store's own connection."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from plivo_record_async.stores.sqlite.store import SQLiteStore

WRITER = Path(__file__).parent / "programs" / "sqlite_writer.py"


def start_writer(*arguments: object) -> subprocess.Popen[str]:
    """Start `tests/support/programs/sqlite_writer.py` with these arguments."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def output_of(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the end of a process and return the lines that it printed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.close()
        lines = process.stdout.read().splitlines()
    assert process.returncode == 0
    return lines


@contextmanager
def other_connection(path: Path) -> Generator[sqlite3.Connection]:
    """Open a connection of another program, which may read the file or lock it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


async def execute_sql(
    store: SQLiteStore, statement: str, parameters: Mapping[str, object] | None = None, *, writes: bool = False
) -> list[tuple[object, ...]]:
    """Execute a statement on the store's own connection and return its rows."""
    worker = store._worker  # pyright: ignore[reportPrivateUsage]
    rows: list[tuple[object, ...]] = await worker.submit(
        lambda c: c.execute(statement, parameters or {}).fetchall(), writes=writes
    )
    return rows
