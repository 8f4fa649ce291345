"""A transcript from its request to its text, and the promise that a request is executed at most once."""

from __future__ import annotations

import pytest

from plivo_record_async import (
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    RecordClient,
    Transcription,
    TranscriptionEnded,
    UnexpectedResponseError,
    parse_callback,
)
from plivo_record_async.emulator import Dialect, Emulator
from tests.support.servers.callback_server import CallbackServer


def client_of(plivo: Emulator, *, max_retries: int = 2) -> RecordClient:
    return RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, max_retries=max_retries)


async def recorded(plivo: Emulator, client: RecordClient) -> str:
    """Return the ID of a recording that has ended."""
    started = await client.start_recording("standup")
    await client.stop_recording("standup")
    assert started.recording_id is not None
    return started.recording_id


async def test_transcript_is_requested_called_back_and_read() -> None:
    dialect = Dialect(transcription_s=60)
    async with CallbackServer.listening() as receiver, Emulator(dialect=dialect, clock="virtual") as plivo:
        async with client_of(plivo) as client:
            recording_id = await recorded(plivo, client)
            with pytest.raises(NotFoundError) as caught:
                await client.get_transcription(recording_id)
            assert caught.value.missing == "transcription"
            url = f"{receiver.url}/text"
            requested = await client.create_transcription(recording_id, callback_url=url)
            assert requested.message == "transcription in progress"
            pending = await client.get_transcription(recording_id)
            assert (pending.status, pending.transcription) == ("in progress", None)
            assert receiver.received.empty()
            await plivo.advance(60)
            await plivo.callbacks_settled()
            callback = receiver.received.get_nowait()
            event = parse_callback("POST", url, callback.headers, callback.body, auth_tokens=plivo.auth_token)
            assert isinstance(event, TranscriptionEnded)
            assert (event.recording_id, event.transcription) == (recording_id, "This is what was said in standup.")
            assert await client.get_transcription(recording_id) == Transcription(
                recording_id=recording_id,
                transcription="This is what was said in standup.",
                status="success",
                duration_ms=0,
                cost=0.0,
                rate=0.05,
            )
        assert plivo.executed_transcriptions(recording_id) == 1


@pytest.mark.parametrize(
    ("fault", "arguments", "executed"),
    [
        ("reset_before_execution", {}, 0),
        ("reset_after_execution", {}, 1),
        ("stall", {}, 1),
        ("stall", {"executed": False}, 0),
        ("cut", {}, 1),
        ("status", {"status": 503, "executed": True}, 1),
        ("status", {"status": 500, "executed": False}, 0),
    ],
)
async def test_request_for_a_transcript_is_executed_at_most_once(
    fault: str, arguments: dict[str, int], executed: int
) -> None:
    async with Emulator() as plivo, client_of(plivo) as client:
        recording_id = await recorded(plivo, client)
        getattr(plivo.faults.on("transcribe"), fault)(**arguments)
        with pytest.raises((OutcomeUnknownError, UnexpectedResponseError)) as caught:
            await client.create_transcription(recording_id, timeout=0.5 if fault == "stall" else 10)
        assert "Plivo bills both" in str(caught.value)
        assert plivo.executed_transcriptions(recording_id) == executed
        assert [each.operation for each in plivo.requests].count("transcribe") == 1


async def test_rejected_request_for_a_transcript_is_repeated() -> None:
    async with Emulator() as plivo, client_of(plivo) as client:
        recording_id = await recorded(plivo, client)
        plivo.faults.on("transcribe", times=1).status(429, retry_after="0")
        await client.create_transcription(recording_id)
        assert plivo.executed_transcriptions(recording_id) == 1
    async with Emulator() as plivo, client_of(plivo, max_retries=0) as client:
        recording_id = await recorded(plivo, client)
        plivo.faults.on("transcribe").status(429, retry_after="0")
        with pytest.raises(RateLimitError):
            await client.create_transcription(recording_id)
        assert plivo.executed_transcriptions(recording_id) == 0


async def test_reading_of_a_transcript_is_repeated() -> None:
    async with Emulator() as plivo, client_of(plivo) as client:
        recording_id = await recorded(plivo, client)
        await client.create_transcription(recording_id)
        plivo.faults.on("get", times=1).reset_before_execution()
        transcription = await client.get_transcription(recording_id)
        assert transcription.transcription == "This is what was said in standup."


@pytest.mark.parametrize("needs_url", [False, True])
async def test_start_with_a_transcription_type_requests_a_transcript(needs_url: bool) -> None:
    async with Emulator(dialect=Dialect(transcribe_without_url=not needs_url)) as plivo, client_of(plivo) as client:
        started = await client.start_recording("standup", transcription_type="auto")
        await client.stop_recording("standup")
        assert started.recording_id is not None
        if needs_url:
            with pytest.raises(NotFoundError):
                await client.get_transcription(started.recording_id)
        else:
            assert (await client.get_transcription(started.recording_id)).status == "success"
        assert plivo.executed_transcriptions(started.recording_id) == 0
        assert plivo.executed_transcriptions("unknown") == 0
