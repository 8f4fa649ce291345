from __future__ import annotations

import re

import pytest

from plivo_record_async.cli.input.requests import Item, known_fields, read_line, utf8_text
from plivo_record_async.protocol.models import StartRequest, StopRequest


def test_line_is_a_name_or_a_json_object() -> None:
    assert read_line(StartRequest, " a b ", 1) == Item(number=1, request=StartRequest(" a b "))
    assert read_line(StopRequest, "Büro", 2) == Item(number=2, request=StopRequest("Büro"))
    line = '{"conference_name": "a", "file_format": "wav", "callback_url": "http://h", "transcribe": false}'
    request = StartRequest("a", file_format="wav", callback_url="http://h")
    assert read_line(StartRequest, line, 3) == Item(number=3, request=request, transcribe=False)
    assert read_line(StartRequest, ' {"conference_name": "a"}', 4).request == StartRequest("a")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (".", "conference_name must not be '.'"),
        ("{", "Expecting property name enclosed in double quotes at column 2; a line that begins with {"),
        ('{"a": ' + 60_000 * "[", "its JSON is nested too deeply"),
        ("a\rb", "it contains a carriage return; the input must be UTF-8 text"),
        ("{}", "conference_name is missing"),
        ('{"conference_name": 3}', "conference_name must be a str"),
        ('{"conference_name": "a", "transcribe": "yes"}', "transcribe must be true or false, not 'yes'"),
        (
            '{"conference_name": "a", "colour": 1}',
            "unknown field 'colour'; the known fields are conference_name, file_",
        ),
        ("\udcff", "'utf-8' codec can't decode byte 0xff in position 0"),
        ('{"conference_name": "\udcff"}', "'utf-8' codec can't decode byte 0xff in position 21"),
    ],
)
def test_line_that_is_no_request_raises(line: str, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(reason)):
        read_line(StartRequest, line, 1)


def test_field_of_a_start_is_unknown_in_a_stop() -> None:
    with pytest.raises(
        ValueError, match="unknown field 'file_format'; the known fields are conference_name, callback_url"
    ):
        read_line(StopRequest, '{"conference_name": "a", "file_format": "wav"}', 1)
    assert known_fields(StopRequest) == ("conference_name", "callback_url", "callback_method")
    assert known_fields(StartRequest)[-1] == "transcribe"


def test_text_that_is_utf8_is_not_changed() -> None:
    assert utf8_text("Büro \U0001f600") == "Büro \U0001f600"
