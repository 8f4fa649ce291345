"""A PgBouncer in transaction mode, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.support.servers.postgres_server import PostgresServer, unprivileged

__all__ = ["PGBOUNCER", "pgbouncer"]

PGBOUNCER: Final = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
"""The program. If None, it is not installed."""


@contextmanager
def pgbouncer(server: PostgresServer) -> Generator[str]:
    """Run PgBouncer in front of a server, and return the address of the database ``postgres`` through it.

    It has two connections to the server, which its clients use in turns, one transaction after another.
    """
    assert PGBOUNCER is not None
    settings = server.directory / "pgbouncer.ini"
    settings.write_text(
        f"""
        [databases]
        * = host={server.directory} user=postgres
        [pgbouncer]
        listen_addr =
        listen_port = 6432
        unix_socket_dir = {server.directory}
        auth_type = any
        pool_mode = transaction
        default_pool_size = 2
        """.replace("        ", "")
    )
    command: list[str | Path] = [PGBOUNCER, settings]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **unprivileged(server.directory)) as process:
        assert process.stderr is not None
        lines: list[str] = []
        while "process up" not in "".join(lines[-1:]):
            lines.append(process.stderr.readline())
            if not lines[-1]:
                raise RuntimeError(f"PgBouncer did not start:\n{''.join(lines)}")
        try:
            yield f"postgresql://postgres@/postgres?host={quote(str(server.directory), safe='')}&port=6432"
        finally:
            process.kill()
