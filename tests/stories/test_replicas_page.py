"""The service of docs/howto/replicas.md runs as the page says, in two processes that share a database.

The environment variable ``REPLICAS_SEED`` repeats the kills of an earlier run.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
import psycopg
import pytest
from blockbuster import BlockBuster

from plivo_record_async import RateLimit
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores import PostgresStore
from tests.support.servers.asgi_server import reserved_port
from tests.support.servers.load_balancer import load_balancer
from tests.support.servers.postgres_server import PostgresServer
from tests.support.servers.readiness import until_ready
from tests.support.untyped_libraries import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "replicas.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, blockbuster: BlockBuster) -> Path:
    blockbuster.deactivate()  # the tests start processes and use files
    for name, source in re.findall(r"^```py\n# ([\w.]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
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
    async with AsyncExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(2)]
        plivo = await stack.enter_async_context(Emulator())
        (first, user_of_first), (_, user_of_second) = [
            await stack.enter_async_context(replica(folder, plivo, database, port, ports[1])) for port in ports
        ]
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


class Service:
    """The two replicas of the page behind a load balancer, of which each process can be killed."""

    def __init__(self, folder: Path, plivo: Emulator, database: str) -> None:
        self._folder, self._plivo, self._database = folder, plivo, database
        self._reserved = ExitStack()
        self._replicas = [AsyncExitStack(), AsyncExitStack()]
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._balancer = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.public_port, *self._ports = [self._reserved.enter_context(reserved_port()) for _ in range(3)]
        await asyncio.gather(*map(self._start, range(2)))
        await self._start_balancer()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._balancer.aclose()
        await asyncio.gather(*(each.aclose() for each in self._replicas))
        self._reserved.close()

    async def kill_replica(self, number: int) -> None:
        """Kill a replica, and start it again."""
        self._processes[number].kill()
        await self._replicas[number].aclose()
        await self._start(number)

    async def kill_balancer(self) -> None:
        """End the load balancer with all its connections, and start it again."""
        await self._balancer.aclose()
        await self._start_balancer()

    async def _start(self, number: int) -> None:
        ports = (self._ports[number], self.public_port)
        running = replica(self._folder, self._plivo, self._database, *ports)
        self._processes[number], _ = await self._replicas[number].enter_async_context(running)

    async def _start_balancer(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.public_port))
        await self._balancer.enter_async_context(load_balancer(listener, self._ports))


async def start_until_accepted(user: httpx.AsyncClient, room: str) -> str:
    """Repeat a request with the same key until it succeeds, as the page says. Return the ID of the start."""
    while True:
        try:
            response = await user.post(f"/conferences/{room}/recording?key=monday-{room}")
        except httpx.TransportError:
            continue
        if response.status_code == 200:
            return str(response.json()["start_id"])
        await asyncio.sleep(0.1)


async def kill_one_after_another(service: Service, postgres: PostgresServer, chance: random.Random) -> None:
    """Kill each process of the service once, in any order."""

    async def kill_postgres() -> None:
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)

    kills = [lambda: service.kill_replica(0), lambda: service.kill_replica(1), service.kill_balancer, kill_postgres]
    chance.shuffle(kills)
    for kill in kills:
        await asyncio.sleep(chance.random() / 2)
        await kill()


async def evidence(folder: Path, plivo: Emulator) -> list[int]:
    """Return the numbers that evidence.py of the page prints."""
    environment = {**os.environ, "PLIVO_BASE_URL": plivo.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "evidence.py", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return [int(number) for number in re.findall(r": (\d+)$", output.decode(), re.MULTILINE)]


async def test_any_process_may_be_killed(folder: Path, postgres: PostgresServer, database: str) -> None:
    seed = os.environ.get("REPLICAS_SEED", secrets.token_hex(4))
    print(f"REPLICAS_SEED={seed}")  # noqa: T201 - pytest shows it if the test fails
    rooms = [f"room-{number}" for number in range(330)]
    async with (
        Emulator(quota=RateLimit(300, per=5.0), clock="squeezed") as plivo,
        Service(folder, plivo, database) as service,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.public_port}", timeout=40) as user,
    ):
        async with asyncio.TaskGroup() as group:
            group.create_task(kill_one_after_another(service, postgres, random.Random(seed)))
            started = await start_all(user, rooms)
        assert len(set(started)) == len(rooms)
        executed = [room for room in rooms if plivo.executions(room)]
        for room in executed:
            await plivo.end_conference(room)
        await plivo.callbacks_settled()
        found, most_executions, busiest = await evidence(folder, plivo)
    assert (found, most_executions) == (len(executed), 1)
    assert busiest <= 300
    assert not any(request.status == 429 for request in plivo.requests)
    async with PostgresStore(database) as store:
        counts = dict(await store.counts())
    assert counts.pop("recorded") == len(executed)
    assert counts.keys() <= {"sending", "unknown"}, "the outcomes of the starts that a killed process was sending"
    assert sum(counts.values()) == len(rooms) - len(executed)


async def start_all(user: httpx.AsyncClient, rooms: Sequence[str]) -> list[str]:
    limit = asyncio.Semaphore(16)

    async def start(room: str) -> str:
        async with limit:
            return await start_until_accepted(user, room)

    return await asyncio.gather(*map(start, rooms))


def test_recipe_without_containers_is_consistent() -> None:
    """The balancer of the page is not installed here, so its command is compared with the others."""
    [balancer] = re.findall(r"^caddy reverse-proxy --from (\S+) --to (\S+) --to (\S+)$", PAGE, re.MULTILINE)
    [public_url] = re.findall(r"^export PUBLIC_URL=(http:\S+/plivo)$", PAGE, re.MULTILINE)
    ports = re.findall(r"^uvicorn app:app --port (\d+)", PAGE, re.MULTILINE)
    assert public_url == f"{balancer[0]}/plivo"
    assert list(balancer[1:]) == [f"127.0.0.1:{port}" for port in ports]


def test_files_for_containers_are_yaml() -> None:
    compose, deployment = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    services = yaml.safe_load(compose)["services"]
    assert services["worker"]["deploy"] == {"replicas": 2}
    kinds = [each["kind"] for each in yaml.safe_load_all(deployment)]
    assert kinds == ["Deployment", "Service"]
    named = set(re.findall(r'os.environ\["(\w+)"\]', PAGE)) - {"PLIVO_BASE_URL"}  # only the evidence needs it
    assert named <= services["worker"]["environment"].keys()
