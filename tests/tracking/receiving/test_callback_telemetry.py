"""The span and the metrics of each kind of callback."""

from __future__ import annotations

import sys
from datetime import timedelta

import attrs
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from plivo_record_async.errors import ClosedError, SignatureMissingError
from plivo_record_async.protocol.models import CallbackEvent, UnknownCallback
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.testing.store_contract.samples import CONFIRMED, ENDED, NOW, TRANSCRIBED, orphan, record_in
from plivo_record_async.tracking.receiving.callback_telemetry import (
    callback_span,
    note_event,
    note_failure,
    note_orphan,
    note_rejection,
    note_start,
)
from plivo_record_async.tracking.receiving.request_head import ClientDisconnectedError
from tests.support.telemetry import Recorded, linked_ids

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ACCEPTED = attrs.evolve(record_in("accepted"), traceparent=TRACEPARENT)
RECORDED = record_in("recorded")
SOON = NOW + timedelta(seconds=90)


def test_callback_is_linked_to_its_start(recorded: Recorded) -> None:
    with callback_span():
        note_start(ACCEPTED)
        note_event(ACCEPTED, RECORDED, ENDED, SOON)
    ended = recorded.span("plivo.callback.process")
    assert ended.kind is SpanKind.CONSUMER
    assert linked_ids(ended) == [0xB7AD6B7169203331]
    assert ended.attributes == {
        "plivo.start_id": "start-1",
        "plivo.callback.result": "stored",
        "plivo.event": "RecordingEnded",
        "plivo.recording.state": "recorded",
        "plivo.api_id": "api-1",
        "plivo.recording_id": "rec-1",
    }


@pytest.mark.parametrize(
    ("event", "has_time"),
    [
        (CONFIRMED, True),
        (attrs.evolve(ENDED, ended_at=NOW), True),
        (attrs.evolve(ENDED, ended_at=None), False),
        (TRANSCRIBED, True),
        (UnknownCallback(raw={}, reason="?"), False),
    ],
    ids=["response", "end", "end without a time", "transcript", "unknown"],
)
def test_delay_counts_from_the_time_of_the_event(recorded: Recorded, event: CallbackEvent, has_time: bool) -> None:
    with callback_span():
        note_event(RECORDED, record_in("transcribed"), event, SOON)
    expected = [({"plivo.event": type(event).__name__}, 1)] if has_time else []
    assert recorded.measurements().get("plivo.callback.delay", []) == expected


def test_duplicate_is_recognized_and_has_no_delay(recorded: Recorded) -> None:
    with callback_span():
        note_event(RECORDED, RECORDED, ENDED, SOON)
    attributes = recorded.span("plivo.callback.process").attributes or {}
    assert attributes["plivo.callback.result"] == "duplicate"
    assert "plivo.callback.delay" not in recorded.measurements()


@pytest.mark.parametrize(("is_new", "result"), [(True, "orphan"), (False, "duplicate")])
def test_orphan_keeps_its_ids(recorded: Recorded, is_new: bool, result: str) -> None:
    with callback_span():
        note_orphan(orphan(UnknownCallback(raw={"api_id": "api-9"}, reason="?")), is_new=is_new)
    attributes = recorded.span("plivo.callback.process").attributes or {}
    assert (attributes["plivo.callback.result"], attributes["plivo.api_id"]) == (result, "api-9")


def test_rejection_is_an_error_and_is_counted(recorded: Recorded) -> None:
    with callback_span():
        note_rejection(SignatureMissingError("no signature"))
    ended = recorded.span("plivo.callback.process")
    assert ended.status.status_code is StatusCode.ERROR
    about = {"error.type": "SignatureMissingError", "http.response.status_code": 403}
    assert ended.attributes == {"plivo.callback.result": "rejected", **about}
    assert recorded.measurements()["plivo.callback.rejections"] == [(about, 1)]


def test_disconnected_sender_has_no_status(recorded: Recorded) -> None:
    with callback_span():
        note_rejection(ClientDisconnectedError())
    about = {"error.type": "ClientDisconnectedError"}
    assert recorded.measurements()["plivo.callback.rejections"] == [(about, 1)]


def test_callback_that_could_not_be_stored_is_an_error(recorded: Recorded) -> None:
    with callback_span():
        note_failure(ClosedError("closed"))
    ended = recorded.span("plivo.callback.process")
    assert ended.attributes == {"plivo.callback.result": "not_stored", "error.type": "ClosedError"}


def test_nothing_is_recorded_without_opentelemetry(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plivo_record_async.telemetry.otel", None)
    telemetry.cache_clear()
    with callback_span():
        note_start(ACCEPTED)
        note_event(ACCEPTED, RECORDED, ENDED, SOON)
    telemetry.cache_clear()
    assert recorded.spans() == []
