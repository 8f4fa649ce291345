"""Each recipe of docs/howto/event-loops.md, as it stands there, in processes of its own, against the emulator."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
from blockbuster import BlockBuster

from plivo_record_async.emulator import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "event-loops.md").read_text(encoding="utf-8")
FILES: dict[str, str] = dict(re.findall(r"^```py\n# ([\w.]+)[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CELLS: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

INVOKE_TWICE = """
import json, sys
from {module} import handler
for room in ("standup", "retro"):
    print(json.dumps(handler(json.loads(sys.argv[1].replace("ROOM", room)), None)))
"""
API_GATEWAY = json.dumps(
    {
        "version": "2.0",
        "rawPath": "/rooms/ROOM",
        "rawQueryString": "",
        "headers": {"host": "me.example"},
        "requestContext": {"http": {"method": "POST", "path": "/rooms/ROOM", "sourceIp": "192.0.2.1"}},
        "isBase64Encoded": False,
    }
)
"""What AWS hands to a handler: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""

TASKS = """
from tasks import record
results = [record.delay(f"room-{number}") for number in range(6)]
print([result.get(timeout=60) for result in results])
"""
CELERY_CONFIG = """
broker_url = "filesystem://"
broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}
result_backend = "file://./results"
"""
"""A broker that is a folder: https://docs.celeryq.dev/projects/kombu/en/stable/reference/kombu.transport.filesystem.html"""

NOTEBOOK = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells!r} * 2:
    shell.run_cell(cell).raise_error()
"""

MISUSE = """
import asyncio
import os
import sys

from plivo_record_async import PlivoRecordError, RecordClient, RecordingTracker, SQLiteStore

client = RecordClient()
tracker = RecordingTracker(client, public_url=os.environ["PUBLIC_URL"], store=SQLiteStore("recordings.db"))


async def use():
    for call in (client.start_recording("standup"), tracker.start("standup"), tracker.get("start-1")):
        try:
            await call
        except PlivoRecordError as error:
            print(f"{type(error).__name__}: {error}", flush=True)


async def after_the_end():
    async with client, tracker:
        pass
    await use()


async def in_two_threads():
    async with client, tracker:
        await client.start_recording("standup")
        await asyncio.to_thread(asyncio.run, use())


async def after_a_fork():
    async with client, tracker:
        await client.start_recording("standup")
        if os.fork() == 0:
            asyncio.run(use())
            os._exit(0)
        os.wait()

asyncio.run(globals()[sys.argv[1]]())
"""


@attrs.frozen
class Project:
    """A folder that holds the page's files, and the Plivo that they speak to."""

    folder: Path
    plivo: Emulator

    async def begin(self, *arguments: str | Path) -> asyncio.subprocess.Process:
        """Begin to run Python there."""
        environment = {
            **os.environ,
            "PLIVO_AUTH_ID": self.plivo.auth_id,
            "PLIVO_AUTH_TOKEN": self.plivo.auth_token,
            "PLIVO_BASE_URL": self.plivo.url,
            "PUBLIC_URL": "http://127.0.0.1:9/plivo",
            "PYTHONPATH": str(self.folder),
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str | Path) -> str:
        """Run Python there; what it printed."""
        process = await self.begin(*arguments)
        printed, said = await asyncio.wait_for(process.communicate(), 100)
        assert process.returncode == 0, (printed + said).decode()
        return printed.decode()

    def executions(self, *rooms: str) -> list[int]:
        return [self.plivo.executions(room) for room in rooms]


@pytest.fixture
async def project(tmp_path: Path, blockbuster: BlockBuster) -> AsyncIterator[Project]:
    blockbuster.deactivate()  # it starts and ends processes
    for name, source in FILES.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    async with Emulator() as plivo:
        yield Project(tmp_path, plivo)


async def test_application_works_in_one_test_client_after_another(project: Project) -> None:
    assert "2 passed" in await project.run("-m", "pytest", "test_app.py")
    assert project.executions("standup", "retro") == [1, 1]


async def test_script_works_in_two_event_loops(project: Project) -> None:
    assert len((await project.run("script.py")).splitlines()) == 2
    assert project.executions("standup", "retro") == [1, 1]


async def test_a_plain_lambda_handler_is_invoked_again(project: Project) -> None:
    printed = await project.run("-c", INVOKE_TWICE.format(module="plain_handler"), '{"room": "ROOM"}')
    assert all(json.loads(line)["recording_id"] for line in printed.splitlines())
    assert project.executions("standup", "retro") == [1, 1]


@pytest.mark.parametrize("module", ["lifespan_handler", "handler_without_lifespan"])
async def test_a_lambda_handler_around_an_application_is_invoked_again(project: Project, module: str) -> None:
    printed = await project.run("-c", INVOKE_TWICE.format(module=module), API_GATEWAY)
    answers = [json.loads(line) for line in printed.splitlines()]
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert all("start_id" in json.loads(answer["body"]) for answer in answers)
    assert project.executions("standup", "retro") == [1, 1]


async def test_celery_tasks_work_in_forked_workers(project: Project) -> None:
    for folder in ("queue", "control", "results"):
        (project.folder / folder).mkdir()
    (project.folder / "celeryconfig.py").write_text(CELERY_CONFIG, encoding="utf-8")
    worker = await project.begin("-m", "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2")
    try:
        printed = await project.run("-c", TASKS)
    finally:
        worker.terminate()
        await asyncio.wait_for(worker.communicate(), 30)
    assert len(eval(printed)) == 6
    assert project.executions(*(f"room-{number}" for number in range(6))) == [1] * 6


async def test_unittest_runs_each_test_in_its_own_event_loop(project: Project) -> None:
    await project.run("-m", "unittest", "test_recordings")
    assert project.executions("standup") == [2]


async def test_notebook_cells_can_run_again(project: Project) -> None:
    await project.run("-c", NOTEBOOK.format(cells=CELLS))
    assert project.executions("standup") == [2]


async def test_pool_of_forked_processes_works(project: Project) -> None:
    assert len((await project.run("pool.py")).splitlines()) == 3
    assert project.executions("sales", "support", "board") == [1, 1, 1]


@pytest.mark.parametrize(
    ("misuse", "error", "advice"),
    [
        ("after_the_end", "ClosedError: ", " again with "),
        ("in_two_threads", "ConfigurationError: ", "in each event loop"),
        ("after_a_fork", "ConfigurationError: ", "in each process"),
    ],
)
async def test_misuse_raises_an_error_that_shows_the_correct_code(
    project: Project, misuse: str, error: str, advice: str
) -> None:
    printed = (await project.run("-c", MISUSE, misuse)).splitlines()
    assert len(printed) == 3
    assert all(line.startswith(error) and advice in line for line in printed)
