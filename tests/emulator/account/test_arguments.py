from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.account.arguments import (
    RefusedError,
    choice_argument,
    integer_argument,
    parse_arguments,
    start_arguments,
    url_argument,
)


@pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_body_may_be_empty(method: str, body: bytes) -> None:
    assert parse_arguments(method, "", body) == {}


def test_arguments_of_a_post_are_read_from_its_body() -> None:
    assert parse_arguments("POST", "a=1", b'{"b": "2", "c": 3}') == {"b": "2", "c": 3}


def test_arguments_of_a_get_are_read_from_its_query() -> None:
    assert parse_arguments("GET", "a=1&empty=&a=2&sp=x%20%2B+y", b"{") == {"a": "2", "empty": "", "sp": "x + y"}


def test_arguments_of_a_delete_are_read_from_query_and_body() -> None:
    assert parse_arguments("DELETE", "a=1&b=1", b'{"b": "2"}') == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"text"', b"null", b"callback_url=http%3A%2F%2Fh", b"\xff\xfe\x00", b"[" * 100_000],
)
def test_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match="invalid JSON") as caught:
        parse_arguments("POST", "", body)
    assert caught.value.status == 400


def test_a_choice_has_a_default() -> None:
    assert choice_argument({}, "file_format", ("mp3", "wav"), "mp3") == "mp3"
    assert choice_argument({"file_format": "wav"}, "file_format", ("mp3", "wav"), "mp3") == "wav"


@pytest.mark.parametrize("value", ["", "WAV", "ogg", None, 1, ["wav"], {}])
def test_value_that_is_not_among_the_choices_is_refused(value: object) -> None:
    with pytest.raises(RefusedError) as caught:
        choice_argument({"file_format": value}, "file_format", ("mp3", "wav"), "mp3")
    assert caught.value.status == 400
    assert caught.value.error == "file_format parameter is invalid, it must be one of mp3, wav"


@pytest.mark.parametrize(
    "value",
    ["http://h", "https://h.example:8443/a%2Fb;p?q=1&ü=ß#rc=3&rp=5xx,ct", "HTTP://h/", "http://[::1]:80/"],
)
def test_url_argument_is_kept_unchanged(value: str) -> None:
    assert url_argument({"callback_url": value}, "callback_url") == value


def test_url_argument_may_be_missing() -> None:
    assert url_argument({}, "callback_url") is None


@pytest.mark.parametrize(
    "value",
    [
        *("", "h", "/cb", "//h/cb", "ftp://h", "http://", "http:///cb", "http://:80/", "http://h:99999/"),
        *("http://h:x/", "http://h:0/", "http://[::1/", "http://h/a b", "http://h/\n", "http://h/\ud800"),
        *(None, 1, ["http://h"]),
    ],
)
def test_argument_that_is_not_a_url_is_refused(value: object) -> None:
    with pytest.raises(RefusedError, match="callback_url parameter is invalid") as caught:
        url_argument({"callback_url": value}, "callback_url")
    assert caught.value.status == 400


@given(st.text())
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    for address in (text, f"http://{text}", f"https://h{text}"):
        with suppress(RefusedError):
            assert url_argument({"callback_url": address}, "callback_url") == address


@pytest.mark.parametrize(("value", "read"), [("1", 1), ("20", 20), (7, 7), ("007", 7)])
def test_number_argument_is_read_within_its_bounds(value: Any, read: int) -> None:
    assert integer_argument({"limit": value}, "limit", at_least=1, at_most=20, default=20) == read


def test_a_number_has_a_default() -> None:
    assert integer_argument({}, "limit", at_least=1, at_most=20, default=20) == 20


@pytest.mark.parametrize("value", ["", "0", "21", "-1", "1.0", "x", "٣", "9" * 5000, True, None])
def test_value_that_is_not_a_number_within_bounds_is_refused(value: object) -> None:
    with pytest.raises(RefusedError) as caught:
        integer_argument({"limit": value}, "limit", at_least=1, at_most=20, default=20)
    assert caught.value.error == "limit parameter is invalid, it must be a whole number from 1 to 20"


def test_arguments_of_a_start_have_defaults() -> None:
    assert start_arguments({"conference_name": "leaked by an SDK", "time_limit": 60}) == {
        "file_format": "mp3",
        "callback_url": None,
        "callback_method": "POST",
        "transcription_type": None,
        "transcription_url": None,
        "transcription_method": "POST",
    }
    assert start_arguments({"transcription_type": "hybrid"})["transcription_type"] == "hybrid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("file_format", "MP3"),
        ("transcription_type", "magic"),
        ("transcription_url", "/relative"),
        ("transcription_method", "PUT"),
        ("callback_url", 7),
        ("callback_method", "post"),
    ],
)
def test_every_argument_is_checked(name: str, value: object) -> None:
    with pytest.raises(RefusedError, match=f"400 {name} parameter is invalid"):
        start_arguments({name: value})
