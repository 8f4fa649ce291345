"""A quota that several processes share, as the server sees it, while processes join, end and are killed."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.support.servers.fault_server import FaultServer
from tests.support.servers.postgres_server import PostgresServer

LIMIT, PER = 80, 1.0
PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "quota_worker.py"


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_window_exceeds_the_quota_while_processes_join_end_and_are_killed(
    server: FaultServer, postgres: PostgresServer
) -> None:
    """The server notes each arrival before it responds, and a permit is used again only ``per`` after the response. So
    no delay on the way can make the server see more requests in a window than were sent."""
    environment = {"PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX", "PLIVO_AUTH_TOKEN": "t", "PLIVO_BASE_URL": server.url}
    arguments = [postgres.url(), f"quota-{secrets.token_hex(4)}", str(LIMIT), str(PER)]

    def arrivals() -> list[float]:
        return [arrival.at for arrival in server.arrivals]

    with ExitStack() as stack:

        def join() -> subprocess.Popen[bytes]:
            process = stack.enter_context(subprocess.Popen([sys.executable, PROGRAM, *arguments], env=environment))
            stack.callback(process.kill)
            return process

        first = join()
        wait_until(lambda: len(server.arrivals) > LIMIT)
        others = [join() for _ in range(3)]
        time.sleep(3.0)
        begin = time.monotonic()
        time.sleep(3.0)
        end = time.monotonic()
        others[0].kill()
        others[1].send_signal(signal.SIGTERM)
        join()
        others[1].wait(30)
        time.sleep(3.0)
        first.kill()

    ordered = sorted(arrivals())
    assert min(last - first for first, last in zip(ordered, ordered[LIMIT:], strict=False)) > PER
    steady = sum(begin <= at < end for at in ordered)
    assert steady >= 0.6 * LIMIT * (end - begin) / PER
    assert others[1].returncode == 0
