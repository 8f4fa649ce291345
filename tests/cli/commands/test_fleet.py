"""`fleet worker`, `fleet submit` and `fleet progress`: what they print, and how they end."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, json_lines, start_command
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


async def test_progress_that_is_followed_is_shown_on_stderr(
    command: Command, plivo: Emulator, database: tuple[str, str], tmp_path: Path
) -> None:
    await command("fleet", "submit", "monday", *database, stdin=b"unknown\n")
    plivo.faults.on("start", conference="unknown").reset_after_execution()
    worker, ready = await start_worker(plivo, *database, "--store", str(tmp_path / "r.db"), "--worker", "one")
    assert ready == b"ready one\n"
    followed = await command("fleet", "progress", "monday", *database, "--follow")
    assert (followed.exit_code, followed.stdout) == (
        3,
        "monday: 1 items, 0 waiting, 0 running, 0 started, 0 failed, 1 unknown\n",
    )
    worker.send_signal(signal.SIGINT)
    assert await worker.wait() == 0


async def test_worker_receives_callbacks(
    command: Command, plivo: Emulator, database: tuple[str, str], tmp_path: Path, unused_tcp_port: int
) -> None:
    store, url = str(tmp_path / "r.db"), f"http://127.0.0.1:{unused_tcp_port}/plivo"
    await command("fleet", "submit", "monday", *database, stdin=b"sales\n")
    worker, _ = await start_worker(plivo, *database, "--store", store, "--public-url", url)
    assert (await command("fleet", "progress", "monday", *database, "--follow")).exit_code == 0
    await plivo.callbacks_settled()
    listed = await command("status", "--store", store, "--json")
    assert [row["state"] for row in json_lines(listed.stdout)] == ["started"]
    worker.send_signal(signal.SIGTERM)
    assert await worker.wait() == 0


async def test_workers_in_postgresql_share_the_quota(
    command: Command, plivo: Emulator, postgres: PostgresServer
) -> None:
    name, url = f"fleet-{secrets.token_hex(8)}", postgres.url()
    rooms = "".join(f"{name}-{number}\n" for number in range(20))
    words = ("--database", url, "--fleet", name)
    await command("fleet", "submit", "monday", *words, stdin=rooms.encode())
    workers = [(await start_worker(plivo, *words, "--store", url))[0] for _ in range(2)]
    followed = await command("fleet", "progress", "monday", *words, "--follow")
    assert (followed.exit_code, followed.stdout) == (
        0,
        "monday: 20 items, 0 waiting, 0 running, 20 started, 0 failed, 0 unknown\n",
    )
    plivo.assert_no_duplicate_starts()
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        assert await worker.wait() == 0


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
