"""What can be read from any response, and for how long a 429 pauses a client."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async.protocol.api.response import LONGEST_PAUSE, QUOTA_PERIOD, Response
from tests.support.samples.responses import response

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Friday, 02-Jan-26 03:04:15 GMT", 10.0),
        ("Fri Jan  2 03:04:15 2026", 10.0),
        ("Fri, 02 Jan 2026 03:04:15 -0000", 10.0),
        ("Fri, 02 Jan 2026 08:34:15 +0530", 10.0),
        ("Fri, 02 Jan 2026 03:03:05 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.2.3", None),
        (".", None),
        ("²", None),
        ("1e3", None),
        ("inf", None),
        ("Fri, 99 Jan 2026 03:04:15 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2020 00:00:99999999999999 GMT", None),
        ("1 Jan 2020 1:1:1 +99999999999999999", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert response(429, headers={"retry-after": value}, received_at=NOW).retry_after == seconds


def test_retry_after_is_optional() -> None:
    assert response(429, received_at=NOW).retry_after is None


def test_date_in_retry_after_is_ignored_without_the_time_of_the_response() -> None:
    assert response(429, headers={"retry-after": "Fri, 02 Jan 2026 03:04:15 GMT"}).retry_after is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ Jan \d+ \d+:\d+:\d+ ([+-]\d+|GMT)"))
@example("0 1 2 3 4 5")
def test_any_retry_after_is_read_without_an_error(value: str) -> None:
    seconds = response(429, headers={"retry-after": value}, received_at=NOW).retry_after
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (429, None, QUOTA_PERIOD),
        (429, "soon", QUOTA_PERIOD),
        (429, "0", 0.0),
        (429, "7", 7.0),
        (429, "9" * 30, LONGEST_PAUSE),
        (503, "7", None),
        (202, None, None),
    ],
)
def test_only_a_429_makes_the_client_pause(status: int, value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert response(status, headers=headers).quota_pause == seconds


@pytest.mark.parametrize(("status", "is_success"), [(199, False), (200, True), (299, True), (300, False), (503, False)])
def test_status_decides_whether_a_response_is_a_success(status: int, is_success: bool) -> None:
    assert Response(status=status).is_success is is_success


def test_compressed_body_is_read_as_text_and_as_an_object() -> None:
    text = '{"api_id": "a", "number": 1}'
    packed = Response(status=202, headers={"content-encoding": "gzip"}, body=gzip.compress(text.encode()))
    assert (packed.text, packed.data) == (text, {"api_id": "a", "number": 1})
    assert (packed.api_id, packed.text_field("number")) == ("a", "1")


def test_text_fields_of_broken_json_are_read() -> None:
    broken = Response(status=202, body=b'{"api_id": "a", ')
    assert (broken.data, broken.api_id, broken.text_field("message")) == ({}, "a", None)
