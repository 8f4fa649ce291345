"""Spans and measurements, as the SDK of OpenTelemetry exports them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from plivo_record_async.telemetry.metrics import METRICS
from plivo_record_async.telemetry.names import KINDS, Attribute, Capture
from plivo_record_async.telemetry.otel import OtelSpan, OtelTelemetry
from tests.support.telemetry import Recorded, linked_ids, span_id

CONTENT = {
    Attribute.CONFERENCE_NAME: "standup",
    Attribute.URL: "https://api.plivo.com/v1/",
    Attribute.TRANSCRIPTION: "Hello",
}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_span_is_current_while_it_is_entered_and_ends_after_that(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    with telemetry.span("plivo.recording.start", {Attribute.START_ID: "start-1", Attribute.API_ID: None}) as span:
        telemetry.current_span().set({Attribute.ATTEMPTS: 2})
        assert recorded.spans() == []
        assert span.traceparent is not None
    ended = recorded.span("plivo.recording.start")
    assert ended.attributes == {"plivo.start_id": "start-1", "plivo.attempts": 2}
    assert (ended.kind, ended.status.status_code) == (trace.SpanKind.INTERNAL, trace.StatusCode.UNSET)
    assert ended.instrumentation_scope is not None
    assert ended.instrumentation_scope.name == "plivo_record_async"
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_span_that_is_not_sampled_has_no_traceparent(recorded: Recorded) -> None:
    assert OtelTelemetry(()).current_span().traceparent is None
    not_sampled = TracerProvider(sampler=ALWAYS_OFF).get_tracer("tests").start_span("start")
    assert OtelSpan(not_sampled, ()).traceparent is None


@pytest.mark.parametrize(("link", "linked"), [(TRACEPARENT, True), (None, False), ("00-nonsense", False)])
def test_span_is_linked_to_another_trace(recorded: Recorded, link: str | None, linked: bool) -> None:
    telemetry = OtelTelemetry(())
    with telemetry.span("plivo.recording.handle", {}, link=link):
        pass
    with telemetry.span("plivo.callback.process", {}) as span:
        span.link(link)
    for name in ("plivo.recording.handle", "plivo.callback.process"):
        assert linked_ids(recorded.span(name)) == ([0xB7AD6B7169203331] if linked else [])
    assert recorded.span("plivo.callback.process").kind is trace.SpanKind.CONSUMER


def test_traceparent_of_a_span_leads_to_it(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    with telemetry.span("plivo.recording.start", {}) as span:
        traceparent = span.traceparent
    with telemetry.span("plivo.recording.handle", {}, link=traceparent):
        pass
    assert linked_ids(recorded.span("plivo.recording.handle")) == [span_id(recorded.span("plivo.recording.start"))]


def test_exception_in_a_span_is_recorded_without_its_text(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    with pytest.raises(ValueError, match="secret"), telemetry.span("plivo.recording.handle", {}):
        raise ValueError("secret")
    ended = recorded.span("plivo.recording.handle")
    assert ended.attributes == {"error.type": "ValueError"}
    assert (ended.status.status_code, ended.status.description) == (trace.StatusCode.ERROR, None)
    assert ended.events == ()


def test_span_that_is_kept_open_ends_once(recorded: Recorded) -> None:
    with OtelTelemetry(()).span("plivo.recording.start", {}).keep_open() as span:
        pass
    assert recorded.spans() == []
    span.fail("500")
    span.end()
    span.end()
    assert recorded.span("plivo.recording.start").attributes == {"error.type": "500"}


def test_attempt_suppresses_other_http_instrumentations(recorded: Recorded) -> None:
    assert is_http_instrumentation_enabled()
    with OtelTelemetry(()).attempt_span("POST", {Attribute.SERVER_PORT: 443}):
        assert not is_http_instrumentation_enabled()
    assert is_http_instrumentation_enabled()
    ended = recorded.span("POST")
    assert ended.kind is trace.SpanKind.CLIENT
    assert ended.attributes == {"server.port": 443}


@pytest.mark.parametrize("captured", [(), KINDS])
def test_content_is_recorded_only_if_the_user_opts_in(recorded: Recorded, captured: Sequence[Capture]) -> None:
    with OtelTelemetry(captured).span("plivo.recording.start", CONTENT):
        pass
    assert recorded.span("plivo.recording.start").attributes == (CONTENT if captured else {})


def test_no_span_is_current_in_without_span(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    with telemetry.span("plivo.recording.start", {}), telemetry.without_span():
        assert context.get_current() == {}
        with telemetry.span("plivo.recording.reconcile", {}):
            pass
    assert recorded.span("plivo.recording.reconcile").parent is None


def test_measurements_have_their_attributes(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    telemetry.count("plivo.client.outcomes", {Attribute.OUTCOME: "succeeded", Attribute.ERROR_TYPE: None})
    telemetry.measure("plivo.client.operation.duration", 0.5, {Attribute.OUTCOME: "succeeded"})
    measured = recorded.measurements()
    assert measured["plivo.client.outcomes"] == [({"plivo.outcome": "succeeded"}, 1)]
    assert measured["plivo.client.operation.duration"] == [({"plivo.outcome": "succeeded"}, 1)]


def test_active_recordings_of_all_trackers_are_added_up_while_they_are_open(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    with telemetry.observing_active(lambda: {"unknown": 1, "accepted": 2}):
        with telemetry.observing_active(lambda: {"accepted": 3}):
            found = recorded.measurements()["plivo.recording.active"]
            assert sorted((str(point["plivo.recording.state"]), count) for point, count in found) == [
                ("accepted", 5),
                ("unknown", 1),
            ]
        found = recorded.measurements()["plivo.recording.active"]
        assert sum(count for _, count in found) == 3
    assert recorded.measurements().get("plivo.recording.active", []) == []


def test_every_metric_has_an_instrument(recorded: Recorded) -> None:
    telemetry = OtelTelemetry(())
    for name, metric in METRICS.items():
        match metric.kind:
            case "counter":
                telemetry.count(name, {})
            case "histogram":
                telemetry.measure(name, 1.0, {})
            case "gauge":
                pass
    with telemetry.observing_active(lambda: {"unknown": 1}):
        assert recorded.measurements().keys() == METRICS.keys()
