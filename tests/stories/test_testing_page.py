"""docs/howto/testing.md in an empty project, with only what the page says to install."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from tests.support.programs.isolated_venv import make_environment

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text(encoding="utf-8")
[INSTALL] = re.findall(r"^\.venv/bin/pip install (.+)$", PAGE, re.MULTILINE)
BLOCKS: list[tuple[str, str, str]] = re.findall(
    r"^```(?:py|ini)\n# ([\w.]+)([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
ANYIO = ", for AnyIO"

UNSEEN = '''
import httpx
import pytest
import vcr
from plivo_record_async import NotSentError, RecordClient

NOBODY = "http://127.0.0.1:9"


async def start(transport):
    async with RecordClient(
        "MAXXXXXXXXXXXXXXXXXX", "token", base_url=NOBODY, max_retries=0, transport=transport
    ) as client:
        return (await client.start_recording("standup")).api_id


async def check_that_only_httpx_is_seen():
    with pytest.raises(NotSentError):
        await start(None)
    assert await start(httpx.AsyncHTTPTransport()) == "a"


async def test_pytest_httpx_answers_calls(httpx_mock):
    httpx_mock.add_response(status_code=202, json={"api_id": "a"})
    await check_that_only_httpx_is_seen()


async def test_patched_send_answers_calls(monkeypatch):
    async def answer(self, request):
        return httpx.Response(202, json={"api_id": "a"})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    await check_that_only_httpx_is_seen()


async def test_vcrpy_replays_calls(tmp_path):
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text(CASSETTE)
    with vcr.use_cassette(str(cassette), record_mode="none"):
        await check_that_only_httpx_is_seen()


async def test_patched_httpx_client_intercepts_no_call(monkeypatch):
    async def answer(self, request, **options):
        return httpx.Response(202, json={"api_id": "a"})

    monkeypatch.setattr(httpx.AsyncClient, "send", answer)
    for transport in (None, httpx.AsyncHTTPTransport()):
        with pytest.raises(NotSentError):
            await start(transport)


async def test_mock_transport_answers_calls():
    assert await start(httpx.MockTransport(lambda request: httpx.Response(202, json={"api_id": "a"}))) == "a"


CASSETTE = """
interactions:
- request: {body: "{}", headers: {}, method: POST, uri: "URI"}
  response:
    body: {string: '{"api_id": "a"}'}
    headers: {content-type: [application/json]}
    status: {code: 202, message: Accepted}
version: 1
""".replace("URI", f"{NOBODY}/v1/Account/MAXXXXXXXXXXXXXXXXXX/Conference/standup/Record/")
'''


def write_project(folder: Path, *, anyio: bool) -> None:
    """The page's files, as they stand there; those for AnyIO replace the others of their name."""
    for name, title, source in BLOCKS:
        if title == "" or (title == ANYIO and anyio):
            (folder / name).write_text(source, encoding="utf-8")


def requirements(*others: str) -> list[str]:
    """What the page says to install, and what else."""
    return [
        shlex.split(INSTALL)[0].replace("/path/to/the/clone", "plivo-record-async"),
        *shlex.split(INSTALL)[1:],
        *others,
    ]


def run_pytest(python: Path, folder: Path, **environment: str) -> str:
    """What pytest says at its end, in an environment that knows nothing of this one."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PLIVO_", "PYTEST", "PYTHON", "COV"))
    }
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "--color=no"],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.splitlines()[-1]


@pytest.fixture
def project(tmp_path: Path, blockbuster: BlockBuster) -> Path:
    """An empty folder."""
    blockbuster.deactivate()
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.mark.parametrize("exported", [{}, {"PLIVO_BASE_URL": "http://127.0.0.1:9", "PLIVO_AUTH_ID": "nonsense"}])
@pytest.mark.parametrize("anyio", [False, True])
def test_examples_of_the_page_run_as_copied(project: Path, exported: dict[str, str], *, anyio: bool) -> None:
    installed = [each for each in requirements() if not (anyio and each == "pytest-asyncio")]
    assert (len(installed) < len(requirements())) == anyio
    python = make_environment(project.parent / "venv", installed)
    write_project(project, anyio=anyio)
    assert re.match("10 passed in", run_pytest(python, project, **exported))


def test_each_mock_of_http_intercepts_the_documented_transports(project: Path) -> None:
    python = make_environment(project.parent / "venv", requirements("pytest-httpx", "vcrpy"))
    [(name, source)] = [(name, source) for name, title, source in BLOCKS if title == ": pip install pytest-httpx"]
    write_project(project, anyio=False)
    (project / name).write_text(source, encoding="utf-8")
    (project / "test_unseen.py").write_text(UNSEEN, encoding="utf-8")
    assert re.match("16 passed in", run_pytest(python, project))
