from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest
from plivo_record_async.emulator.history.story import story_of

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


def request(number: int, **values: object) -> ReceivedRequest:
    given = {"conference_name": "standup", "time": NOW + timedelta(seconds=number), **values}
    return ReceivedRequest(id=number, method="POST", path="/x", query="", operation="start", **given)  # type: ignore[arg-type]


def test_story_has_every_request_and_delivery_in_order() -> None:
    requests = [
        request(1, executed=True, status=202, raw_response_body=b'{"a": 1}', raw_body=b"{}"),
        request(3, fault="reset_before_execution"),
        request(4, conference_name="another"),
    ]
    callback = Callback(
        kind="recording", url="http://h", method="GET", fields={"a": "b"}, api_id="x", conference_name="standup"
    )
    delivery = Delivery(
        id=1,
        callback_id=2,
        callback=callback,
        attempt=1,
        time=NOW + timedelta(seconds=2),
        fault="delay",
        error="late",
    )
    assert story_of("standup", requests, [delivery]).splitlines() == [
        '  12:00:01.000000 request 1: POST /x {} -> 202 {"a": 1} (executed)',
        "  12:00:02.000000 delivery 1: recording callback 2, attempt 1, fault delay, GET http://h {'a': 'b'} -> late",
        "  12:00:03.000000 request 3: POST /x -> no answer (not executed, fault reset_before_execution)",
    ]


def test_story_of_an_unknown_conference_says_so() -> None:
    assert story_of("x", [], []) == "  no request or delivery of this conference is in the log"
