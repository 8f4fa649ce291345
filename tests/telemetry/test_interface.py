"""Telemetry that records nothing can be used like any other."""

from __future__ import annotations

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.telemetry.interface import Telemetry
from plivo_record_async.telemetry.names import Attribute


def test_nothing_is_recorded() -> None:
    telemetry = Telemetry()
    span = telemetry.span("plivo.recording.start", {Attribute.START_ID: "start-1"})
    with telemetry.without_span(), telemetry.observing_active(dict[RecordingState, int]), span:
        assert telemetry.current_span() is span
        assert telemetry.attempt_span("POST", {}) is span
        span.set({Attribute.API_ID: "api-1"})
        span.link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        span.fail("timeout")
    assert span.keep_open() is span
    span.end()
    telemetry.count("plivo.quota.pauses", {})
    telemetry.measure("plivo.callback.delay", 1.0, {})
    assert span.traceparent is None
    assert not telemetry.is_recording
