"""A start is stored first and sent once, and its outcome is stored, despite cancellation and failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

import attrs
import httpx
import pytest

from plivo_record_async import (
    ApiError,
    CallbackPolicy,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    StartRequest,
    StoreError,
    UnexpectedResponseError,
    _clock,
)
from plivo_record_async.protocol.callbacks.url_tokens import CALLBACK_PATHS, read_start_id
from plivo_record_async.protocol.models import RecordingState
from tests.support.samples.recordings import CONFIRMED, ENDED
from tests.support.telemetry import Recorded, linked_ids, span_id
from tests.support.tracker.parts import PUBLIC_URL, TrackerParts, other_tasks, tracker_parts, wait_for_state
from tests.support.tracker.scripted_plivo import AUTH_ID, TOKEN, Answer, ScriptedPlivo, accepted_response

REQUEST = StartRequest("standup")
REJECTED = httpx.Response(404, json={"api_id": "api-1", "error": "not found"})
SENSELESS = httpx.Response(202, text="<html>")
UNREACHABLE = httpx.ConnectError("refused")
SILENT = httpx.ReadTimeout("no answer")


def waiting(
    go: asyncio.Event, then: Answer | None = None
) -> tuple[asyncio.Event, Callable[[httpx.Request], Awaitable[httpx.Response]]]:
    """Return an event that is set when the request arrives, and a response that is sent when ``go`` is set."""
    arrived = asyncio.Event()
    then = then or accepted_response("api-1")

    async def answer(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await go.wait()
        if isinstance(then, Exception):
            raise then
        assert isinstance(then, httpx.Response)
        return then

    return arrived, answer


async def only_record(its: TrackerParts, *states: RecordingState) -> str:
    """Wait until the only record is in one of the states; return its start ID."""
    [start_id] = its.store.start_ids
    return (await wait_for_state(its.store, start_id, *states)).start_id


# What is sent


async def test_stored_request_is_sent_byte_for_byte() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        request = StartRequest("standup", file_format="wav", transcription_type="auto", transcription_method="GET")
        record = await its.starter.start(request, transcribe=True)
    [sent] = plivo.starts
    assert sent == {
        "file_format": "wav",
        "transcription_type": "auto",
        "transcription_method": "GET",
        "callback_url": record.request.callback_url,
        "transcription_url": record.request.transcription_url,
    }
    for path in CALLBACK_PATHS:
        url: str = sent["callback_url" if path == "recording" else "transcription_url"]
        assert url.startswith(f"{PUBLIC_URL}/{path}?")
        assert url.endswith("#rc=5&rp=ct,rt,5xx&tt=55000")
        assert url == CallbackPolicy().apply(url)
        assert read_start_id(path, urlsplit(url).query, [TOKEN]) == record.start_id


async def test_transcript_is_requested_only_on_demand() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        await its.starter.start(REQUEST)
    assert plivo.starts[0].keys() == {"callback_url"}


async def test_start_is_stored_as_sending_before_it_is_sent() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:

        async def answer(_: httpx.Request) -> httpx.Response:
            await only_record(its, "sending")
            return accepted_response()

        plivo.answers.append(answer)
        record = await its.starter.start(REQUEST, dedupe_key="monday")
        assert [step.kind for step in record.history] == ["planned", "sending_began", "accepted"]
        assert record.dedupe_key == "monday"


# How it ends


async def test_start_returns_when_plivo_has_accepted_it() -> None:
    async with tracker_parts(ScriptedPlivo(accepted_response("api-1"))) as its:
        record = await its.starter.start(REQUEST)
        assert (record.state, record.api_id) == ("accepted", "api-1")
        assert await its.store.get(record.start_id) == record


async def test_unreadable_success_counts_as_accepted() -> None:
    async with tracker_parts(ScriptedPlivo(SENSELESS)) as its:
        record = await its.starter.start(REQUEST)
        assert (record.state, record.api_id) == ("accepted", None)


async def test_ids_of_an_unreadable_success_are_kept() -> None:
    cut_off = httpx.Response(202, text='{"api_id": "a-1", "recording_id": "rec-1", "mess')
    async with tracker_parts(ScriptedPlivo(cut_off)) as its:
        record = await its.starter.start(REQUEST)
        assert (record.state, record.api_id, record.recording_id) == ("accepted", "a-1", "rec-1")


async def test_clock_readings_of_each_sending_are_kept() -> None:
    plivo = ScriptedPlivo(UNREACHABLE)
    plivo.ahead = timedelta(hours=1)
    async with tracker_parts(plivo) as its:
        before = _clock.read().steady
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="key", timeout=7)
        first = (await its.ledger.get(await only_record(its, "not_sent"))).sending
        assert first is not None
        assert before <= first.steady <= _clock.read().steady
        assert first.ahead is None
        assert 6 < first.within <= 7
        for _ in range(2):
            await its.starter.start(REQUEST)
        again = (await its.starter.start(REQUEST, dedupe_key="key", timeout=70)).sending
        assert again is not None
        assert first.steady < again.steady
        assert again.ahead == pytest.approx(3_600, abs=2)
        assert 69 < again.within <= 70


@pytest.mark.parametrize(
    ("answer", "error", "state"),
    [
        (REJECTED, NotFoundError, "rejected"),
        (UNREACHABLE, NotSentError, "not_sent"),
        (SILENT, OutcomeUnknownError, "unknown"),
        (httpx.Response(503, text=""), OutcomeUnknownError, "unknown"),
        (httpx.Response(408, text=""), OutcomeUnknownError, "unknown"),
        (httpx.Response(200, json={"api_id": "a-1", "error": "no"}), UnexpectedResponseError, "unknown"),
        (httpx.Response(307, headers={"location": "https://elsewhere.example/"}), ApiError, "rejected"),
    ],
)
async def test_each_error_of_a_start_is_stored_and_raised(
    answer: Answer, error: type[Exception], state: RecordingState
) -> None:
    plivo = ScriptedPlivo(answer)
    async with tracker_parts(plivo) as its:
        with pytest.raises(error) as raised:
            await its.starter.start(REQUEST)
        start_id = await only_record(its, state)
        assert len(plivo.starts) == 1
        if isinstance(raised.value, OutcomeUnknownError | UnexpectedResponseError):
            assert raised.value.start_id == start_id


async def test_callback_may_arrive_before_the_response() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:

        async def answer(_: httpx.Request) -> httpx.Response:
            record = await its.ledger.get(await only_record(its, "sending"))
            await its.follower.apply(record, ENDED)
            await its.follower.apply(record, CONFIRMED)
            return accepted_response("api-1")

        plivo.answers.append(answer)
        record = await its.starter.start(REQUEST)
        assert (record.state, record.ended, record.async_response) == ("recorded", ENDED, CONFIRMED)
        assert record.start_response is not None


@pytest.mark.parametrize(
    ("wrong", "options"),
    [
        (ValueError, {"timeout": -1}),
        (TypeError, {"timeout": "soon"}),
        (ValueError, {"dedupe_key": ""}),
        (ValueError, {"dedupe_key": "\ud800"}),
        (TypeError, {"dedupe_key": 5}),
    ],
)
async def test_invalid_start_is_neither_stored_nor_sent(wrong: type[Exception], options: dict[str, object]) -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        with pytest.raises(wrong):
            await its.starter.start(**{"request": REQUEST, **options})  # type: ignore[arg-type]
        assert its.store.calls == []
    assert plivo.requests == []


# The same start twice


async def test_same_dedupe_key_returns_the_same_start() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        first = await its.starter.start(REQUEST, dedupe_key="monday")
        assert await its.starter.start(StartRequest("another"), dedupe_key="monday") == first
        assert await its.starter.start(REQUEST, dedupe_key="tuesday") != first
        assert await its.starter.start(REQUEST) != await its.starter.start(REQUEST)
    assert len(plivo.starts) == 4


async def test_one_of_many_concurrent_starts_with_one_dedupe_key_is_sent() -> None:
    go = asyncio.Event()
    plivo = ScriptedPlivo(waiting(go)[1])
    async with tracker_parts(plivo) as its:
        tasks = [asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday")) for _ in range(20)]
        done, _ = await asyncio.wait(tasks, timeout=0.1)
        assert {task.result().state for task in done} == {"sending"}
        assert len(done) == 19
        go.set()
        records = await asyncio.gather(*tasks)
        assert len({record.start_id for record in records}) == 1
    assert len(plivo.starts) == 1


@pytest.mark.parametrize("answer", [REJECTED, SILENT])
async def test_start_that_was_sent_is_never_sent_again(answer: Answer) -> None:
    plivo = ScriptedPlivo(answer)
    async with tracker_parts(plivo) as its:
        with pytest.raises((ApiError, OutcomeUnknownError)):
            await its.starter.start(REQUEST, dedupe_key="monday")
        again = await its.starter.start(REQUEST, dedupe_key="monday")
        assert again.state in {"rejected", "unknown"}
    assert len(plivo.starts) == 1


async def test_start_that_was_not_sent_is_sent_again_with_its_own_id() -> None:
    plivo = ScriptedPlivo(UNREACHABLE)
    async with tracker_parts(plivo) as its:
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="monday")
        start_id = await only_record(its, "not_sent")
        record = await its.starter.start(StartRequest("another"), dedupe_key="monday")
        assert (record.start_id, record.state, record.conference_name) == (start_id, "accepted", "standup")
        assert [start["callback_url"] for start in plivo.starts] == [record.request.callback_url] * 2


async def test_one_of_many_concurrent_repetitions_is_sent() -> None:
    plivo = ScriptedPlivo(UNREACHABLE)
    async with tracker_parts(plivo) as its:
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="monday")
        hold = its.store.hold("replace")  # so that all have seen it as not sent
        tasks = [asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday")) for _ in range(20)]
        await its.store.called("replace", times=1 + len(tasks))
        hold.set()
        records = await asyncio.gather(*tasks)
        assert {record.state for record in records} <= {"sending", "accepted"}
        assert len({record.start_id for record in records}) == 1
    assert len(plivo.starts) == 2


async def test_start_may_fail_to_be_sent_twice() -> None:
    plivo = ScriptedPlivo(UNREACHABLE, UNREACHABLE)
    async with tracker_parts(plivo) as its:
        for _ in range(2):
            with pytest.raises(NotSentError):
                await its.starter.start(REQUEST, dedupe_key="monday")
            await only_record(its, "not_sent")
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == "accepted"


# Who goes away


async def test_start_cancelled_while_queued_is_not_sent() -> None:
    go = asyncio.Event()
    arrived, answer = waiting(go)
    plivo = ScriptedPlivo(answer)
    async with tracker_parts(plivo, max_connections=1) as its:
        first = asyncio.create_task(its.starter.start(REQUEST))
        await arrived.wait()
        second = asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday"))
        await its.store.called("created", times=2)
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        record = await wait_for_state(its.store, its.store.start_ids[1], "not_sent")
        assert record.error == "the caller was cancelled before anything was sent"
        go.set()
        assert (await first).state == "accepted"
        assert len(plivo.starts) == 1
        again = await its.starter.start(REQUEST, dedupe_key="monday")
        assert (again.start_id, again.state) == (record.start_id, "accepted")


@pytest.mark.parametrize(
    ("answer", "state"),
    [(accepted_response("api-1"), "accepted"), (REJECTED, "rejected"), (SENSELESS, "accepted"), (SILENT, "unknown")],
)
async def test_outcome_of_a_start_cancelled_while_being_sent_is_stored(answer: Answer, state: RecordingState) -> None:
    go = asyncio.Event()
    arrived, answering = waiting(go, answer)
    plivo = ScriptedPlivo(answering)
    async with tracker_parts(plivo) as its:
        task = asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await only_record(its, "sending")
        go.set()
        await only_record(its, state)
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == state
    assert len(plivo.starts) == 1
    assert other_tasks() == set()


@pytest.mark.parametrize("verb", ["replace", "replaced"])
async def test_outcome_of_a_start_cancelled_while_storing_it_is_stored(verb: str) -> None:
    async with tracker_parts(ScriptedPlivo(accepted_response("api-1"))) as its:
        hold = its.store.hold(verb)
        task = asyncio.create_task(its.starter.start(REQUEST))
        await its.store.called(verb)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        hold.set()
        await only_record(its, "accepted")


async def go_away_while(its: TrackerParts, verb: str) -> None:
    """Start a recording, cancel the call while the store writes it, and wait until everything has ended."""
    its.store.calls.clear()
    hold = its.store.hold(verb)
    task = asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday"))
    await its.store.called(verb)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hold.set()
    while other_tasks():
        await asyncio.wait(other_tasks())


@pytest.mark.parametrize("verb", ["replace", "replaced"])
async def test_start_cancelled_before_its_repetition_is_not_sent(verb: str) -> None:
    plivo = ScriptedPlivo(UNREACHABLE)
    async with tracker_parts(plivo) as its:
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="monday")
        await go_away_while(its, verb)
        await only_record(its, "not_sent")
        assert len(plivo.starts) == 1
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == "accepted"


async def test_cancelled_start_of_unknown_outcome_is_not_sent_again() -> None:
    go = asyncio.Event()
    arrived, refusing = waiting(go, REJECTED)
    plivo = ScriptedPlivo(httpx.Response(503, json={"error": "executed, and then out of order"}), refusing)
    async with tracker_parts(plivo, max_retries=1, retry_503_starts=True) as its:
        task = asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await only_record(its, "unknown")
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == "unknown"
    assert len(plivo.starts) == 2


async def test_start_that_the_store_stores_too_late_is_not_sent() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        hold = its.store.hold("created")
        task = asyncio.create_task(its.starter.start(REQUEST, dedupe_key="monday", timeout=0.01))
        await its.store.called("created")
        deadline = asyncio.get_running_loop().time() + 0.01  # the start's own is not later
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0)
        hold.set()
        with pytest.raises(NotSentError, match="the deadline passed before the store had written the start"):
            await task
        await only_record(its, "not_sent")
        assert plivo.starts == []
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == "accepted"


@pytest.mark.parametrize(("verb", "kept"), [("create", False), ("created", True)])
async def test_start_cancelled_while_being_stored_is_not_sent(verb: str, kept: bool) -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        await go_away_while(its, verb)
        assert [(await its.ledger.get(start_id)).state for start_id in its.store.start_ids] == ["not_sent"] * kept
        assert plivo.starts == []
        assert (await its.starter.start(REQUEST, dedupe_key="monday")).state == "accepted"


# What fails


async def test_start_that_cannot_be_stored_is_not_sent() -> None:
    plivo = ScriptedPlivo()
    async with tracker_parts(plivo) as its:
        its.store.broken = {"create"}
        with pytest.raises(
            StoreError,
            match=r"^start of 'standup': the store could not write the start, so nothing was sent: .*the disk is full",
        ):
            await its.starter.start(REQUEST)
    assert plivo.requests == []


async def test_repetition_that_cannot_be_stored_is_not_sent() -> None:
    plivo = ScriptedPlivo(UNREACHABLE)
    async with tracker_parts(plivo) as its:
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="monday")
        its.store.broken = {"replace"}
        with pytest.raises(
            StoreError,
            match=r"^start of 'standup': the store could not write the start, so nothing was sent: .*the disk is full",
        ):
            await its.starter.start(REQUEST, dedupe_key="monday")
    assert len(plivo.starts) == 1


@pytest.mark.parametrize(
    ("answer", "error", "state"),
    [
        (accepted_response("api-1"), None, "accepted"),
        (REJECTED, NotFoundError, "rejected"),
        (UNREACHABLE, NotSentError, "not_sent"),
        (SILENT, OutcomeUnknownError, "unknown"),
    ],
)
@pytest.mark.parametrize("verb", ["replace", "replaced"])
async def test_outcome_is_returned_although_the_store_fails_and_is_stored_later(
    verb: str, answer: Answer, error: type[Exception] | None, state: RecordingState
) -> None:
    async with tracker_parts(ScriptedPlivo(answer)) as its:
        its.store.broken = {verb}
        if error is None:
            assert (await its.starter.start(REQUEST)).state == "sending"
        else:
            with pytest.raises(error):
                await its.starter.start(REQUEST)
        await its.store.called(verb, times=2)
        its.store.broken = set()
        await only_record(its, state)


async def test_start_that_is_forgotten_while_it_is_sent_is_returned_but_not_stored() -> None:
    go = asyncio.Event()
    arrived, answer = waiting(go)
    async with tracker_parts(ScriptedPlivo(answer)) as its:
        task = asyncio.create_task(its.starter.start(REQUEST))
        await arrived.wait()
        [start_id] = its.store.start_ids
        assert await its.store.forget(start_id, now=_clock.now())
        go.set()
        assert (await task).start_id == start_id
        assert await its.store.get(start_id) is None


async def test_outcome_that_arrives_after_closing_is_returned_to_the_caller() -> None:
    go = asyncio.Event()
    arrived, answer = waiting(go)
    async with tracker_parts(ScriptedPlivo(answer)) as its:
        task = asyncio.create_task(its.starter.start(REQUEST))
        await arrived.wait()
        await its.follower.aclose(grace=0)
        go.set()
        assert (await task).state == "sending"
        while other_tasks():
            await asyncio.wait(other_tasks())


# Without a public URL


@pytest.mark.parametrize(
    ("transcribe", "given", "sent"),
    [(False, None, None), (True, None, "auto"), (True, "hybrid", "hybrid"), (False, "auto", None)],
)
async def test_start_of_a_polling_tracker_is_sent_without_urls(
    transcribe: bool, given: str | None, sent: str | None
) -> None:
    response = {
        "api_id": "api-1",
        "message": "conference recording started",
        "recording_id": "rec-1",
        "url": "https://f",
    }
    plivo = ScriptedPlivo(httpx.Response(202, json=response))
    async with tracker_parts(plivo) as its:
        starter = attrs.evolve(its.starter, public_url=None)
        record = await starter.start(StartRequest("standup", transcription_type=given), transcribe=transcribe)
    assert plivo.starts == [{} if sent is None else {"transcription_type": sent}]
    assert (record.state, record.recording_id, record.record_url) == ("started", "rec-1", "https://f")
    assert (record.auth_id, record.expects_transcript) == (AUTH_ID, transcribe)
    assert record.is_polled


async def test_pending_response_to_a_start_without_a_callback_url_is_only_an_acceptance() -> None:
    async with tracker_parts(ScriptedPlivo(accepted_response())) as its:
        record = await attrs.evolve(its.starter, public_url=None).start(StartRequest("standup"))
    assert record.state == "accepted"


# Spans


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (accepted_response("api-1"), "succeeded", None),
        (SENSELESS, "succeeded", None),
        (REJECTED, "rejected", "NotFoundError"),
        (UNREACHABLE, "not_sent", "NotSentError"),
        (SILENT, "unknown", "OutcomeUnknownError"),
    ],
    ids=["accepted", "unreadable", "rejected", "not sent", "unknown"],
)
async def test_span_of_a_start_has_its_outcome(
    recorded: Recorded, answer: Answer, outcome: str, error: str | None
) -> None:
    async with tracker_parts(ScriptedPlivo(answer)) as its:
        with suppress(PlivoRecordError):
            await its.starter.start(REQUEST)
        record = await its.ledger.get(its.store.start_ids[0])
    span = recorded.span("plivo.recording.start")
    attributes = dict(span.attributes or {})
    assert (attributes["plivo.outcome"], attributes.get("error.type")) == (outcome, error)
    assert record.traceparent is not None
    assert f"{span_id(span):016x}" in record.traceparent


async def test_start_that_was_made_before_is_linked_to_the_first_one(recorded: Recorded) -> None:
    async with tracker_parts(ScriptedPlivo()) as its:
        await its.starter.start(REQUEST, dedupe_key="monday")
        await its.starter.start(REQUEST, dedupe_key="monday")
    first, second = recorded.spans("plivo.recording.start")
    assert linked_ids(second) == [span_id(first)]
    start_id = (first.attributes or {})["plivo.start_id"]
    assert second.attributes == {"plivo.start_id": start_id, "plivo.attempts": 0}


async def test_callbacks_of_a_start_that_is_sent_again_are_linked_to_its_last_span(recorded: Recorded) -> None:
    async with tracker_parts(ScriptedPlivo(UNREACHABLE)) as its:
        with pytest.raises(NotSentError):
            await its.starter.start(REQUEST, dedupe_key="monday")
        record = await its.starter.start(REQUEST, dedupe_key="monday")
    _, second = recorded.spans("plivo.recording.start")
    assert record.traceparent is not None
    assert f"{span_id(second):016x}" in record.traceparent


async def test_span_of_a_cancelled_start_ends_when_the_tracker_is_closed(recorded: Recorded) -> None:
    go = asyncio.Event()
    arrived, answer = waiting(go)
    async with tracker_parts(ScriptedPlivo(answer)) as its:
        starting = asyncio.create_task(its.starter.start(REQUEST))
        await arrived.wait()
        starting.cancel()
        await asyncio.wait([starting])
        await its.follower.aclose(grace=0)
        go.set()
    attributes = dict(recorded.span("plivo.recording.start").attributes or {})
    assert (attributes["plivo.outcome"], attributes["error.type"]) == ("unknown", "CancelledError")
