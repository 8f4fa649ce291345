"""Spans and metrics of whole stories: from a start to its handler, in one process and in two."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from blockbuster import BlockBuster
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from plivo_record_async import (
    CallbackPolicy,
    MemoryStore,
    NotFoundError,
    OutcomeUnknownError,
    RecordClient,
    RecordingEnded,
    RecordingTracker,
    TranscriptionEnded,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.protocol.models import RecordingState
from tests.support.servers.asgi_server import free_listener, reserved_port, serving, url_of
from tests.support.servers.otlp_receiver import otlp_receiver
from tests.support.servers.postgres_server import PostgresServer
from tests.support.telemetry import Recorded, linked_ids, span_id
from tests.support.tracker.parts import PUBLIC_URL, SHORT_INTERVALS, wait_for_state
from tests.support.tracker.scripted_plivo import ScriptedPlivo, accepted_response, gated_transport

PROGRAM = Path(__file__).parents[1] / "support" / "programs" / "traced_program.py"

DEAD = "http://127.0.0.1:9/plivo"
"""A public URL at which no server listens, so that no callback arrives."""


def account(plivo: Emulator, **options: Any) -> RecordClient:
    return RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, **options)


@asynccontextmanager
async def tracking(
    plivo: Emulator, *, public_url: str | None = None, store: MemoryStore | None = None
) -> AsyncGenerator[RecordingTracker]:
    """Serve a tracker that receives the callbacks of an emulator, unless its public URL is another one."""
    with free_listener() as listener:
        async with account(plivo, max_retries=0) as client:
            tracker = RecordingTracker(
                client,
                public_url=public_url or f"{url_of(listener)}/plivo",
                store=store,
                policy=CallbackPolicy(retries=0),
                tracking=SHORT_INTERVALS,
            )
            async with serving(tracker, listener=listener):
                yield tracker


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def children_of(parent: ReadableSpan, spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return [span for span in spans if span.parent is not None and span.parent.span_id == span_id(parent)]


def results_of(callbacks: list[ReadableSpan]) -> list[tuple[Any, Any]]:
    return [(found["plivo.event"], found["plivo.callback.result"]) for found in map(attributes_of, callbacks)]


async def test_trace_leads_from_a_start_to_its_handlers(recorded: Recorded, plivo_emulator: Emulator) -> None:
    async with tracking(plivo_emulator) as tracker:

        @tracker.on(RecordingEnded)
        async def archive(_: RecordingEnded) -> None: ...

        @tracker.on(TranscriptionEnded)
        async def fail(_: TranscriptionEnded) -> None:
            raise ValueError("secret")

        recording = await tracker.start("standup", transcribe=True)
        await plivo_emulator.callbacks_settled()
        await recording.stop()
        await recording.transcribed(timeout=10)
        await plivo_emulator.callbacks_settled()
    spans = recorded.spans()
    start = recorded.span("plivo.recording.start")
    (real,) = plivo_emulator.state()["recordings"]
    assert start.parent is None
    assert attributes_of(start) == {
        "plivo.start_id": recording.start_id,
        "plivo.outcome": "succeeded",
        "plivo.api_id": real["api_id"],
        "plivo.attempts": 1,
    }
    (attempt,) = children_of(start, spans)
    assert (attempt.name, attempt.kind, attributes_of(attempt)["http.response.status_code"]) == (
        "POST",
        SpanKind.CLIENT,
        202,
    )
    callbacks = recorded.spans("plivo.callback.process")
    assert sorted(results_of(callbacks)) == [
        ("ApiResponse", "stored"),
        ("RecordingEnded", "stored"),
        ("TranscriptionEnded", "stored"),
    ]
    assert all(linked_ids(callback) == [span_id(start)] for callback in callbacks)
    handled = {attributes_of(span)["plivo.event"]: span for span in recorded.spans("plivo.recording.handle")}
    for callback in callbacks:
        event = attributes_of(callback)["plivo.event"]
        assert children_of(callback, spans) == ([handled[event]] if event in handled else [])
    assert all(linked_ids(handler) == [span_id(start)] for handler in handled.values())
    assert handled["RecordingEnded"].status.status_code is StatusCode.UNSET
    assert attributes_of(handled["TranscriptionEnded"])["error.type"] == "ValueError"
    assert attributes_of(handled["TranscriptionEnded"])["code.function.name"].endswith("fail")
    stop = recorded.span("plivo.recording.stop")
    assert [span.name for span in children_of(stop, spans)] == ["DELETE"]
    assert "secret" not in "".join(span.to_json() for span in spans)
    assert not any(word in span.to_json() for span in spans for word in ("standup", "127.0.0.1:", "what was said"))


class CountedStore(MemoryStore):
    """A store that says when its recordings were counted."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = asyncio.Event()

    async def counts(self) -> Mapping[RecordingState, int]:
        try:
            return await super().counts()
        finally:
            self.counted.set()


async def test_metrics_of_a_story(recorded: Recorded, plivo_emulator: Emulator) -> None:
    store = CountedStore()
    async with tracking(plivo_emulator, store=store) as tracker:
        recording = await tracker.start("standup")
        await plivo_emulator.callbacks_settled()
        store.counted.clear()
        recorded.measurements()  # a reader gets the numbers that its last reading has requested
        await asyncio.wait_for(store.counted.wait(), 10)
        assert ({"plivo.recording.state": "started"}, 1) in recorded.measurements()["plivo.recording.active"]
        await recording.stop()
        await recording.recorded(timeout=10)
        await plivo_emulator.callbacks_settled()
        measured = recorded.measurements()
        assert measured["plivo.client.outcomes"] == [
            ({"plivo.operation": "stop_recording", "plivo.outcome": "succeeded"}, 1)
        ]
        assert [attributes for attributes, _ in measured["plivo.callback.delay"]] == [{"plivo.event": "RecordingEnded"}]


async def test_duplicates_are_recognized(recorded: Recorded) -> None:
    async with Emulator(dialect=Dialect(copies=3)) as plivo, tracking(plivo) as tracker:
        await tracker.start("standup")
        await plivo.callbacks_settled()
    results = sorted(results_of(recorded.spans("plivo.callback.process")))
    assert results == [*[("ApiResponse", "duplicate")] * 2, ("ApiResponse", "stored")]


async def test_rejected_callback_is_visible(recorded: Recorded, plivo_emulator: Emulator) -> None:
    async with tracking(plivo_emulator) as tracker, httpx.AsyncClient() as outsider:
        await tracker.start("standup")
        await plivo_emulator.callbacks_settled()
        (delivery, *_) = plivo_emulator.state()["deliveries"]
        answer = await outsider.post(delivery["url"], data={"record_url": "https://evil.example"})
    assert answer.status_code == 403
    rejected = recorded.spans("plivo.callback.process")[-1]
    assert rejected.status.status_code is StatusCode.ERROR
    about = {"error.type": "SignatureMissingError", "http.response.status_code": 403}
    assert about.items() <= attributes_of(rejected).items()
    assert recorded.measurements()["plivo.callback.rejections"] == [(about, 1)]


async def test_unknown_outcome_is_visible_until_it_is_reconciled(recorded: Recorded, plivo_emulator: Emulator) -> None:
    async with tracking(plivo_emulator, public_url=DEAD) as tracker:
        plivo_emulator.fail_next(503, executed=True)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        measured = recorded.measurements()
        await plivo_emulator.end_conference("standup")
        recording = await tracker.get(unknown.value.start_id)
        await recording.recorded(timeout=10)
    start = recorded.span("plivo.recording.start")
    assert start.status.status_code is StatusCode.ERROR
    assert {"plivo.outcome": "unknown", "error.type": "OutcomeUnknownError"}.items() <= attributes_of(start).items()
    assert measured["plivo.client.outcomes"] == [
        (
            {
                "plivo.operation": "start_recording",
                "plivo.outcome": "unknown",
                "error.type": "OutcomeUnknownError",
            },
            1,
        )
    ]
    reconciled = recorded.spans("plivo.recording.reconcile")
    assert attributes_of(reconciled[-1])["plivo.recording.state"] == "recorded"
    assert all(span.parent is None and linked_ids(span) == [span_id(start)] for span in reconciled)
    assert {span.name for span in children_of(reconciled[-1], recorded.spans())} == {"GET"}


async def test_each_start_of_a_batch_has_a_trace_of_its_own(recorded: Recorded) -> None:
    rooms = [f"room {number}" for number in range(300)]
    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC_URL) as tracker:
        outcomes = [outcome async for outcome in tracker.start_many(rooms)]
    starts = recorded.spans("plivo.recording.start")
    assert {attributes_of(span)["plivo.start_id"] for span in starts} == {o.unwrap().start_id for o in outcomes}
    traces = [span.get_span_context() for span in starts]
    assert len({context and context.trace_id for context in traces}) == len(rooms)
    parents = {span.parent.span_id for span in recorded.spans("POST") if span.parent}
    assert parents == {span_id(start) for start in starts}


async def test_client_without_a_tracker_has_spans_too(recorded: Recorded, plivo_emulator: Emulator) -> None:
    async with account(plivo_emulator) as client:
        plivo_emulator.fail_next(429, retry_after="0")
        await client.start_recording("standup")
        await client.stop_recording("standup")
        with pytest.raises(NotFoundError):
            await client.get_recording("nonsense")
    start, stop = recorded.span("plivo.recording.start"), recorded.span("plivo.recording.stop")
    attempts = [attributes_of(span) for span in children_of(start, recorded.spans())]
    assert [
        (found["http.response.status_code"], found.get("http.request.resend_count"), found.get("error.type"))
        for found in attempts
    ] == [(429, None, "429"), (202, 1, None)]
    assert attributes_of(start)["plivo.attempts"] == 2
    assert attributes_of(stop)["plivo.outcome"] == "succeeded"
    assert recorded.span("GET").parent is None
    assert recorded.measurements()["plivo.quota.pauses"] == [({}, 1)]


@pytest.mark.parametrize("executed", [True, False])
async def test_span_of_a_cancelled_start_ends_once_with_its_outcome(recorded: Recorded, executed: bool) -> None:
    plivo, go = ScriptedPlivo(accepted_response() if executed else httpx.ConnectError("no route")), asyncio.Event()
    waiting, transport = gated_transport(plivo, go)
    store = MemoryStore()
    async with (
        plivo.client(transport=transport) as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker,
    ):
        starting = asyncio.create_task(tracker.start("standup"))
        async with asyncio.timeout(10):
            while not waiting[0]:
                await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        assert recorded.spans("plivo.recording.start") == []
        go.set()
        (status,) = [status async for status in tracker.recordings()]
        await wait_for_state(store, status.start_id, "accepted", "not_sent")
    start = recorded.span("plivo.recording.start")
    assert attributes_of(start)["plivo.outcome"] == ("succeeded" if executed else "not_sent")
    assert (start.status.status_code is StatusCode.ERROR) == (not executed)


async def test_start_that_is_cancelled_before_it_is_sent_has_ended(recorded: Recorded) -> None:
    async with ScriptedPlivo().client(max_connections=1) as client:
        starting = asyncio.create_task(client.start_recording("standup"))
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
    assert attributes_of(recorded.span("plivo.recording.start"))["plivo.outcome"] == "cancelled"


@pytest.fixture
def instrumented_httpx(recorded: Recorded) -> Iterator[None]:
    """Instrument httpx, as programs do that also call other services."""
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument()
    yield
    instrumentor.uninstrument()


@pytest.mark.parametrize("own_transport", [False, True])
async def test_attempt_has_one_span_if_httpx_is_instrumented(
    recorded: Recorded, instrumented_httpx: None, plivo_emulator: Emulator, own_transport: bool
) -> None:
    options = {"transport": httpx.AsyncHTTPTransport()} if own_transport else {}
    async with account(plivo_emulator, **options) as client:
        await client.start_recording("standup")
    assert [span.name for span in recorded.spans()] == ["POST", "plivo.recording.start"]
    async with httpx.AsyncClient() as other:
        await other.get(plivo_emulator.url)
    assert len(recorded.spans()) == 3  # the other requests of the program are still traced


async def test_work_in_the_background_does_not_belong_to_the_span_in_which_the_tracker_was_entered(
    recorded: Recorded, plivo_emulator: Emulator
) -> None:
    with trace.get_tracer("tests").start_as_current_span("startup"):
        async with tracking(plivo_emulator, public_url=DEAD) as tracker:
            recording = await tracker.start("standup")
            await plivo_emulator.end_conference("standup")
            await recording.recorded(timeout=10)
    startup = recorded.span("startup")
    assert [span.name for span in children_of(startup, recorded.spans())] == ["plivo.recording.start"]


# In two processes


@asynccontextmanager
async def program(plivo: Emulator, otlp_url: str, *arguments: str) -> AsyncGenerator[str]:
    """Run the program until the end of this block; yield the first line that it prints."""
    environment = {
        **os.environ,
        "PLIVO_AUTH_ID": plivo.auth_id,
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "PLIVO_BASE_URL": plivo.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield (await process.stdout.readline()).decode().strip()
            if process.returncode is None and arguments[0] == "receive":
                process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
async def test_callback_in_another_process_is_linked_to_the_start(
    kind: str, plivo_emulator: Emulator, tmp_path: Path, blockbuster: BlockBuster, request: pytest.FixtureRequest
) -> None:
    blockbuster.deactivate()  # processes and servers are started
    store = str(tmp_path / "recordings.db")
    if kind == "PostgreSQL":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        store = postgres.url()
    with reserved_port() as port:
        async with otlp_receiver() as otlp:
            async with program(plivo_emulator, otlp.url, "start", store, str(port)) as start_id:
                pass
            start = await otlp.span("plivo.recording.start", plivo__start_id=start_id)
            async with program(plivo_emulator, otlp.url, "receive", store, str(port)) as ready:
                assert ready == "ready"
                await plivo_emulator.end_conference("standup")
                callback = await otlp.span("plivo.callback.process", plivo__event="RecordingEnded")
                handler = await otlp.span("plivo.recording.handle")
            assert "plivo.client.operation.duration" in otlp.metrics
    for span in (callback, handler):
        (link,) = span.links
        assert (link.trace_id, link.span_id) == (start.trace_id, start.span_id)
    assert callback.trace_id != start.trace_id
    assert handler.parent_span_id == callback.span_id
    assert start.trace_id.hex() not in str(plivo_emulator.state())
