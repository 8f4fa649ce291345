"""Each message that docs/howto/troubleshooting.md quotes is one that the package really produces in that situation."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from io import StringIO
from pathlib import Path

import attrs
import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async import (
    PlivoRecordError,
    RateLimit,
    RecordClient,
    RecordingTracker,
    SQLiteStore,
    StoreError,
    parse_callback,
    sign_callback_v3,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores.sqlite.statements import ERROR_HINTS
from tests.support.programs.cli_in_process import run_command
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.sqlite_files import other_connection
from tests.support.tracker.parts import SHORT_INTERVALS, wait_for_state

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "troubleshooting.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def quoted(heading: str) -> list[str]:
    """Return the messages that a section quotes in blocks, each as one line."""
    return [
        " ".join(text.split())
        for text in re.findall(r"^```text\n(.*?)^```$", section(heading), re.DOTALL | re.MULTILINE)
    ]


def in_tables(heading: str) -> list[str]:
    """Return what stands between backticks in the first column of a section's tables."""
    rows = re.findall(r"^\| (`.*?`) \|", section(heading), re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


def matches(quotation: str, message: str) -> bool:
    """Return whether a message is the quoted one, with anything in the places of ``…`` and of names in braces."""
    pattern = ".*".join(map(re.escape, re.split(r"\{\w+\}| ?…", quotation)))
    return re.fullmatch(pattern, message) is not None


def assert_quoted(messages: Sequence[str], quotations: Sequence[str]) -> None:
    """Check that the messages are the quoted ones, in this order."""
    assert len(messages) == len(quotations)
    assert [pair for pair in zip(quotations, messages, strict=True) if not matches(*pair)] == []


async def error_of(call: Awaitable[object]) -> str:
    """Return the class and the text of the error that a call raises."""
    with pytest.raises((PlivoRecordError, RuntimeError)) as caught:
        await call
    return f"{type(caught.value).__name__}: {caught.value}"


@attrs.frozen
class Service:
    """A tracker that is served on a real socket, and the Plivo that calls it."""

    plivo: Emulator
    client: RecordClient
    tracker: RecordingTracker
    path: Path
    url: str


@pytest.fixture
async def service(tmp_path: Path, blockbuster: BlockBuster) -> AsyncIterator[Service]:
    blockbuster.deactivate()  # tests open the file themselves, and run another event loop
    listener = free_listener()
    async with (
        Emulator() as plivo,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, max_retries=0) as client,
    ):
        path = tmp_path / "recordings.db"
        url = url_of(listener)
        tracker = RecordingTracker(
            client, public_url=url, store=SQLiteStore(path, busy_timeout=0.1), tracking=SHORT_INTERVALS
        )
        async with serving(tracker, listener=listener, lifespan="on"):
            yield Service(plivo, client, tracker, path, url)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "plivo_record_async"]


async def test_refused_callbacks_log_the_quoted_records(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    headers = {
        "X-Plivo-Signature-V3": sign_callback_v3("POST", f"{service.url}/recording", {"a": "b"}, "1", "another-token"),
        "X-Plivo-Signature-V3-Nonce": "1",
    }
    async with httpx.AsyncClient() as sender:
        signed = await sender.post(f"{service.url}/recording", data={"a": "b"}, headers=headers)
        unsigned = await sender.post(f"{service.url}/recording")
    assert (signed.status_code, unsigned.status_code) == (403, 403)
    body = b"a=b"
    form = {"content-type": "application/x-www-form-urlencoded"}
    with pytest.raises(PlivoRecordError) as caught:
        parse_callback("POST", "https://me.example/plivo", form | headers, body, auth_tokens="token")
    assert_quoted([*logged(caplog), str(caught.value)], quoted("Every callback is answered with 403"))


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "recording", 403), ("POST", "other", 404), ("GET", "recording", 405)]
)
async def test_request_without_signature_shows_that_the_tracker_is_reached(
    service: Service, caplog: pytest.LogCaptureFixture, method: str, path: str, status: int
) -> None:
    async with httpx.AsyncClient() as sender:
        answer = await sender.request(method, f"{service.url}/{path}")
    assert answer.status_code == status
    assert f"| {status}" in section("Nothing arrives")
    assert logged(caplog)[0].startswith(f"a callback was rejected with {status}")


async def test_locked_database_raises_the_quoted_error(service: Service) -> None:
    await service.tracker.check()
    with other_connection(service.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        found = await error_of(service.tracker.check())
        connection.execute("ROLLBACK")
    assert_quoted([found], quoted("The database is locked"))


def move(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


def replace(path: Path) -> None:
    move(path)
    path.write_bytes(b"another file")


async def test_store_that_cannot_write_names_the_quoted_causes(tmp_path: Path, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the test moves files
    causes = list(ERROR_HINTS.values())
    for change in (move, replace):
        path = tmp_path / f"{change.__name__}.db"
        async with SQLiteStore(path) as store:
            await store.check()
            change(path)
            causes.append(await error_that_comes(store))
    newer = SQLiteStore(tmp_path / "newer.db")
    async with newer:
        await newer.check()
    with other_connection(tmp_path / "newer.db") as connection:
        connection.execute("PRAGMA user_version = 1000")
    async with newer:
        causes.append(await error_of(newer.check()))
    text = "\n".join(causes).replace("`", "")
    assert [quotation for quotation in in_tables("The store cannot write") if quotation not in text] == []


async def error_that_comes(store: SQLiteStore) -> str:
    """Wait until the store notices the problem with its file, which takes at most a second."""
    async with asyncio.timeout(10):
        while True:
            try:
                await store.check()
            except StoreError as error:
                return str(error)
            await asyncio.sleep(0.05)


async def test_unknown_start_raises_the_quoted_error(service: Service) -> None:
    service.plivo.fail_next(503, executed=True)
    assert_quoted([await error_of(service.tracker.start("board"))], quoted("A start is unknown"))


async def test_start_id_that_the_store_does_not_have_raises_the_quoted_error(service: Service) -> None:
    found = await error_of(service.tracker.get("0198f2c5d1a0b7e6c3f4a5968778695a"))
    assert_quoted([found], quoted("The store has no start with this ID"))


async def test_recording_without_callbacks_becomes_unconfirmed(tmp_path: Path) -> None:
    [quotation] = quoted("A recording is unconfirmed")
    with free_listener() as nobody_accepts:
        async with Emulator() as plivo, RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            store = SQLiteStore(tmp_path / "recordings.db")
            public_url = url_of(nobody_accepts)
            async with RecordingTracker(
                client, public_url=public_url, store=store, tracking=SHORT_INTERVALS
            ) as tracker:
                recording = await tracker.start("standup")
                await wait_for_state(store, recording.start_id, "unconfirmed")
                assert matches(quotation, str((await recording.status()).error))


async def test_used_up_quota_raises_the_quoted_errors(service: Service) -> None:
    service.plivo.fail_next(429, retry_after="2")
    refused = await error_of(service.client.start_recording("standup", timeout=1))
    plivo = service.plivo
    async with RecordClient(
        plivo.auth_id, plivo.auth_token, base_url=plivo.url, rate_limit=RateLimit(1, per=60.0)
    ) as client:
        await client.start_recording("standup")
        waited = await error_of(client.start_recording("standup", timeout=0.05))
    assert_quoted([refused, waited], quoted("Plivo answers 429 all the time"))


async def test_use_in_another_event_loop_raises_the_quoted_errors(service: Service) -> None:
    await service.client.start_recording("standup")
    found = [
        await error_of(asyncio.to_thread(asyncio.run, service.client.start_recording("retro"))),
        await error_of(asyncio.to_thread(asyncio.run, service.tracker.get("start-1"))),
    ]
    call = service.client.start_recording("retro")
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(call)
    call.close()
    found.append(f"RuntimeError: {caught.value}")
    quotations = in_tables("An error about an event loop")
    assert [any(matches(quotation, message) for quotation in quotations) for message in found] == [True] * 3


def test_coroutine_that_runs_without_asyncio_raises_the_quoted_error() -> None:
    with pytest.raises(RuntimeError) as caught:
        RecordClient("MAXXXXXXXXXXXXXXXXXX", "token").start_recording("standup").send(None)
    assert f"RuntimeError: {caught.value}" in in_tables("An error about an event loop")


async def test_closed_objects_raise_the_quoted_errors(service: Service) -> None:
    await service.client.aclose()
    calls = [await error_of(service.client.start_recording("standup"))]
    await service.tracker.aclose()
    calls.append(await error_of(service.tracker.start("standup")))
    assert_quoted(calls, quoted("An object is closed"))


async def test_wrong_auth_token_raises_the_quoted_error(plivo_emulator: Emulator) -> None:
    async with RecordClient(plivo_emulator.auth_id, "wrong", base_url=plivo_emulator.url) as client:
        assert_quoted([await error_of(client.start_recording("standup"))], quoted("Every call is rejected with 401"))


async def test_commands_on_the_page_count_and_list_the_recordings(service: Service) -> None:
    service.plivo.fail_next(503, executed=False)
    unknown = await error_of(service.tracker.start("board"))
    commands = re.findall(
        r"^ +plivo-record (status --store recordings\.db .+)$", section("Look at four things first"), re.MULTILINE
    )
    counting, listing = [command.replace("recordings.db", str(service.path)).split() for command in commands]
    assert await asyncio.to_thread(_output, counting) == "unknown      1\n"
    assert (await asyncio.to_thread(_output, listing)).split("start_id=")[1].split()[0] in unknown


def _output(words: list[str]) -> str:
    stdout = StringIO()
    assert run_command(*words, stdout=stdout) == 0
    return stdout.getvalue()


FORK = """
import asyncio, os
from plivo_record_async import RecordClient

async def use(client):
    async with client:
        await client.start_recording("standup")
        if os.fork() == 0:
            try:
                asyncio.run(client.start_recording("retro"))
            except Exception as error:
                print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(0)
        os.wait()

asyncio.run(use(RecordClient()))
"""


async def test_use_after_a_fork_raises_the_quoted_error(service: Service) -> None:
    plivo = service.plivo
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FORK,
        env={
            **os.environ,
            "PLIVO_AUTH_ID": plivo.auth_id,
            "PLIVO_AUTH_TOKEN": plivo.auth_token,
            "PLIVO_BASE_URL": plivo.url,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    quotations = in_tables("An error about an event loop")
    assert any(matches(quotation, printed.decode().strip()) for quotation in quotations)
