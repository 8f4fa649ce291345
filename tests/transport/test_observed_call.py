"""Each call writes exactly one log record at the level INFO, and each of its attempts is reported once."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from plivo_record_async import (
    AttemptReport,
    ClosedError,
    DownloadError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RateLimit,
    RecordClient,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.protocol.api.endpoints import start_recording
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.transport.observed_call import outcome_of
from tests.support.clients.routes import ALL_ROUTES, Route, on_routes
from tests.support.samples.error_examples import EXAMPLES
from tests.support.samples.responses import STARTED
from tests.support.telemetry import Recorded

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


def client_that_gets(*answers: httpx.Response | Exception, **options: Any) -> RecordClient:
    """Return a client whose requests get these answers, one after another."""
    left = iter(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        match next(left):
            case httpx.Response() as response:
                return response
            case error:
                raise error

    transport = httpx.MockTransport(answer)
    return RecordClient("MA" + "X" * 18, "t" * 40, base_url="http://h", transport=transport, **options)


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


async def test_each_attempt_is_reported_once() -> None:
    reports: list[AttemptReport] = []
    answers = httpx.ConnectError("refused"), httpx.Response(202, json={"api_id": "a-1", "message": "m"})
    async with client_that_gets(*answers, on_attempt=reports.append) as client:
        await client.start_recording("standup")
    first, second = reports
    assert (first.operation, first.conference_name, first.attempt) == ("start_recording", "standup", 1)
    assert (first.status, first.api_id, first.may_have_been_executed) == (None, None, False)
    assert isinstance(first.error, NotSentError)
    assert (second.attempt, second.status, second.error, second.api_id) == (2, 202, None, "a-1")
    assert second.may_have_been_executed
    assert all(report.seconds >= 0 and report.quota_wait >= 0 for report in reports)


@on_routes(route for route in ALL_ROUTES if route.proxy == "nothing")
async def test_attempts_are_reported_over_every_transport(route: Route, plivo_emulator: Emulator) -> None:
    reports: list[AttemptReport] = []
    account = plivo_emulator.auth_id, plivo_emulator.auth_token
    plivo_emulator.faults.on("start", times=1).status(429, retry_after="0")
    async with RecordClient(
        *account, base_url=plivo_emulator.url, on_attempt=reports.append, **route.options()
    ) as client:
        started = await client.start_recording("standup")
        with pytest.raises(NotSentError):
            await RecordClient(
                *account, base_url="http://127.0.0.1:9", on_attempt=reports.append, max_retries=0, **route.options()
            ).start_recording("standup")
    assert [(report.attempt, report.status, report.may_have_been_executed) for report in reports] == [
        (1, 429, False),
        (2, 202, True),
        (1, None, False),
    ]
    assert reports[1].api_id == started.api_id


@pytest.mark.parametrize(
    ("answer", "executed"),
    [
        (httpx.Response(404), False),
        (httpx.Response(429), False),
        (httpx.Response(308), False),
        (httpx.Response(408), True),
        (httpx.Response(503), True),
        (httpx.ReadError("cut"), True),
    ],
    ids=str,
)
async def test_report_says_whether_the_request_may_have_been_executed(
    answer: httpx.Response | Exception, executed: bool
) -> None:
    reports: list[AttemptReport] = []
    async with client_that_gets(answer, on_attempt=reports.append, max_retries=0) as client:
        with pytest.raises(PlivoRecordError):
            await client.start_recording("standup")
    assert [report.may_have_been_executed for report in reports] == [executed]


async def test_attempt_that_waits_too_long_for_the_quota_is_reported() -> None:
    reports: list[AttemptReport] = []
    answer = httpx.Response(200, json={"api_id": "a", "conferences": []})
    async with client_that_gets(answer, on_attempt=reports.append, rate_limit=RateLimit(1, per=60.0)) as client:
        await client.list_conferences()
        with pytest.raises(NotSentError):
            await client.list_conferences(timeout=0.05)
    error, waited = reports[1].error, reports[1].quota_wait
    assert isinstance(error, NotSentError)
    assert (len(reports), error.phase, reports[1].seconds, reports[1].may_have_been_executed) == (2, "quota", 0, False)
    assert waited == pytest.approx(0.05, abs=0.04)


async def test_attempt_of_a_cancelled_call_is_reported_when_it_ends() -> None:
    reports: list[AttemptReport] = []
    sending, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(_request: httpx.Request) -> httpx.Response:
        sending.set()
        await may_answer.wait()
        return httpx.Response(202, json={"api_id": "a-1"})

    client = RecordClient(
        "MA" + "X" * 18, "t", base_url="http://h", transport=httpx.MockTransport(answer), on_attempt=reports.append
    )
    async with client:
        task = asyncio.create_task(client.start_recording("standup"))
        await sending.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reports == []
        may_answer.set()
    assert [(report.status, report.api_id) for report in reports] == [(202, "a-1")]


@pytest.mark.parametrize("failure", [LookupError("of the user"), asyncio.CancelledError()], ids=repr)
async def test_exception_of_on_attempt_is_logged_and_does_not_change_the_outcome(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_report: AttemptReport) -> None:
        raise failure

    async with client_that_gets(httpx.Response(202, json={"api_id": "a-1"}), on_attempt=fail) as client:
        started = await client.start_recording("standup")
    [record] = [record for record in records_of(caplog) if record.levelname == "ERROR"]
    assert started.api_id == "a-1"
    assert record.getMessage() == "on_attempt failed for attempt 1 of start of 'standup'"
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


async def test_attempts_of_downloads_are_reported(
    plivo_emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "plivo_record_async")
    reports: list[AttemptReport] = []
    account = plivo_emulator.auth_id, plivo_emulator.auth_token
    async with RecordClient(*account, base_url=plivo_emulator.url, on_attempt=reports.append) as client:
        started = await client.start_recording("standup")
        await client.stop_recording("standup")
        assert started.url is not None
        reports.clear()
        plivo_emulator.faults.on("media", times=1).status(503)
        await client.download_recording(started.url, tmp_path)
        failed, succeeded = reports
        with pytest.raises(DownloadError):
            await client.download_recording(f"{started.url}.missing", tmp_path / "x", wait=0)
    assert (failed.operation, failed.attempt, failed.status) == ("download_recording", 1, 503)
    assert isinstance(failed.error, DownloadError)
    assert (succeeded.attempt, succeeded.status, succeeded.error) == (2, 200, None)
    assert (reports[2].status, reports[2].may_have_been_executed) == (404, False)
    texts = [record.getMessage() for record in records_of(caplog) if record.levelname == "DEBUG"]
    assert any(text.startswith("attempt 1 of download of a recorded file ended: DownloadError (") for text in texts)
    assert started.url not in str(texts)


async def test_cancelled_attempt_of_a_download_is_not_reported(plivo_emulator: Emulator, tmp_path: Path) -> None:
    reports: list[AttemptReport] = []
    account = plivo_emulator.auth_id, plivo_emulator.auth_token
    async with RecordClient(*account, base_url=plivo_emulator.url, on_attempt=reports.append) as client:
        started = await client.start_recording("standup")
        await client.stop_recording("standup")
        assert started.url is not None
        reports.clear()
        plivo_emulator.faults.on("media").stall()
        with pytest.raises(DownloadError, match="took longer"):
            await client.download_recording(started.url, tmp_path, timeout=0.2)
    assert reports == []


async def test_attempts_retries_quota_waits_and_connections_are_logged_at_the_level_debug(
    plivo_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "plivo_record_async")
    account = plivo_emulator.auth_id, plivo_emulator.auth_token
    plivo_emulator.faults.on("start", times=1).status(429, retry_after="0.1")
    async with RecordClient(*account, base_url=plivo_emulator.url) as client:
        await client.start_recording("standup")
    records = [record for record in records_of(caplog) if record.levelname == "DEBUG"]
    texts = [re.sub(r"[\d.]+ seconds|\(seconds.*|\('127[^)]*\)", "…", record.getMessage()) for record in records]
    assert texts == [
        "a connection to … was opened",
        "Plivo answered 429, so all calls of the client pause for …",
        "attempt 1 of start of 'standup' ended: status 429 …",
        "start of 'standup' is retried in … after a RateLimitError",
        "start of 'standup' waited … for the quota",
        "attempt 2 of start of 'standup' ended: status 202 …",
    ]
    call = {"operation": "start_recording", "conference_name": "standup", "start_id": None}
    assert [attributes_of(record) | call == attributes_of(record) for record in records] == [
        text.startswith(("attempt", "start")) for text in texts
    ]
    waited = attributes_of(records[4])["quota_wait"]
    assert attributes_of(records[5])["quota_wait"] == waited >= 0.05
    assert attributes_of(records[3])["wait"] == 0


# Spans and metrics


async def test_calls_that_start_or_stop_have_a_span_and_all_calls_are_measured(
    recorded: Recorded, plivo_emulator: Emulator
) -> None:
    async with RecordClient(plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url) as client:
        await client.start_recording("standup")
        await client.stop_recording("standup")
        await client.list_conferences()
    names = [span.name for span in recorded.spans() if span.name.startswith("plivo.")]
    assert names == ["plivo.recording.start", "plivo.recording.stop"]
    assert {"plivo.outcome": "succeeded", "plivo.attempts": 1}.items() <= dict(
        recorded.span("plivo.recording.stop").attributes or {}
    ).items()
    measured = recorded.measurements()
    for metric in ("plivo.client.outcomes", "plivo.client.operation.duration"):
        operations = {(str(attributes["plivo.operation"]), count) for attributes, count in measured[metric]}
        assert operations == {("start_recording", 1), ("stop_recording", 1), ("list_conferences", 1)}


async def test_error_of_a_call_is_in_its_span_and_its_metrics(recorded: Recorded) -> None:
    async with client_that_gets(httpx.Response(404)) as client:
        with pytest.raises(PlivoRecordError):
            await client.start_recording("standup")
    about = {"plivo.outcome": "rejected", "error.type": "NotFoundError"}
    assert about.items() <= dict(recorded.span("plivo.recording.start").attributes or {}).items()
    assert recorded.measurements()["plivo.client.outcomes"] == [({"plivo.operation": "start_recording", **about}, 1)]


async def test_start_of_a_tracker_has_the_span_that_the_tracker_began(recorded: Recorded) -> None:
    request = start_recording(StartRequest("standup"), start_id="start-1")
    async with client_that_gets(httpx.Response(200, json=STARTED)) as client:
        with telemetry().span("plivo.recording.start", {}):
            await client.call(request)
    assert recorded.span("plivo.recording.start").attributes == {"plivo.attempts": 1}
