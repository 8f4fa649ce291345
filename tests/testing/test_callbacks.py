from __future__ import annotations

from datetime import timedelta

import pytest

from plivo_record_async import (
    ApiResponse,
    RecordingEnded,
    SignatureMismatchError,
    TranscriptionEnded,
    UnknownCallback,
    parse_callback,
)
from plivo_record_async.emulator import Dialect
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.testing import CallbackFactory, HttpCallback

TOKEN = "the-auth-token-of-this-test"
URL = "https://me.example/recorded?mine=1#rc=3"
METHODS = pytest.mark.parametrize("method", ["GET", "POST"])

factory = CallbackFactory(auth_token=TOKEN)


def event_of(sent: HttpCallback) -> CallbackEvent:
    return parse_callback(sent.method, sent.url, sent.headers, sent.content or b"", auth_tokens=[TOKEN])


@METHODS
def test_end_of_a_recording_has_the_given_values(method: str) -> None:
    event = event_of(
        factory.recording_ended(
            URL, method=method, conference_name="a/b &c", duration=90, api_id="a", recording_id="r", file_format="wav"
        )
    )
    assert isinstance(event, RecordingEnded)
    assert (event.api_id, event.recording_id, event.conference_name) == ("a", "r", "a/b &c")
    assert event.duration_ms == 90_000
    assert event.ended_at is not None
    assert event.started_at is not None
    assert event.ended_at - event.started_at == timedelta(seconds=90)
    assert event.record_url is not None
    assert event.record_url.endswith("/Recording/r.wav")


def test_ids_are_new_in_each_callback() -> None:
    events = [event_of(factory.recording_ended(URL)) for _ in range(2)]
    assert len({event.raw["recording_id"] for event in events}) == 2
    assert len({event.raw["api_id"] for event in events}) == 2


@METHODS
def test_transcript_has_the_given_text(method: str) -> None:
    event = event_of(factory.transcription_ended(URL, method=method, recording_id="r", transcription="Good morning."))
    assert isinstance(event, TranscriptionEnded)
    assert (event.recording_id, event.transcription, event.duration_s) == ("r", "Good morning.", 60)


def test_transcript_without_a_text_names_the_conference() -> None:
    event = event_of(factory.transcription_ended(URL, conference_name="retro"))
    assert isinstance(event, TranscriptionEnded)
    assert event.transcription == "This is what was said in retro."


@METHODS
@pytest.mark.parametrize("error", [None, "not found"])
def test_response_reports_success_or_an_error(method: str, error: str | None) -> None:
    event = event_of(factory.response(URL, method=method, api_id="a", error=error))
    assert isinstance(event, ApiResponse)
    assert (event.api_id, event.error) == ("a", error)


def test_any_fields_can_be_signed() -> None:
    event = event_of(factory.signed(URL, {"new_field": "1"}))
    assert isinstance(event, UnknownCallback)
    assert event.raw["new_field"] == "1"


def test_callbacks_follow_the_dialect() -> None:
    older = CallbackFactory(auth_token=TOKEN, dialect=Dialect(ended_shape="camel_case"))
    sent = older.recording_ended(URL)
    assert b"RecordUrl=" in (sent.content or b"")
    assert isinstance(event_of(sent), RecordingEnded)


def test_another_auth_token_does_not_verify_the_callback() -> None:
    sent = CallbackFactory(auth_token="another-token").recording_ended(URL)
    with pytest.raises(SignatureMismatchError):
        event_of(sent)


def test_auth_token_is_not_shown() -> None:
    assert TOKEN not in repr(factory)
