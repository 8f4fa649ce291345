"""Each call of the client writes exactly one log record, with its outcome as text and as attributes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from plivo_record_async import ClosedError, OutcomeUnknownError, PlivoRecordError, RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.transport.observed_call import outcome_of
from tests.support.samples.error_examples import EXAMPLES

OUTCOMES = {
    "BadRequestError": "rejected",
    "ClosedError": "not_sent",
    "ConfigurationError": "not_sent",
    "DownloadError": "failed",
    "DownloadRefusedError": "failed",
    "NotFoundError": "rejected",
    "NotSentError": "not_sent",
    "OutcomeUnknownError": "unknown",
    "RateLimitError": "rejected",
    "ServerError": "unknown",
    "UnexpectedResponseError": "unknown",
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_error_has_its_outcome(name: str) -> None:
    examples = [error for error, _ in EXAMPLES if type(error).__name__ == name]
    assert {outcome_of(error) for error in examples} == {OUTCOMES[name]}


def test_cancelled_and_other_errors_have_their_outcomes() -> None:
    outcomes = [outcome_of(error) for error in (None, asyncio.CancelledError(), GeneratorExit(), OSError())]
    assert outcomes == ["succeeded", "cancelled", "cancelled", "failed"]


def records_of(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the records of the logger of the client, and forget all records."""
    records = [record for record in caplog.records if record.name == "plivo_record_async"]
    caplog.clear()
    return records


def attributes_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was passed as ``extra``."""
    plain = logging.LogRecord("", 0, "", 0, "", None, None)
    return {name: value for name, value in vars(record).items() if name not in {*vars(plain), "message", "taskName"}}


def client_that_gets(*answers: httpx.Response | Exception) -> RecordClient:
    """Return a client whose requests get these answers, one after another."""
    left = iter(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        match next(left):
            case httpx.Response() as response:
                return response
            case error:
                raise error

    return RecordClient("MA" + "X" * 18, "t" * 40, base_url="http://h", transport=httpx.MockTransport(answer))


async def test_record_of_a_call_contains_its_outcome_as_text_and_as_attributes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "plivo_record_async")
    async with client_that_gets(httpx.ConnectError("refused"), httpx.Response(404, json={"api_id": "a-1"})) as client:
        with pytest.raises(PlivoRecordError):
            await client.start_recording("standup")
    [record] = records_of(caplog)
    attributes = attributes_of(record)
    seconds = attributes.pop("seconds")
    assert (record.levelname, record.getMessage()) == (
        "INFO",
        f"start of 'standup' ended: rejected, NotFoundError (attempts: 2, seconds: {seconds:.3f}, api_id: a-1)",
    )
    assert attributes == {
        "operation": "start_recording",
        "conference_name": "standup",
        "start_id": None,
        "outcome": "rejected",
        "error": "NotFoundError",
        "status": 404,
        "api_id": "a-1",
        "attempts": 2,
        "quota_wait": attributes["quota_wait"],
    }
    assert seconds > 0


async def test_call_on_a_closed_client_and_a_cancelled_call_have_a_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "plivo_record_async")
    client = client_that_gets()
    task = asyncio.create_task(client.stop_recording("standup"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    with pytest.raises(ClosedError):
        await client.list_conferences()
    cancelled, closed = (attributes_of(record) for record in records_of(caplog))
    assert (cancelled["operation"], cancelled["outcome"]) == ("stop_recording", "cancelled")
    assert (closed["operation"], closed["outcome"], closed["error"]) == ("list_conferences", "not_sent", "ClosedError")


async def test_nothing_is_logged_at_the_level_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "plivo_record_async")
    async with client_that_gets(httpx.Response(503)) as client:
        with pytest.raises(OutcomeUnknownError):
            await client.start_recording("standup")
    assert records_of(caplog) == []


CALLS: dict[str, Callable[[RecordClient, str], Coroutine[None, None, Any]]] = {
    "start_recording": lambda client, _: client.start_recording("standup"),
    "stop_recording": lambda client, _: client.stop_recording("standup"),
    "get_recording": lambda client, recording_id: client.get_recording(recording_id),
    "create_transcription": lambda client, recording_id: client.create_transcription(recording_id),
    "get_transcription": lambda client, recording_id: client.get_transcription(recording_id),
    "delete_recording": lambda client, recording_id: client.delete_recording(recording_id),
    "get_conference": lambda client, _: client.get_conference("standup"),
    "list_conferences": lambda client, _: client.list_conferences(),
}
NAME_A_CONFERENCE = {"start_recording", "stop_recording", "get_conference"}


async def test_each_method_writes_exactly_one_record_with_its_name(
    plivo_emulator: Emulator, plivo_client: RecordClient, caplog: pytest.LogCaptureFixture
) -> None:
    await plivo_emulator.open_conference("standup")
    started = await plivo_client.start_recording("standup")
    assert started.recording_id is not None
    caplog.set_level(logging.INFO, "plivo_record_async")
    for operation, call in CALLS.items():
        await call(plivo_client, started.recording_id)
        [record] = records_of(caplog)
        attributes = attributes_of(record)
        assert (attributes["operation"], attributes["outcome"]) == (operation, "succeeded")
        assert attributes["conference_name"] == ("standup" if operation in NAME_A_CONFERENCE else None)


async def test_downloads_streams_and_pages_of_a_list_have_one_record_each(
    plivo_client: RecordClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = await plivo_client.start_recording("standup")
    assert started.url is not None
    await plivo_client.stop_recording("standup")
    caplog.set_level(logging.INFO, "plivo_record_async")
    [recording] = [each async for each in plivo_client.list_recordings(conference_name="standup")]
    await plivo_client.download_recording(recording, tmp_path)
    async with plivo_client.stream_recording(started.url) as chunks:
        async for _ in chunks:
            pass
    records = records_of(caplog)
    assert [(attributes_of(record)["operation"], record.getMessage().partition(" (")[0]) for record in records] == [
        ("list_recordings", "listing of recordings ended: succeeded"),
        ("download_recording", f"download of recording {recording.recording_id!r} ended: succeeded"),
        ("stream_recording", "download of a recorded file ended: succeeded"),
    ]
    assert [attributes_of(record)["attempts"] for record in records] == [1, 1, 1]
    assert all(started.url not in str(vars(record)) for record in records)
