from __future__ import annotations

import json
from datetime import UTC, datetime

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest, kept

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


def test_request_shows_headers_and_bodies_but_no_credentials() -> None:
    request = ReceivedRequest(
        id=1,
        time=NOW,
        method="POST",
        path="/x",
        query="",
        operation="start",
        raw_headers=((b"Authorization", b"Basic c2VjcmV0"), (b"X-A", b"1"), (b"x-a", b"\xe9")),
        raw_body=b'{"a":"\xff"}',
        raw_response_headers=((b"content-type", b"application/json"),),
        raw_response_body=b"{}",
    )
    assert request.headers == {"authorization": "Basic ***", "x-a": "1, é"}
    assert (request.body, request.response_body) == ('{"a":"\N{REPLACEMENT CHARACTER}"}', "{}")
    shown = request.to_dict()
    assert shown["time"] == "2026-05-31T12:00:00+00:00"
    assert shown["response_headers"] == {"content-type": "application/json"}
    assert "c2VjcmV0" not in json.dumps(shown) + repr(request)


def test_delivery_shows_what_was_signed() -> None:
    callback = Callback(
        kind="recording",
        url="http://h/cb#rc=1",
        method="POST",
        fields={"a": "ü"},
        api_id="x",
        conference_name="standup",
        recording_id="r",
    )
    waiting = Delivery(id=1, callback_id=1, callback=callback, attempt=1, time=NOW)
    assert (waiting.url, waiting.headers, waiting.body, waiting.signed) == ("http://h/cb#rc=1", {}, "", None)
    sent = callback.signed(nonce="1", auth_token="a-token")
    sending = Delivery(id=1, callback_id=1, callback=callback, attempt=1, time=NOW, state="sending", sent=sent, at=NOW)
    assert (sending.url, sending.body, sending.signed) == ("http://h/cb", "a=%C3%BC", "http://h/cb?aü.1")
    assert sending.headers["x-plivo-signature-v3-nonce"] == "1"
    assert sending.response_body == ""
    assert (
        json.loads(json.dumps(sending.to_dict())).items()
        >= {
            "kind": "recording",
            "conference_name": "standup",
            "recording_id": "r",
            "fields": {"a": "ü"},
            "at": "2026-05-31T12:00:00+00:00",
            "next_attempt_at": None,
        }.items()
    )


def test_long_body_is_kept_in_part() -> None:
    assert kept(b"x" * 16_384) == b"x" * 16_384
    assert kept(b"x" * 20_000) == b"x" * 16_384
