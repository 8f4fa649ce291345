from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from plivo_record_async import MemoryStore, RecordClient, RecordingTracker
from plivo_record_async.emulator import Emulator
from tests.support.programs.cli_process import json_lines
from tests.support.servers.asgi_server import free_listener, serving, url_of

Command = Callable[..., Awaitable[Result]]


def results(ended: Result) -> dict[str, str]:
    return {row["name"]: row["result"] for row in json_lines(ended.stdout)}


async def test_each_check_is_a_line(command: Command, plivo: Emulator) -> None:
    ended = await command("doctor")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert [line.split()[:2] for line in ended.stdout.splitlines()] == [
        ["ok", name]
        for name in ("versions", "environment", "proxy", "api_dns", "api_connection", "credentials", "clock")
    ]
    assert plivo.auth_token not in ended.stdout


async def test_problem_is_a_failure_and_says_what_to_do(command: Command) -> None:
    ended = await command("doctor", PLIVO_AUTH_TOKEN="wrong-token")
    assert (ended.exit_code, ended.stderr) == (1, "")
    assert "problem   credentials" in ended.stdout
    assert "To do: The auth ID and the auth token do not belong together." in ended.stdout
    assert "wrong-token" not in ended.stdout


async def test_missing_credentials_do_not_prevent_the_other_checks(command: Command, tmp_path: Path) -> None:
    words = ("doctor", "--json", "--public-url", "https://me.example", "--store", str(tmp_path / "missing.db"))
    ended = await command(*words, PLIVO_AUTH_ID=None)
    assert (ended.exit_code, ended.stderr) == (1, "")
    rows = json_lines(ended.stdout)
    assert {row["type"] for row in rows} == {"Check"}
    assert [(row["name"], row["result"]) for row in rows] == [
        ("versions", "ok"),
        ("store", "problem"),
        ("environment", "problem"),
        ("environment", "ok"),
        ("proxy", "ok"),
        ("api_dns", "ok"),
        ("api_connection", "ok"),
        ("callback_url", "warning"),
    ]


async def test_malformed_url_of_the_api_is_a_problem(command: Command) -> None:
    ended = await command("doctor", "--json", PLIVO_BASE_URL="ftp://x")
    assert (ended.exit_code, list(results(ended))) == (1, ["versions", "environment"])


async def test_public_url_is_tested_with_the_tracker_behind_it(command: Command, plivo: Emulator) -> None:
    listener = free_listener()
    url = url_of(listener)
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, public_url=url, store=MemoryStore()) as tracker,
        serving(tracker, listener=listener, lifespan="off"),
    ):
        ended = await command("doctor", "--json", "--public-url", f"{url}/")
    assert ended.exit_code == 0  # the log of the tracker is on stderr, because it runs in the same process
    assert list(results(ended).items())[-3:] == [
        ("callback_host", "ok"),
        ("callback_url", "ok"),
        ("callback_signature", "ok"),
    ]


async def test_public_url_is_tested_with_a_receiver_of_the_command(command: Command) -> None:
    with free_listener() as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    ended = await command("doctor", "--json", "--public-url", f"http://{address}/plivo", "--listen", address)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "callback_arrival" in results(ended)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--public-url", "me.example"], "--public-url must be an http:// or https:// URL"),
        (["--public-url", "https://me.example?x"], "--public-url must be an http:// or https:// URL"),
        (["--listen", "127.0.0.1:0"], "--listen needs --public-url"),
        (["--public-url", "https://me.example", "--listen", "8000"], "must be an address such as"),
        (["--public-url", "https://me.example", "--listen", "127.0.0.1:99999"], "must be an address such as"),
        (["--public-url", "https://me.example", "--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1"),
        (["--timeout", "0"], "Invalid value for '--timeout'"),
    ],
)
async def test_wrong_usage_is_reported_before_anything_is_sent(
    command: Command, plivo: Emulator, words: list[str], reason: str
) -> None:
    ended = await command("doctor", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert reason in ended.stderr
    assert plivo.requests == []
