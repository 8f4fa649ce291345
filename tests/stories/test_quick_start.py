"""The README's quick start, as it stands there: its commands in a shell, its application against the local Plivo."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import attrs
import httpx
import pytest
from blockbuster import BlockBuster

from tests.test_readme import section

QUICK_START = section("Quick start: FastAPI, from install to transcript")
[APP] = re.findall(r"```python\n(# app\.py\n.*?)```", QUICK_START, re.DOTALL)
INSTALL, EMULATE, SERVE, USE, OPEN = re.findall(r"```sh\n(.*?)```", QUICK_START, re.DOTALL)
SAID = "This is what was said in standup."


@attrs.frozen(kw_only=True)
class Desk:
    """A folder with the README's ``app.py``, and free ports in place of the README's."""

    folder: Path
    plivo: int
    app: int

    @contextlib.asynccontextmanager
    async def run(self, commands: str, *, ready: str) -> AsyncGenerator[None]:
        """Run commands of the README in a shell until they have printed ``ready``, and end them afterwards."""
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-ec",
            self.adapted(commands),
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PLIVO_", "PUBLIC_"))},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert shell.stdout is not None
            said = await asyncio.wait_for(shell.stdout.readuntil(ready.encode()), 60)
            assert said
            yield
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            await asyncio.wait_for(shell.communicate(), 30)

    @contextlib.asynccontextmanager
    async def serving(self, commands: str = SERVE) -> AsyncGenerator[httpx.AsyncClient]:
        """Run the application, and somebody who uses it."""
        user = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.app}", timeout=60, trust_env=False)
        async with self.run(commands, ready="Uvicorn running on"), user:
            yield user

    async def tell_plivo(self, user: httpx.AsyncClient, what: str) -> None:
        """Open or end a conference at the local Plivo."""
        url = f"http://127.0.0.1:{self.plivo}/__emulator__/conferences/{what}"
        (await user.post(url, headers={"X-Plivo-Emulator": "1"})).raise_for_status()

    def adapted(self, commands: str) -> str:
        """The same on this desk's ports, with the programs of this environment."""
        for port, ours in ((8765, self.plivo), (8000, self.app)):
            commands = commands.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}")
        commands = re.sub(r"(plivo-record emulate)\b", rf"\1 --port {self.plivo}", commands)
        commands = commands.replace("uvicorn app:app", f"uvicorn app:app --port {self.app}")
        commands = commands.replace(".venv/bin/plivo-record", f"{sys.executable} -m plivo_record_async")
        return commands.replace(".venv/bin/uvicorn", f"{sys.executable} -m uvicorn")


@pytest.fixture
def desk(tmp_path: Path, blockbuster: BlockBuster, unused_tcp_port_factory: Callable[[], int]) -> Desk:
    blockbuster.deactivate()  # it starts and ends processes
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    return Desk(folder=tmp_path, plivo=unused_tcp_port_factory(), app=unused_tcp_port_factory())


async def curl(command: str) -> str:
    """What a command of the README prints."""
    process = await asyncio.create_subprocess_exec("bash", "-ec", f"{command} -sS", stdout=asyncio.subprocess.PIPE)
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return printed.decode()


def test_quick_start_installs_the_clone_with_what_its_application_imports() -> None:
    assert INSTALL.splitlines()[0] == "python3 -m venv .venv"
    assert INSTALL.splitlines()[1].split(" '.[cli,emulator]' ")[1] == "fastapi uvicorn"


async def test_quick_start_works_as_written_from_installation_to_transcript(desk: Desk) -> None:
    assert shutil.which("curl") is not None
    async with desk.run(EMULATE, ready=f"ready http://127.0.0.1:{desk.plivo}\n"), desk.run(SERVE, ready="running on"):
        start, end, read = desk.adapted(USE).splitlines()
        started = httpx.Response(200, text=await curl(start)).json()
        await curl(end)
        assert await curl(read.replace("START_ID", started["start_id"])) == f'"{SAID}"'


async def test_each_ordinary_outcome_has_its_status(desk: Desk) -> None:
    async with desk.run(EMULATE, ready="ready"), desk.serving() as user:
        nobody = await user.get("/recordings/nobody/transcript")
        assert (nobody.status_code, nobody.json()["error"]) == (404, "UnknownStartError")

        started = (await user.post("/rooms/standup")).raise_for_status().json()
        not_yet = await user.get(f"/recordings/{started['start_id']}/transcript")
        assert not_yet.status_code == 202
        assert not_yet.json().items() >= {"error": "WaitTimeoutError", **started, "state": "started"}.items()

        await desk.tell_plivo(user, "standup/end")
        text = await user.get(f"/recordings/{started['start_id']}/transcript")
        assert (text.status_code, text.json()) == (200, SAID)

        with contextlib.closing(sqlite3.connect(desk.folder / "recordings.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            locked = await user.post("/rooms/standup")
        assert (locked.status_code, locked.json()["error"]) == (503, "StoreError")
        assert int(locked.headers["Retry-After"]) > 0

        forged = await user.post("/plivo/recording", data={"record_url": "https://evil.example"})
        assert forged.status_code == 403


async def test_empty_conference_is_answered_409_until_somebody_joins(desk: Desk) -> None:
    async with desk.run(f"{EMULATE.strip()} --strict", ready="ready"), desk.serving() as user:
        empty = (await user.post("/rooms/standup")).raise_for_status().json()
        failed = await user.get(f"/recordings/{empty['start_id']}/transcript")
        assert (failed.status_code, failed.json()["error"]) == (409, "RecordingFailedError")

        await curl(desk.adapted(OPEN).strip())
        live = (await user.post("/rooms/standup")).raise_for_status().json()
        await desk.tell_plivo(user, "standup/end")
        text = await user.get(f"/recordings/{live['start_id']}/transcript")
        assert (text.status_code, text.json()) == (200, SAID)


async def test_wrong_credentials_are_answered_502(desk: Desk) -> None:
    async with desk.run(EMULATE, ready="ready"), desk.serving(SERVE.replace("TOKEN=emulated", "TOKEN=wrong")) as user:
        refused = await user.post("/rooms/standup")
    assert (refused.status_code, refused.json()["error"]) == (502, "AuthenticationError")


async def test_unreachable_plivo_is_answered_503(desk: Desk) -> None:
    async with desk.serving() as user:
        unreachable = await user.post("/rooms/standup")
    assert (unreachable.status_code, unreachable.json()["error"]) == (503, "NotSentError")
    assert int(unreachable.headers["Retry-After"]) > 0


async def test_lost_answer_is_202_with_a_usable_start_id_and_an_empty_conference_is_409(desk: Desk) -> None:
    answers = [b"", b'HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{"error":"not found"}']

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.pop(0))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", desk.plivo), desk.serving() as user:
        lost = await user.post("/rooms/standup")
        assert (lost.status_code, lost.json()["error"]) == (202, "OutcomeUnknownError")
        waited = await user.get(f"/recordings/{lost.json()['start_id']}/transcript")
        assert (waited.status_code, waited.json()["state"]) == (202, "unknown")
        empty = await user.post("/rooms/empty")
        assert (empty.status_code, empty.json()["error"]) == (409, "NotFoundError")
