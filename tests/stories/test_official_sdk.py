"""The official ``plivo`` package works with the emulator as with Plivo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plivo_record_async import PendingResponse, RecordClient, RecordingStarted, RecordingStopped
from plivo_record_async.emulator import Emulator
from tests.support.official_sdk import official_client
from tests.support.servers.callback_server import CallbackServer, ReceivedCallback
from tests.support.untyped_libraries import plivo, plivo_exceptions, requests

START_KEYS = {"api_id", "message", "recording_id", "url"}


def sdk_for(emulator: Emulator, auth_token: str | None = None) -> Any:
    return official_client(emulator.url, emulator.auth_id, auth_token or emulator.auth_token)


@pytest.fixture
def sdk(plivo_emulator: Emulator) -> Iterator[Any]:
    with sdk_for(plivo_emulator) as client:
        yield client


def facts(answer: Any) -> dict[str, Any]:
    """The fields of an answer, which the SDK turns into attributes."""
    fields: dict[str, Any] = answer.__dict__
    return fields


def believed(received: ReceivedCallback, receiver: CallbackServer, auth_token: str) -> bool:
    """Whether the SDK's own check believes both signatures of a callback."""
    form = received.fields if received.method == "POST" else {}
    nonce = received.headers["x-plivo-signature-v3-nonce"]
    return all(
        plivo.utils.validate_v3_signature(
            received.method, receiver.url + received.target, nonce, auth_token, received.headers[name], dict(form)
        )
        for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
    )


@pytest.mark.parametrize("options", [{}, {"file_format": "mp3"}, {"file_format": "wav"}])
def test_official_sdk_starts_and_stops(sdk: Any, plivo_emulator: Emulator, options: dict[str, str]) -> None:
    started = facts(sdk.conferences.record("My Conf Room", **options))
    assert started.keys() == START_KEYS
    assert started["message"] == "conference recording started"
    assert started["url"].endswith(f"/{started['recording_id']}.{options.get('file_format', 'mp3')}")
    assert plivo_emulator.executions("My Conf Room") == 1
    assert sdk.conferences.record_stop("My Conf Room") is None
    assert plivo_emulator.state()["conferences"]["My Conf Room"]["recording"] is False


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_official_sdk_sends_every_option_and_gets_every_callback(
    sdk: Any, plivo_emulator: Emulator, method: str
) -> None:
    async with CallbackServer.listening() as receiver:
        spawned = await asyncio.to_thread(
            sdk.conferences.record,
            "My Conf Room",
            file_format="wav",
            transcription_type="auto",
            transcription_url=f"{receiver.url}/text?mine=a%26b",
            transcription_method=method,
            callback_url=f"{receiver.url}/ended?mine=1#rc=3&rp=5xx,ct",
            callback_method=method,
        )
        assert facts(spawned) == {"api_id": spawned.api_id, "message": "async api spawned"}
        response = await receiver.received.get()
        stopped = await asyncio.to_thread(
            sdk.conferences.record_stop, "My Conf Room", f"{receiver.url}/stopped", method
        )
        assert facts(stopped) == {"api_id": stopped.api_id, "message": "async api spawned"}
        await plivo_emulator.callbacks_settled()
        others = [receiver.received.get_nowait() for _ in range(3)]
    by_path = {each.target.partition("?")[0]: each for each in others}
    assert by_path.keys() == {"/stopped", "/ended", "/text"}
    for each in (response, *others):
        assert each.method == method
        assert believed(each, receiver, plivo_emulator.auth_token)
        assert not believed(each, receiver, "another-token")
    start = json.loads(response.fields["response"])
    assert start.keys() == START_KEYS
    assert start["api_id"] == spawned.api_id
    assert json.loads(by_path["/stopped"].fields["response"]) == {
        "api_id": stopped.api_id,
        "message": "conference recording stopped",
    }
    ended = by_path["/ended"].fields
    assert (ended["api_id"], ended["recording_id"]) == (spawned.api_id, start["recording_id"])
    assert (ended["record_url"], ended["conference_name"]) == (start["url"], "My Conf Room")
    assert int(ended["recording_end_ms"]) - int(ended["recording_start_ms"]) == int(ended["recording_duration_ms"])
    assert by_path["/text"].fields["recording_id"] == start["recording_id"]
    assert by_path["/text"].fields["transcription"]


async def test_tampered_callback_is_rejected_by_the_official_sdk(sdk: Any, plivo_emulator: Emulator) -> None:
    async with CallbackServer.listening() as receiver:
        await asyncio.to_thread(sdk.conferences.record, "x", callback_url=f"{receiver.url}/cb")
        response = await receiver.received.get()
    tampered = ReceivedCallback(response.method, response.target, response.headers, response.body + b"&more=1")
    assert believed(response, receiver, plivo_emulator.auth_token)
    assert not believed(tampered, receiver, plivo_emulator.auth_token)


def test_official_sdk_lists_returns_and_deletes_recordings(sdk: Any, plivo_emulator: Emulator) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    for number in range(45):
        sdk.conferences.record(f"room {number % 2}", file_format="wav")
    assert len(sdk.recordings.list()) == 0
    sdk.conferences.record_stop("room 0")
    sdk.conferences.record_stop("room 1")
    page = sdk.recordings.list(limit=10, offset=10, conference_name="room 0", add_time__gte=began)
    assert len(page) == 10
    assert (page.meta.total_count, page.meta.limit, page.meta.offset) == (23, 10, 10)
    assert {each.conference_name for each in page} == {"room 0"}
    assert len({each.id for each in sdk.recordings}) == 45
    assert len(sdk.recordings.list(add_time__gt=began + timedelta(minutes=5))) == 0
    shown = sdk.recordings.get(page[0].id)
    assert (shown.recording_url, shown.recording_format) == (page[0].recording_url, "wav")
    assert requests.get(shown.recording_url, timeout=5).content.startswith(b"RIFF")
    assert sdk.recordings.delete(shown.id) is None
    with pytest.raises(plivo_exceptions.ResourceNotFoundError, match="not found"):
        sdk.recordings.get(shown.id)
    with pytest.raises(plivo_exceptions.ResourceNotFoundError, match="not found"):
        shown.delete()


def test_official_sdk_lists_and_returns_conferences(sdk: Any, plivo_emulator: Emulator) -> None:
    sdk.conferences.record("My Conf Room")
    assert facts(sdk.conferences.list())["conferences"] == ["My Conf Room"]
    shown = sdk.conferences.get("My Conf Room")
    assert (shown.conference_name, shown.conference_member_count, len(shown.members)) == ("My Conf Room", "1", 1)
    asyncio.run(plivo_emulator.end_conference("My Conf Room"))
    assert facts(sdk.conferences.list())["conferences"] == []
    with pytest.raises(plivo_exceptions.ResourceNotFoundError, match="not found"):
        sdk.conferences.get("My Conf Room")
    with pytest.raises(plivo_exceptions.ResourceNotFoundError, match="not found"):
        sdk.conferences.record_stop("My Conf Room")


def test_official_sdk_raises_the_refusals_of_the_emulator(sdk: Any, plivo_emulator: Emulator) -> None:
    with pytest.raises(plivo_exceptions.ValidationError, match="file_format parameter is invalid"):
        sdk.conferences.record("x", file_format="ogg")
    with pytest.raises(plivo_exceptions.ResourceNotFoundError, match="not found"):
        sdk.conferences.record("a/b")  # which this SDK does not encode
    stranger = sdk_for(plivo_emulator, "another-token")
    with stranger, pytest.raises(plivo_exceptions.AuthenticationError, match="credentials were not provided"):
        stranger.conferences.record("x")
    assert plivo_emulator.executions("x") == 0


def test_official_sdk_starts_three_times_after_one_failure(
    sdk: Any, plivo_emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    plivo_emulator.fail_next(503, executed=True, times=3)
    with pytest.raises(plivo_exceptions.PlivoRestError):
        sdk.conferences.record("x")
    assert plivo_emulator.executions("x") == 3


async def test_both_clients_see_the_same_facts(sdk: Any, plivo_emulator: Emulator) -> None:
    async with RecordClient(plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url) as ours:
        started = await ours.start_recording("My Conf Room", file_format="wav")
        theirs = facts(await asyncio.to_thread(sdk.conferences.record, "My Conf Room", file_format="wav"))
        assert isinstance(started, RecordingStarted)
        assert started.raw.keys() == theirs.keys()
        assert started.message == theirs["message"]
        assert plivo_emulator.executions("My Conf Room") == 2
        stopped = await ours.stop_recording("My Conf Room")
        assert stopped == RecordingStopped()
        shown = await asyncio.to_thread(sdk.recordings.get, started.recording_id)
        assert shown.recording_url == started.url
        pending = await ours.start_recording("My Conf Room", callback_url="http://127.0.0.1:9/#rc=0")
        assert isinstance(pending, PendingResponse)
        assert pending.api_id
