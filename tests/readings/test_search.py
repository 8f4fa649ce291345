"""The search for second readings finds none that is believed, and finds them when the defences are off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import pytest

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks.parsing import event_of, parse_callback
from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)
from tests.readings.captures import Capture, Pairs, capture_of
from tests.readings.search import (
    ADDRESS,
    BELIEVERS,
    Believer,
    Search,
    SecondReading,
    is_within_limits,
    meant,
    second_readings,
    verified,
    without_pins,
)
from tests.support.samples.callbacks import NONCE, TOKEN, V3, V3_NONCE

COUNT = int(os.environ.get("READINGS", "8000"))
"""How many second readings are tried; ``nox -s readings`` tries a million."""


def test_no_second_reading_of_a_capture_is_believed_beyond_the_limits() -> None:
    search = Search()
    assert list(search.run(COUNT)) == []
    assert search.tried >= COUNT
    assert search.events > COUNT // 10, "events are believed, as what Plivo meant"


def test_search_with_the_same_seed_finds_the_same_readings() -> None:
    one, other = Search(7), Search(7)
    assert list(one.run(500)) == list(other.run(500))
    assert (one.tried, one.events) == (other.tried, other.events)
    readings = [[*second_readings(capture_of(random := Random(7)), 20, random)] for _ in range(2)]
    assert readings[0] == readings[1]


def url_with(pairs: Pairs) -> str:
    return f"{ADDRESS}?{urlencode(pairs, quote_via=quote)}" if pairs else ADDRESS


def sent(reading: SecondReading) -> tuple[str, str, bytes]:
    """The request that makes it."""
    return reading.method, url_with(reading.query), urlencode(reading.form).encode()


def signature_of(capture: Capture) -> dict[str, str]:
    """What Plivo sent with the genuine callback."""
    own = [*capture.own, *(capture.fields.items() if capture.method == "GET" else ())]
    form: Mapping[str, str] = {} if capture.method == "GET" else capture.fields
    return {V3: sign_callback_v3(capture.method, url_with(own), form, NONCE, TOKEN), V3_NONCE: NONCE}


def test_every_reading_is_covered_by_the_signature_of_its_capture() -> None:
    """And what `verify_callback` makes of them is what the search says."""
    random, kinds = Random(3), set[tuple[str, str]]()
    for _ in range(60):
        capture = capture_of(random)
        headers = signature_of(capture)
        for reading in second_readings(capture, 10, random):
            method, url, body = sent(reading)
            event: CallbackEvent | None = None
            with suppress(MalformedCallbackError):
                event = parse_callback(method, url, headers, body, auth_tokens=TOKEN)
            assert event == without_pins(reading, capture)
            kinds.add((capture.method, reading.method))
    assert kinds == {(one, other) for one in ("GET", "POST") for other in ("GET", "POST")}


def test_genuine_callbacks_from_ordinary_rooms_are_believed() -> None:
    random, kinds = Random(4), set[type]()
    while kinds != {ApiResponse, RecordingEnded, TranscriptionEnded}:
        capture = capture_of(random)
        if capture.room == "standup" and capture.method == "POST":
            genuine = SecondReading(method="POST", query=capture.own, form=[*capture.fields.items()])
            events = {name: believer(genuine, capture) for name, believer in BELIEVERS.items()}
            for event in events.values():
                if not isinstance(event, UnknownCallback):  # which a new field behind a bare transcript makes of it
                    assert event == meant(capture)
                    kinds.add(type(event))


# It would find what it looks for


def credulous(change: Callable[[VerifiedCallback], dict[str, Any]]) -> Believer:
    """Somebody who takes a reading's own word for what others pin."""

    def believer(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
        callback = verified(reading, capture)
        with suppress(MalformedCallbackError):
            return event_of(attrs.evolve(callback, **change(callback)))
        return None

    return believer


def crossings(believer: Believer) -> Iterator[tuple[str, str]]:
    """How each callback was sent that is believed as another, and how it came."""
    search = Search(1, {"somebody credulous": believer})
    return ((finding.capture.method, finding.reading.method) for finding in search.run(30_000))


def test_search_finds_a_query_that_is_taken_for_the_issued_one() -> None:
    assert ("POST", "POST") in crossings(credulous(lambda _: {"url_is_pinned": True}))


def test_search_finds_a_method_that_is_taken_for_the_expected_one() -> None:
    believer = credulous(lambda callback: {"url_is_pinned": True, "expected_method": callback.method})
    assert ("GET", "POST") in crossings(believer)


def naive(reading: SecondReading, capture: Capture) -> CallbackEvent | None:
    """Who believes every field that is there, one at a time."""
    callback = verified(reading, capture)
    for field in ("record_url", "RecordUrl", "transcription", "response", "error", "message"):
        some = [pair for pair in callback.fields if pair[0] in {field, "recording_id", "api_id", "RecordingID"}]
        event = event_of(attrs.evolve(callback, fields=some, url_is_pinned=True, expected_method=callback.method))
        if field in dict(some) and not isinstance(event, UnknownCallback):
            return event
    return None


def test_search_finds_every_crossing_when_all_defences_are_off() -> None:
    missing = {(one, other) for one in ("GET", "POST") for other in ("GET", "POST")}
    for crossing in crossings(naive):
        missing.discard(crossing)
        if not missing:
            break
    assert not missing


TRUE = RecordingEnded(api_id="1", record_url="https://h/1.mp3", conference_name="standup")


@pytest.mark.parametrize(
    ("event", "within"),
    [
        (TRUE, True),
        (attrs.evolve(TRUE, conference_name="stand"), True),
        (attrs.evolve(TRUE, conference_name=None), True),
        (attrs.evolve(TRUE, conference_name="standupmode1"), True),
        (attrs.evolve(TRUE, conference_name="victims"), False),
        (attrs.evolve(TRUE, record_url="https://h/"), False),
        (attrs.evolve(TRUE, api_id="2"), False),
        (attrs.evolve(TRUE, duration_ms=1), False),
        (ApiResponse(api_id="1", error="x"), False),
    ],
)
def test_limits_of_protection_are_as_documented(event: CallbackEvent, within: bool) -> None:
    assert is_within_limits(TRUE, event) is within
