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


def wait_for_response(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has received a response, and so handles signals and has permits."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"received\n"


def test_no_window_exceeds_the_quota_while_processes_join_end_and_are_killed(
    server: FaultServer, postgres: PostgresServer
) -> None:
    """The server notes each arrival before it responds, and a permit is used again only ``per`` after the response. So
    no delay on the way can make the server see more requests in a window than were sent."""
    environment = {"PLIVO_AUTH_ID": "MAXXXXXXXXXXXXXXXXXX", "PLIVO_AUTH_TOKEN": "t", "PLIVO_BASE_URL": server.url}
    arguments = [postgres.url(), f"quota-{secrets.token_hex(4)}", str(LIMIT), str(PER)]

    with ExitStack() as stack:

        def join() -> subprocess.Popen[bytes]:
            process = stack.enter_context(
                subprocess.Popen([sys.executable, PROGRAM, *arguments], env=environment, stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            return process

        def send_windows(number: int) -> None:
            """Wait until the processes have sent what the quota permits in so many windows."""
            target = len(server.arrivals) + number * LIMIT
            wait_until(lambda: len(server.arrivals) >= target)

        first = join()
        others = [join() for _ in range(3)]
        for process in (first, *others):
            wait_for_response(process)
        send_windows(3)
        others[0].kill()
        others[1].send_signal(signal.SIGTERM)
        wait_for_response(join())
        assert others[1].wait(30) == 0
        send_windows(3)

    ordered = sorted(arrival.at for arrival in server.arrivals)
    assert min(last - first for first, last in zip(ordered, ordered[LIMIT:], strict=False)) > PER
