from __future__ import annotations

import re

import pytest

from plivo_record_async.cli.input.requests import read_request
from plivo_record_async.protocol.models import StartRequest, StopRequest


def test_line_is_a_name_or_a_json_object() -> None:
    assert read_request(StartRequest, b" a b ") == StartRequest(" a b ")
    assert read_request(StopRequest, "Büro".encode()) == StopRequest("Büro")
    line = b'{"conference_name": "a", "file_format": "wav", "callback_url": "http://h"}'
    assert read_request(StartRequest, line) == StartRequest("a", file_format="wav", callback_url="http://h")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b".", "conference_name must not be '.'"),
        (
            b"{",
            "Expecting property name enclosed in double quotes at column 2; a line that begins with {",
        ),
        (b'{"a": ' + 60_000 * b"[", "its JSON is nested too deeply"),
        (b"r\0o\0o\0m\0", "it contains a NUL or a carriage return; the input must be UTF-8 text"),
        (b"a\rb", "it contains a NUL or a carriage return"),
        (b"{}", "conference_name is missing"),
        (b'{"conference_name": 3}', "conference_name must be a str"),
        (
            b'{"conference_name": "a", "colour": 1}',
            "unknown field 'colour'; the known fields are conference_name, file_",
        ),
        (b"\xff", "'utf-8' codec can't decode"),
    ],
)
def test_line_that_is_no_request_raises(line: bytes, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(reason)):
        read_request(StartRequest, line)


def test_field_of_a_start_is_unknown_in_a_stop() -> None:
    with pytest.raises(
        ValueError, match="unknown field 'file_format'; the known fields are conference_name, callback_url"
    ):
        read_request(StopRequest, b'{"conference_name": "a", "file_format": "wav"}')
