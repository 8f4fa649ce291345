"""The service of docs/howto/replicas.md runs as the page says, in two processes that share a database."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from blockbuster import BlockBuster

from plivo_record_async.emulator import Emulator
from tests.support.servers.asgi_server import free_listener
from tests.support.servers.postgres_server import PostgresServer
from tests.support.servers.readiness import until_ready
from tests.support.untyped_libraries import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "replicas.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, blockbuster: BlockBuster) -> Path:
    blockbuster.deactivate()  # the tests start processes and use files
    [(name, source)] = re.findall(r"^```py\n# ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / name).write_text(source)
    return tmp_path


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    name = f"page_{secrets.token_hex(8)}"
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return postgres.url(name)


@asynccontextmanager
async def replica(
    folder: Path, plivo: Emulator, database: str, port: int, public_port: int
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    environment = {
        **os.environ,
        "PLIVO_AUTH_ID": plivo.auth_id,
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "PLIVO_BASE_URL": plivo.url,
        "PUBLIC_URL": f"http://127.0.0.1:{public_port}/plivo",
        "DATABASE_URL": database,
    }
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--timeout-graceful-shutdown", "1"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as user:
            await until_ready(process, user)
            yield process, user
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 40)


async def test_one_replica_goes_on_when_the_other_is_killed(folder: Path, database: str) -> None:
    with free_listener() as one, free_listener() as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    async with (
        Emulator() as plivo,
        replica(folder, plivo, database, ports[0], ports[1]) as (first, user_of_first),
        replica(folder, plivo, database, ports[1], ports[1]) as (_, user_of_second),
    ):
        answers = await asyncio.gather(
            *(user.post("/conferences/standup/recording?key=monday") for user in (user_of_first, user_of_second) * 3)
        )
        [start_id] = {answer.json()["start_id"] for answer in answers}
        assert plivo.executions("standup") == 1
        first.send_signal(signal.SIGKILL)
        await plivo.end_conference("standup")
        file = await user_of_second.get(f"/recordings/{start_id}/file")
        assert str(file.json()).startswith(plivo.url)
        plivo.assert_no_duplicate_starts()


def test_files_for_containers_are_yaml() -> None:
    compose, deployment = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    services = yaml.safe_load(compose)["services"]
    assert services["worker"]["deploy"] == {"replicas": 2}
    kinds = [each["kind"] for each in yaml.safe_load_all(deployment)]
    assert kinds == ["Deployment", "Service"]
    named = set(re.findall(r'os.environ\["(\w+)"\]', PAGE))
    assert named <= services["worker"]["environment"].keys()
