"""`fleet worker`, `fleet submit` and `fleet progress`: what they print, and how they end."""

from __future__ import annotations

import asyncio
import io
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TextIO

import pytest
from blockbuster import BlockBuster
from click.testing import Result

from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_in_process import run_command, run_until_sigterm
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, json_lines, start_command
from tests.support.servers.background_loop import background_loop
from tests.support.servers.postgres_server import PostgresServer

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN) as emulator:
        yield emulator


@pytest.fixture
def database(tmp_path: Path) -> tuple[str, str]:
    return "--database", f"sqlite:///{tmp_path / 'fleet.db'}"


@pytest.fixture
def _in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def start_worker(plivo: Emulator, *words: str) -> tuple[asyncio.subprocess.Process, bytes]:
    worker = await start_command(plivo.url, "fleet", "worker", *words)
    assert worker.stdout is not None
    return worker, await worker.stdout.readline()


async def test_batch_is_submitted_started_and_followed(
    command: Command, plivo: Emulator, database: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "rooms.csv").write_text("conference_name,transcribe\nsales,true\nsupport,\nlost,\n")
    plivo.faults.on("start", conference="lost").status(400)
    submit = ("fleet", "submit", "monday", str(tmp_path / "rooms.csv"), *database)
    submitted = await command(*submit)
    assert (submitted.exit_code, submitted.output) == (0, "submitted monday: 3 conferences, 3 new\n")
    again = await command(*submit, "--json")
    assert json_lines(again.stdout) == [{"type": "Submitted", "batch": "monday", "total": 3, "new": 0}]
    waiting = await command("fleet", "progress", "monday", *database)
    assert (waiting.exit_code, waiting.stdout) == (
        0,
        "monday: 3 items, 3 waiting, 0 running, 0 started, 0 failed, 0 unknown\n",
    )
    words = (*database, "--store", str(tmp_path / "r.db"), "--worker", "one", "--json")
    worker, ready = await start_worker(plivo, *words)
    assert json_lines(ready.decode()) == [{"type": "Ready", "fleet": "plivo-record", "worker": "one"}]
    followed = await command("fleet", "progress", "monday", *database, "--follow", "--json")
    assert followed.exit_code == 1
    counts = {"total": 3, "waiting": 0, "running": 0, "started": 2, "failed": 1, "unknown": 0}
    assert json_lines(followed.stdout)[-1] == {"type": "BatchProgress", "batch": "monday"} | counts
    worker.send_signal(signal.SIGTERM)
    stdout, stderr = await worker.communicate()
    assert (worker.returncode, stdout) == (0, b"")
    (note,) = json_lines(stderr.decode())
    assert note["error"].startswith("terminated; nothing more is sent, and the outcome of what was already sent")
    assert plivo.executions("sales") == plivo.executions("support") == 1


def test_worker_in_postgresql_receives_callbacks_until_a_signal(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, blockbuster: BlockBuster, unused_tcp_port: int
) -> None:
    blockbuster.deactivate()
    name, url = f"fleet-{secrets.token_hex(8)}", f"http://127.0.0.1:{unused_tcp_port}/plivo"
    database = ("--database", postgres.url(), "--fleet", name)
    output = io.StringIO()
    with background_loop() as loop, loop.enter(Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN)) as plivo:
        plivo.faults.on("start", conference=f"{name}-lost").reset_after_execution()
        for variable, value in {"AUTH_ID": AUTH_ID, "AUTH_TOKEN": AUTH_TOKEN, "BASE_URL": plivo.url}.items():
            monkeypatch.setenv(f"PLIVO_{variable}", value)

        def use(lines: TextIO) -> None:
            assert lines.readline() == "ready one\n"
            rooms = io.TextIOWrapper(io.BytesIO(f"{name}-sales\n{name}-lost\n".encode()))
            monkeypatch.setattr("sys.stdin", rooms)
            assert run_command("fleet", "submit", "monday", *database, stdout=output) == 0
            assert run_command("fleet", "progress", "monday", *database, "--follow", stdout=output) == 3
            loop.portal.call(plivo.callbacks_settled)

        words = ("--store", postgres.url(), "--worker", "one", "--public-url", url)
        assert run_until_sigterm("fleet", "worker", *database, *words, use=use) == 0
        listed = io.StringIO()
        found = ("--conference", f"{name}-sales", "--json")
        assert run_command("status", "--store", postgres.url(), *found, stdout=listed) == 0
        assert [row["state"] for row in json_lines(listed.getvalue())] == ["started"]
    assert output.getvalue() == (
        "submitted monday: 2 conferences, 2 new\n"
        "monday: 2 items, 0 waiting, 0 running, 1 started, 0 failed, 1 unknown\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("submit", "monday", "--database", "mysql://h/d"), 2, "the address of a fleet's database must be sqlite:///"),
        (("submit", "monday", "--fleet", "A B"), 2, "the name of a fleet must have 3 to 256"),
        (("submit", ""), 2, "NAME must not be empty"),
        (("progress", "tuesday"), 1, "the fleet 'plivo-record' has no batch 'tuesday'"),
        (("worker", "--listen", "127.0.0.1:1"), 2, "--listen needs --public-url"),
        (("worker", "--public-url", "http://h/", "--listen", "x"), 2, "--listen must be HOST:PORT, not 'x'"),
        (("worker", "--database", "postgresql://h/d", "--store", "r.db"), 2, "must share one store"),
    ],
)
@pytest.mark.usefixtures("_in_empty_directory")
async def test_what_is_refused(command: Command, words: tuple[str, ...], code: int, message: str) -> None:
    ended = await command("fleet", *words, stdin=b"sales\n")
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert message in ended.stderr


async def test_input_that_is_not_valid_adds_nothing(command: Command, database: tuple[str, str]) -> None:
    lines = b'{"conference_name": "a"}\n{"conference_name": 1}\n'
    ended = await command("fleet", "submit", "monday", *database, stdin=lines)
    assert ended.exit_code == 2
    assert "1 of 2 lines are not valid" in ended.stderr
    lines = b'{"conference_name": "a", "callback_url": "https://me.example/"}\n'
    ended = await command("fleet", "submit", "monday", *database, stdin=lines)
    assert ended.exit_code == 2
    assert "line 1 has a callback_url" in ended.stderr
    assert (await command("fleet", "progress", "monday", *database)).exit_code == 1


async def test_malformed_credentials_end_the_worker(command: Command, plivo: Emulator, tmp_path: Path) -> None:
    ended = await command("fleet", "worker", "--store", str(tmp_path / "r.db"), PLIVO_AUTH_ID="x")
    assert ended.exit_code == 2
    assert AUTH_TOKEN not in ended.stderr
