"""The span of an HTTP attempt has the attributes of OpenTelemetry's conventions, and no content."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from plivo_record_async.protocol.api.endpoints import start_recording, stop_recording
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.settings import CAPTURE_VARIABLE
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.transport.attempt_spans import AttemptSpans
from tests.support.telemetry import Recorded

REQUEST = start_recording(StartRequest("standup"))


@pytest.mark.parametrize(
    ("api_url", "address", "port"),
    [
        ("https://api.plivo.com/v1/Account/MA", "api.plivo.com", 443),
        ("http://127.0.0.1:8765/v1/Account/MA", "127.0.0.1", 8765),
    ],
)
def test_attributes_of_an_attempt(recorded: Recorded, api_url: str, address: str, port: int) -> None:
    spans = AttemptSpans(api_url)
    with spans.begin(REQUEST, 1) as span:
        pass
    assert recorded.spans() == []
    spans.end(span, Response(status=202))
    ended = recorded.span("POST")
    assert ended.kind is SpanKind.CLIENT
    assert ended.status.status_code is StatusCode.UNSET
    assert ended.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 202,
        "server.address": address,
        "server.port": port,
        "url.template": "/v1/Account/{auth_id}/Conference/{conference_name}/Record/",
    }


def test_retry_has_its_number(recorded: Recorded) -> None:
    spans = AttemptSpans("https://api.plivo.com")
    spans.end(spans.begin(REQUEST, 3), Response(status=202))
    attributes = recorded.span("POST").attributes or {}
    assert attributes["http.request.resend_count"] == 2


@pytest.mark.parametrize(
    ("result", "error_type"), [(Response(status=503), "503"), (asyncio.CancelledError(), "CancelledError")]
)
def test_failed_attempt_has_the_type_of_its_error(
    recorded: Recorded, result: Response | BaseException, error_type: str
) -> None:
    spans = AttemptSpans("https://api.plivo.com")
    spans.end(spans.begin(REQUEST, 1), result)
    ended = recorded.span("POST")
    assert ended.status.status_code is StatusCode.ERROR
    assert (ended.attributes or {})["error.type"] == error_type


def test_url_has_no_query_and_is_recorded_only_if_the_user_opts_in(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, "url")
    telemetry.cache_clear()
    spans = AttemptSpans("https://api.plivo.com/v1/Account/MA")
    request = stop_recording(StopRequest("standup", callback_url="https://me.example/secret"))
    spans.end(spans.begin(request, 1), Response(status=202))
    telemetry.cache_clear()
    attributes = recorded.span("DELETE").attributes or {}
    assert attributes["url.full"] == "https://api.plivo.com/v1/Account/MA/Conference/standup/Record/"
