"""Both modules of docs/howto/migrating.md do the same work, and the differences that the page names are real."""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from blockbuster import BlockBuster

from plivo_record_async import OutcomeUnknownError, PlivoRecordError, RecordClient, SignatureMismatchError
from plivo_record_async.emulator import Emulator
from tests.support.official_sdk import official_client
from tests.support.servers.asgi_server import free_listener, url_of
from tests.support.servers.callback_server import CallbackServer
from tests.support.untyped_libraries import plivo_exceptions, requests

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "migrating.md").read_text(encoding="utf-8")
ERRORS = re.findall(r"^\| (\d{3}) \| `(\w+)` \| `(\w+)`(?: for a start, otherwise `(\w+)`)? \|$", PAGE, re.MULTILINE)


@attrs.frozen
class Sides:
    """The two modules of the page, with a client for each."""

    before: Any
    sdk: Any
    after: Any
    client: RecordClient


def module_of_page(name: str, folder: Path) -> Any:
    [source] = re.findall(rf"^```py\n(# {name}.py\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = folder / f"{name}.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sdk(plivo_emulator: Emulator) -> Iterator[Any]:
    with official_client(plivo_emulator.url, plivo_emulator.auth_id, plivo_emulator.auth_token) as client:
        yield client


@pytest.fixture
async def sides(plivo_emulator: Emulator, sdk: Any, tmp_path: Path, blockbuster: BlockBuster) -> AsyncIterator[Sides]:
    blockbuster.deactivate()  # the official SDK blocks
    async with RecordClient(
        plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url, max_retries=0
    ) as client:
        yield Sides(module_of_page("before", tmp_path), sdk, module_of_page("after", tmp_path), client)


async def test_both_modules_start_stop_find_and_delete_recordings(sides: Sides, plivo_emulator: Emulator) -> None:
    first = sides.before.start(sides.sdk, "standup")
    sides.before.stop(sides.sdk, "standup")
    second = await sides.after.start(sides.client, "standup")
    await sides.after.stop(sides.client, "standup")
    assert plivo_emulator.executions("standup") == 2
    found = sides.before.recordings_of(sides.sdk, "standup")
    assert set(found) == {first, second}
    assert set(await sides.after.recordings_of(sides.client, "standup")) == set(found)
    assert sides.before.url_of(sides.sdk, first) == await sides.after.url_of(sides.client, first)
    await sides.after.delete(sides.client, first)
    sides.before.delete(sides.sdk, second)
    assert await sides.after.recordings_of(sides.client, "standup") == []


async def test_both_modules_validate_callbacks(sides: Sides, plivo_emulator: Emulator) -> None:
    async with CallbackServer.listening() as receiver:
        await sides.client.start_recording("standup", callback_url=f"{receiver.url}/ended")
        await plivo_emulator.end_conference("standup")
        received = [await asyncio.wait_for(receiver.received.get(), 30) for _ in range(2)]
    [ended] = [callback for callback in received if "record_url" in callback.fields]
    headers = {name.title(): value for name, value in ended.headers.items()}
    url, token = f"{receiver.url}{ended.target}", plivo_emulator.auth_token
    form = dict(parse_qsl(ended.body.decode(), keep_blank_values=True))
    known = sides.before.end_of_recording("POST", url, headers, dict(form), token)
    assert sides.after.end_of_recording("POST", url, headers, ended.body, token) == known == form["record_url"]
    with pytest.raises(PermissionError):
        sides.before.end_of_recording("POST", url, headers, dict(form), "another-token")
    with pytest.raises(SignatureMismatchError):
        sides.after.end_of_recording("POST", url, headers, ended.body, "another-token")


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[0])
async def test_errors_are_those_of_the_table(sides: Sides, plivo_emulator: Emulator, row: Sequence[str]) -> None:
    status, theirs, ours, of_others = row
    plivo_emulator.fail_next(int(status), times=3 if int(status) >= 500 else 1)
    with pytest.raises(plivo_exceptions.PlivoRestError) as raised:
        sides.before.start(sides.sdk, "standup")
    assert type(raised.value).__name__ == theirs
    calls: list[tuple[str, Callable[..., Awaitable[Any]]]] = [
        (ours, sides.after.start),
        (of_others or ours, sides.after.stop),
    ]
    for name, call in calls:
        plivo_emulator.fail_next(int(status), retry_after="0" if status == "429" else None)
        with pytest.raises(PlivoRecordError) as caught:
            await call(sides.client, "standup")
        assert type(caught.value).__name__ == name


def test_table_of_errors_has_every_status() -> None:
    assert [status for status, *_ in ERRORS] == ["400", "401", "403", "404", "405", "409", "422", "429", "500", "503"]


async def test_official_sdk_executes_a_start_three_times_after_server_errors(
    sides: Sides, plivo_emulator: Emulator
) -> None:
    plivo_emulator.fail_next(503, executed=True, times=3)
    with pytest.raises(plivo_exceptions.PlivoRestError):
        sides.before.start(sides.sdk, "theirs")
    plivo_emulator.fail_next(503, executed=True)
    with pytest.raises(OutcomeUnknownError):
        await sides.after.start(sides.client, "ours")
    assert (plivo_emulator.executions("theirs"), plivo_emulator.executions("ours")) == (3, 1)


async def test_official_sdk_does_not_encode_a_slash(sides: Sides, plivo_emulator: Emulator) -> None:
    with pytest.raises(plivo_exceptions.PlivoRestError):
        sides.before.start(sides.sdk, "team/standup")
    await sides.after.start(sides.client, "team/standup")
    assert plivo_emulator.executions("team/standup") == 1


async def test_network_errors_are_those_of_the_table(sides: Sides) -> None:
    rows = dict(re.findall(r"^\| (no [\w ]+) \| (`requests.+`) \|$", PAGE, re.MULTILINE))
    with free_listener() as silent:
        url = url_of(silent)
        found = {"no answer in time": await network_errors(sides, url)}
    found["no connection"] = await network_errors(sides, url)
    assert rows == found


async def network_errors(sides: Sides, url: str) -> str:
    """Return the errors of both modules as the table writes them."""
    auth_id, token = "MAXXXXXXXXXXXXXXXXXX", "token"
    with official_client(url, auth_id, token) as sdk:
        sdk.timeout = 0.2
        with pytest.raises(requests.RequestException) as theirs:
            sides.before.start(sdk, "standup")
    async with RecordClient(auth_id, token, base_url=url, timeout=0.2, max_retries=0) as client:
        with pytest.raises(PlivoRecordError) as ours:
            await sides.after.start(client, "standup")
    return f"`requests.{type(theirs.value).__name__}` | `{type(ours.value).__name__}`"
