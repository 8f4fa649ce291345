"""The requests that users make: which arguments are invalid."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.protocol.models import RateLimit, StartRequest, StopRequest

NAME: dict[str, Any] = {"conference_name": "standup"}
CALLBACK = "https://me.example/cb?room=a%20b#ct=2000"

BAD_OF_BOTH: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"conference_name": ""}, ValueError, "conference_name must not be empty"),
    ({"conference_name": "."}, ValueError, "conference_name must not be '.'"),
    ({"conference_name": ".."}, ValueError, "conference_name must not be '..'"),
    ({"conference_name": "\udfff"}, ValueError, "conference_name contains a lone surrogate"),
    ({"conference_name": None}, TypeError, "conference_name must be a str"),
    ({"conference_name": b"standup"}, TypeError, "conference_name must be a str"),
    ({"callback_url": "/cb"}, ValueError, "callback_url must be an absolute"),
    ({"callback_url": "ftp://h/cb"}, ValueError, "callback_url must be an absolute"),
    ({"callback_url": 5}, TypeError, "callback_url must be a str"),
    ({"callback_url": CALLBACK, "callback_method": "PUT"}, ValueError, "callback_method must be one of GET, POST"),
    ({"callback_url": CALLBACK, "callback_method": "get"}, ValueError, "callback_method must be one of GET, POST"),
    ({"callback_url": CALLBACK, "callback_method": 1}, TypeError, "callback_method must be a str"),
    ({"callback_method": "GET"}, ValueError, "callback_method was given without callback_url"),
]
BAD_OF_STARTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"file_format": "ogg"}, ValueError, "file_format must be one of mp3, wav"),
    ({"file_format": "MP3"}, ValueError, "file_format must be one of mp3, wav"),
    ({"file_format": 3}, TypeError, "file_format must be a str"),
    ({"transcription_type": ""}, ValueError, "transcription_type must not be empty"),
    ({"transcription_type": True}, TypeError, "transcription_type must be a str"),
    ({"transcription_url": "me.example/cb"}, ValueError, "transcription_url must be an absolute"),
    ({"transcription_method": "PATCH"}, ValueError, "transcription_method must be one of GET, POST"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_OF_BOTH + BAD_OF_STARTS)
def test_invalid_argument_of_a_start_request_raises(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        StartRequest(**(NAME | arguments))


@pytest.mark.parametrize(("arguments", "error", "words"), BAD_OF_BOTH)
def test_invalid_argument_of_a_stop_request_raises(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        StopRequest(**(NAME | arguments))


@pytest.mark.parametrize("transcription_type", ["auto", "hybrid", "manual", "whatever comes next"])
def test_a_transcription_type_is_passed_on_as_given(transcription_type: str) -> None:
    assert StartRequest("standup", transcription_type=transcription_type).transcription_type == transcription_type


@pytest.mark.parametrize(
    ("limit", "per", "error"),
    [(0, 5, ValueError), (1.5, 5, TypeError), (True, 5, TypeError), (1, 0, ValueError), (1, "5", TypeError)],
)
def test_invalid_argument_of_a_rate_limit_raises(limit: Any, per: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        RateLimit(limit, per=per)


@pytest.mark.parametrize("request_type", [StartRequest, StopRequest])
@pytest.mark.parametrize("name", ["a&b", "a=b", "&", "x&record_url=https://evil.example&z="])
def test_callback_by_get_is_invalid_for_a_name_that_its_signature_would_not_protect(
    request_type: Any, name: str
) -> None:
    with pytest.raises(ValueError, match=r"must not be GET for the conference .* Use POST, the default"):
        request_type(name, callback_url=CALLBACK, callback_method="GET")
    for method in ("POST", None):
        assert request_type(name, callback_url=CALLBACK, callback_method=method).conference_name == name


def test_transcription_callback_may_use_get_because_it_contains_no_conference_name() -> None:
    request = StartRequest("a&b", transcription_url=CALLBACK, transcription_method="GET", callback_url=CALLBACK)
    assert request.transcription_method == "GET"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me.example/cb", "https://me.example/cb"),
        ("https://me.example/cb?token=secret", "https://me.example/cb?…"),
        ("https://me.example/cb#ct=2000", "https://me.example/cb?…"),
        ("https://user:secret@me.example/cb?a=@b", "https://me.example/cb?…"),
    ],
)
def test_repr_shows_of_a_url_what_is_no_secret(url: str, shown: str) -> None:
    assert repr(StopRequest("standup", callback_url=url)) == (
        f"StopRequest(conference_name='standup', callback_url='{shown}', callback_method=None)"
    )
    request = StartRequest("standup", callback_url=url, transcription_url=url)
    assert (repr(request).count(shown), repr(request).count("secret")) == (2, 0)
    assert request.callback_url == url
