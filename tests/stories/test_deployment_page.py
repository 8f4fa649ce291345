"""The service of docs/howto/deployment.md runs as the page says: workers, probes, shutdown, backup and clean-up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async.emulator import Emulator
from tests.support.servers.asgi_server import free_listener
from tests.support.servers.readiness import is_ready, until_ready

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "howto" / "deployment.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"^```py\n# ([\w.]+)[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@attrs.frozen
class Machine:
    """A machine with the files of the page, on which the service is started and stopped."""

    folder: Path
    plivo: Emulator
    port: int

    @property
    def database(self) -> Path:
        return self.folder / "recordings.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PLIVO_AUTH_ID": self.plivo.auth_id,
            "PLIVO_AUTH_TOKEN": self.plivo.auth_token,
            "PLIVO_BASE_URL": self.plivo.url,
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}/plivo",
            "DATABASE": str(self.database),
        }

    @asynccontextmanager
    async def service(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Run the command of the page until it is ready; at the end, stop it with SIGTERM."""
        [command] = re.findall(r"^uvicorn (.+)$", PAGE, re.MULTILINE)
        arguments = command.replace("8000", str(self.port)).split()
        log = (self.folder / "service.log").open("ab")
        service = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", *arguments, cwd=self.folder, env=self.environment, stdout=log, stderr=log
        )
        log.close()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as user:
                await until_ready(service, user)
                yield user
        finally:
            service.send_signal(signal.SIGTERM)
            await asyncio.wait_for(service.wait(), 40)
        assert "Traceback" not in self.log()

    def log(self) -> str:
        return (self.folder / "service.log").read_text()


@pytest.fixture
async def machine(tmp_path: Path, blockbuster: BlockBuster) -> AsyncGenerator[Machine]:
    blockbuster.deactivate()  # the tests start processes and use files
    for name, source in FILES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    with free_listener() as free:
        port = free.getsockname()[1]
    async with Emulator() as plivo:
        yield Machine(tmp_path, plivo, port)


async def start(user: httpx.AsyncClient, name: str) -> str:
    answer = await user.post(f"/conferences/{name}/recording", headers={"Connection": "close"})
    return str(answer.json()["start_id"])


async def transcript(user: httpx.AsyncClient, start_id: str) -> object:
    """Ask over a connection of its own, so that any worker may answer."""
    return (await user.get(f"/recordings/{start_id}/transcript", headers={"Connection": "close"})).json()


async def test_two_workers_share_the_file_and_continue_after_a_restart(machine: Machine) -> None:
    names = [f"conference-{number}" for number in range(8)]
    async with machine.service() as user:
        start_ids = {name: await start(user, name) for name in names}
        waiting = [asyncio.create_task(transcript(user, start_ids[name])) for name in names[:4]]
        for name in names[:4]:
            await machine.plivo.end_conference(name)
        assert await asyncio.gather(*waiting) == [f"This is what was said in {name}." for name in names[:4]]
        assert (await user.get("/live")).json() == "alive"
    async with machine.service() as user:
        for name in names[4:]:
            await machine.plivo.end_conference(name)
        said = [await transcript(user, start_ids[name]) for name in names]
    assert said == [f"This is what was said in {name}." for name in names]
    assert [machine.plivo.executions(name) for name in names] == [1] * 8


async def test_readiness_fails_while_the_file_is_locked_and_liveness_does_not(machine: Machine) -> None:
    async with machine.service() as user:
        connection = sqlite3.connect(machine.database, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        ready = await user.get("/ready")
        assert (await user.get("/live")).status_code == 200
        connection.execute("ROLLBACK")
        connection.close()
        assert (ready.status_code, "database is locked" in ready.text) == (503, True)
        assert await is_ready(user)


async def test_backup_of_the_running_service_can_be_restored(machine: Machine) -> None:
    [statement] = re.findall(r'^  "(VACUUM INTO .+?)"$', PAGE, re.MULTILINE)
    backup = machine.folder / "backup.db"
    async with machine.service() as user:
        before = await start(user, "before")
        with sqlite3.connect(machine.database) as connection:
            connection.execute(re.sub(r"'.+'", f"'{backup}'", statement))
        connection.close()
        after = await start(user, "after")
    for file in machine.folder.glob("recordings.db*"):
        file.rename(machine.folder / f"old-{file.name}")
    shutil.copy(backup, machine.database)
    async with machine.service() as user:
        for name in ("before", "after"):
            await machine.plivo.end_conference(name)
        assert await transcript(user, before) == "This is what was said in before."
        await machine.plivo.callbacks_settled()
    [reason] = re.findall(r"the reason `(.+?)`", PAGE)
    with sqlite3.connect(machine.database) as connection:
        orphans = [json.loads(value) for (value,) in connection.execute("SELECT value FROM orphan")]
    connection.close()
    assert orphans
    assert all(orphan["start_id"] == after and orphan["reason"].startswith(reason) for orphan in orphans)


async def test_clean_up_runs_beside_the_service(machine: Machine) -> None:
    async with machine.service() as user:
        await start(user, "standup")
        printed = subprocess.run(
            [sys.executable, "prune.py"],
            check=True,
            cwd=machine.folder,
            env=machine.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert printed.stdout == "deleted 0 recordings\n"


def test_unit_is_one_that_systemd_accepts(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("this machine has no systemd")
    [unit] = re.findall(r"^```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "recordings.service"
    file.write_text(unit.replace("/opt/recordings/.venv/bin/uvicorn", "/bin/true"), encoding="utf-8")
    verified = subprocess.run([verifier, "verify", file], check=False, capture_output=True, text=True, timeout=60)
    assert [line for line in verified.stderr.splitlines() if file.name in line] == []


def test_every_alert_names_words_of_a_log_record() -> None:
    records = (DOCS / "howto" / "logging.md").read_text(encoding="utf-8").replace("{status}", "403")
    words = re.findall(r"^\| [\w ]+ \| \w+ containing `(.+?)`", PAGE, re.MULTILINE)
    assert len(words) == 10
    assert [each for each in words if each not in records] == []
