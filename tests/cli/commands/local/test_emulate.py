from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TextIO

import httpx
import pytest
from blockbuster import BlockBuster
from click.testing import CliRunner

from plivo_record_async import NotFoundError, RecordClient
from plivo_record_async.cli.root import plivo_record
from tests.support.programs.cli_in_process import run_until_sigterm

AUTH_ID, AUTH_TOKEN = "MAABCDEFGHIJKLMNOPQR", "token"
ACCOUNT = ("--port", "0", "--auth-id", AUTH_ID, "--auth-token", AUTH_TOKEN)
COMMAND = (sys.executable, "-m", "plivo_record_async", "emulate")


def without_plivo(**given: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PLIVO_")} | given


@asynccontextmanager
async def emulator(*words: str, **environment: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """A process that is ready, and its address."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=without_plivo(**environment),
    )
    assert process.stdout is not None
    try:
        word, url = (await process.stdout.readline()).decode().split()
        assert word == "ready"
        yield process, url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def told(process: asyncio.subprocess.Process, *, last: str) -> list[str]:
    """What it says on stderr, up to and with the line that ends so."""
    lines: list[str] = []
    assert process.stderr is not None
    while not lines or not lines[-1].endswith(last):
        async with asyncio.timeout(20):
            line = await process.stderr.readline()
        assert line, lines
        lines.append(line.decode().removesuffix("\n"))
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_emulate_reports_when_it_is_ready_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    async with emulator(*ACCOUNT) as (process, url):
        async with RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
            assert (await client.start_recording("standup")).recording_id
        await told(process, last=" 202")
        process.send_signal(number)
        assert await process.communicate() == (b"", b"")
        assert process.returncode == 0


async def test_emulate_listens_on_the_given_address(unused_tcp_port: int) -> None:
    async with emulator("--host", "127.0.0.1", "--port", str(unused_tcp_port)) as (_, url):
        assert url == f"http://127.0.0.1:{unused_tcp_port}"


async def test_strict_emulator_knows_only_opened_conferences() -> None:
    async with emulator(*ACCOUNT, "--strict") as (_, url), RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
        with pytest.raises(NotFoundError):
            await client.start_recording("standup")


async def bash(script: str, **environment: str) -> str:
    """What a script prints that is pasted into a shell."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=without_plivo(**environment)
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


@pytest.mark.skipif(not shutil.which("curl"), reason="the commands that it prints need curl")
@pytest.mark.parametrize("strict", [(), ("--strict",)])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_output_can_be_pasted_into_a_shell(strict: tuple[str, ...], host: str) -> None:
    odd = 'it\'s "a" $token!'.replace(" ", "_")
    words = ("--port", "0", "--host", host, "--auth-id", AUTH_ID, "--auth-token", odd, *strict)
    async with emulator(*words) as (process, url):
        lines = await told(process, last="/end")
        assert lines[0] == f"# The console, a page that shows what happens: {url}/"
        answers = [json.loads(await bash(line)) for line in lines if line.startswith("curl ")]
        assert [answer.get("error") for answer in answers] == [None] * (3 if strict else 2)
        assert answers[-2]["message"] == "conference recording started"
        assert answers[-1]["ended_recordings"] == [answers[-2]["recording_id"]]
        variables = await bash("\n".join([*lines, "env"]))
        assert {f"PLIVO_AUTH_ID={AUTH_ID}", f"PLIVO_AUTH_TOKEN={odd}", f"PLIVO_BASE_URL={url}"} <= set(
            variables.splitlines()
        )


@pytest.mark.skipif(not shutil.which("curl"), reason="the commands that it prints need curl")
async def test_credentials_may_come_from_the_environment_and_the_token_is_not_shown() -> None:
    account = {"PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": "a-real-secret"}
    async with emulator("--port", "0", **account) as (process, url):
        lines = await told(process, last="/end")
        assert f'export PLIVO_AUTH_ID={AUTH_ID} PLIVO_AUTH_TOKEN="$PLIVO_AUTH_TOKEN" PLIVO_BASE_URL={url}' in lines
        assert "a-real-secret" not in "\n".join(lines)
        assert '"conference recording started"' in await bash("\n".join(lines), **account)


async def test_option_overrides_the_environment() -> None:
    async with emulator("--port", "0", "--auth-token", "given", PLIVO_AUTH_TOKEN="other") as (process, _):
        assert any("PLIVO_AUTH_TOKEN=given " in line for line in await told(process, last="/end"))


async def test_each_request_and_each_callback_is_a_line() -> None:
    async with emulator(*ACCOUNT) as (process, url), RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
        await told(process, last="/end")
        await client.start_recording("a b", callback_url="http://127.0.0.1:9/cb?proof=secret#rc=0")
        lines = await told(process, last="connection")
        assert lines == [
            f"POST /v1/Account/{AUTH_ID}/Conference/a%20b/Record/ 202",
            "callback (response) POST http://127.0.0.1:9/cb: 127.0.0.1:9 refused the connection",
        ]


async def test_quiet_emulator_prints_only_its_credentials() -> None:
    async with emulator(*ACCOUNT, "--quiet") as (process, url):
        await told(process, last="/end")
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/nothing")).status_code == 404
        process.terminate()
        assert await process.communicate() == (b"", b"")


@contextmanager
def answering(stderr: int) -> Generator[httpx.Client]:
    """A process whose stderr is not read; it ends when it is told to."""
    with subprocess.Popen([*COMMAND, *ACCOUNT], stdout=subprocess.PIPE, stderr=stderr) as process:
        try:
            assert process.stdout is not None
            with httpx.Client(base_url=process.stdout.readline().decode().split()[1], timeout=20) as client:
                yield client
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_reader_that_does_not_read_delays_nothing() -> None:
    with answering(subprocess.PIPE) as client:
        for _ in range(40):  # more than a pipe holds
            assert client.get("/" + "a" * 4000).status_code == 404


def test_emulator_goes_on_after_its_reader_has_closed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with answering(writing) as client:
        os.close(writing)
        for _ in range(3):
            assert client.get("/nothing").status_code == 404


async def refused(*words: str) -> str:
    """Why it does not even begin."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    return err.decode()


async def test_port_in_use_is_a_configuration_error() -> None:
    async with emulator("--port", "0") as (_, url):
        port = url.rpartition(":")[2]
        said = await refused("--port", port)
    assert said.startswith(f"error: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert said.endswith(". Choose another host or port; port 0 takes any free one\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--host", "192.0.2.1"), "cannot listen on 192.0.2.1 port 8765: Cannot assign requested address"),
        (("--host", "no.such.host.invalid"), "cannot listen on no.such.host.invalid port 8765: "),
        (("--host", "a..b"), "cannot listen on a..b port 8765: "),
        (("--host", ""), "host must not be empty"),
        (("--port", "65536"), "Invalid value for '--port': 65536 is not in the range 0<=x<=65535. Try: "),
        (("--auth-id", "me"), "auth_id must be MA or SA and 18 more of A-Z and 0-9, not 'me'"),
        (("--auth-token", ""), "auth_token must be a text without spaces"),
    ],
)
async def test_unusable_option_is_a_configuration_error(words: tuple[str, ...], message: str) -> None:
    assert (await refused(*words)).startswith(f"error: {message}")


def test_malformed_auth_id_of_the_environment_is_refused() -> None:
    ended = CliRunner().invoke(plivo_record, ["emulate"], env={"PLIVO_AUTH_ID": "me"})
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: auth_id must be")


# In the process of the tests


def test_emulate_runs_until_a_signal(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()
    first: list[str] = []

    def use(lines: TextIO) -> None:
        first.append(lines.readline())
        assert httpx.get(f"{first[0].split()[1]}/__emulator__/state", trust_env=False).status_code == 200

    assert run_until_sigterm("emulate", *ACCOUNT, "--strict", "--quota", "300/5", use=use) == 0
    assert first[0].startswith("ready http://127.0.0.1:")


def test_malformed_quota_is_a_usage_error() -> None:
    ended = CliRunner().invoke(plivo_record, ["emulate", "--quota", "300"], env={"PLIVO_AUTH_ID": None})
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "'300' is not a quota such as 300/5" in ended.stderr


async def test_quota_and_clock_are_given_as_options() -> None:
    async with (
        emulator(*ACCOUNT, "--quota", "1/60", "--clock", "virtual", "--keep", "5", "--seed", "3") as (_, url),
        httpx.AsyncClient(auth=(AUTH_ID, AUTH_TOKEN)) as client,
    ):
        listed = f"{url}/v1/Account/{AUTH_ID}/Conference/"
        assert [(await client.get(listed)).status_code for _ in range(2)] == [200, 429]
        state = (await client.get(f"{url}/__emulator__/state")).json()
        assert (state["quota"]["limit"], state["quota"]["per"], state["clock"]["mode"]) == (1, 60.0, "virtual")


@pytest.mark.parametrize("quota", ["300", "0/5", "300/0", "a/b", "300/5s"])
def test_invalid_quota_is_refused(quota: str) -> None:
    result = CliRunner().invoke(plivo_record, ["emulate", "--quota", quota])
    assert result.exit_code == 2
    assert "is not a quota such as 300/5" in result.output
