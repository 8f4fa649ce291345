"""The inferred types are those at run time: the same lines are type-checked and run."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import assert_type

import pytest
import respx

from plivo_record_async import (
    Outcome,
    PendingResponse,
    RecordClient,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)

CALLBACK = "https://me.example/plivo"
API_ID = "2867b6e2-58c3-11e1-86da-adf28403fe48"
FULL = {
    "api_id": API_ID,
    "message": "conference recording started",
    "recording_id": "93bc7c6a-3b2b-11e3",
    "url": "http://s3.amazonaws.com/recordings_2013/93bc7c6a-3b2b-11e3.mp3",
}
PENDING = {"api_id": API_ID, "message": "async api spawned"}


def maybe(url: str, *, given: bool) -> str | None:
    return url if given else None


@pytest.fixture
async def client() -> AsyncIterator[RecordClient]:
    async with RecordClient("MA" + "X" * 18, "token") as client:
        yield client


@respx.mock
async def test_a_start_without_callback_url_is_recording_started(client: RecordClient) -> None:
    respx.post().respond(202, json=FULL)
    for started in (
        assert_type(await client.start_recording("room"), RecordingStarted),
        assert_type(await client.start_recording("room", file_format="wav", timeout=5), RecordingStarted),
        assert_type(await client.start_recording("room", callback_url=None), RecordingStarted),
    ):
        assert type(started) is RecordingStarted
        assert assert_type(started.recording_id, str | None) == FULL["recording_id"]
        assert assert_type(started.api_id, str) == API_ID


@respx.mock
async def test_a_start_with_callback_url_is_pending(client: RecordClient) -> None:
    respx.post().respond(202, json=PENDING)
    for pending in (
        assert_type(await client.start_recording("room", callback_url=CALLBACK), PendingResponse),
        assert_type(
            await client.start_recording("room", callback_url=CALLBACK, callback_method="GET"), PendingResponse
        ),
    ):
        assert type(pending) is PendingResponse
        assert assert_type(pending.api_id, str) == API_ID


@respx.mock
async def test_a_start_with_an_optional_callback_url_is_either(client: RecordClient) -> None:
    respx.post(json={}).respond(202, json=FULL)
    respx.post(json={"callback_url": CALLBACK}).respond(202, json=PENDING)
    for given, expected in ((False, RecordingStarted), (True, PendingResponse)):
        either = await client.start_recording("room", callback_url=maybe(CALLBACK, given=given))
        assert_type(either, RecordingStarted | PendingResponse)
        assert type(either) is expected


@respx.mock
async def test_a_stop_follows_the_same_switch(client: RecordClient) -> None:
    respx.delete(params={"callback_url": CALLBACK}).respond(202, json=PENDING)
    respx.delete().respond(204)
    assert type(assert_type(await client.stop_recording("room"), RecordingStopped)) is RecordingStopped
    pending = assert_type(await client.stop_recording("room", callback_url=CALLBACK), PendingResponse)
    assert type(pending) is PendingResponse
    either = await client.stop_recording("room", callback_url=maybe(CALLBACK, given=False))
    assert_type(either, RecordingStopped | PendingResponse)
    assert type(either) is RecordingStopped


@respx.mock
async def test_outcomes_of_a_batch_keep_the_type_of_their_item(client: RecordClient) -> None:
    respx.post().respond(202, json=FULL)
    respx.delete().respond(204)
    async for outcome in client.start_many(["a"]):
        assert_type(outcome, Outcome[str, RecordingStarted | PendingResponse])
        assert assert_type(outcome.request, str) == "a"
        assert_type(outcome.result, RecordingStarted | PendingResponse | None)
        assert assert_type(outcome.ok, bool)
        assert type(assert_type(outcome.unwrap(), RecordingStarted | PendingResponse)) is RecordingStarted
        assert assert_type(outcome.error, Exception | None) is None
    request = StartRequest("a", file_format="wav")
    async for started in client.start_many([request]):
        assert assert_type(started.request, StartRequest) is request
    async for stopped in client.stop_many([StopRequest("a")]):
        assert_type(stopped, Outcome[StopRequest, RecordingStopped | PendingResponse])
        assert type(stopped.result) is RecordingStopped


async def test_mistakes_are_seen_by_the_checkers_and_at_run_time(client: RecordClient) -> None:
    with pytest.raises(ValueError, match="file_format"):
        await client.start_recording("room", file_format="ogg")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="callback_method"):
        await client.start_recording("room", callback_method="GET")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="conference_name"):
        await client.start_recording(7)  # type: ignore[call-overload]
