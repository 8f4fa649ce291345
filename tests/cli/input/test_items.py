from __future__ import annotations

import pytest

from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import Format, read_items
from plivo_record_async.protocol.models import StartRequest


def names(data: bytes) -> list[tuple[int, str]]:
    return [(item.number, item.request.conference_name) for item in read_items(StartRequest, data).valid]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n \r\n", []),
        (b"a", [(1, "a")]),
        (b"a\r\nb\r\n", [(1, "a"), (2, "b")]),
        (b" a \n\nb", [(1, " a "), (3, "b")]),
        (b"a\nb\r", [(1, "a"), (2, "b")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [(1, "a"), (2, "\ufeffb")]),
        (b"Doe, Jane\nconference_name\n", [(1, "Doe, Jane"), (2, "conference_name")]),
        (b'{"conference_name": "a\\nb"}\nc', [(1, "a\nb"), (2, "c")]),
        (b'conference_name\n"a\nb"\n\xf0\x9f\x98\x80\n', [(2, "a\nb"), (4, "\U0001f600")]),
        (b"\n\nconference_name\na\n", [(4, "a")]),
    ],
)
def test_first_line_decides_the_format(data: bytes, expected: list[tuple[int, str]]) -> None:
    assert names(data) == expected


def test_rows_have_options() -> None:
    items = read_items(StartRequest, b"conference_name,file_format,transcribe\na,wav,yes\nb,,\n")
    assert items.format == Format(("conference_name", "file_format", "transcribe"))
    assert [(item.request, item.transcribe) for item in items.valid] == [
        (StartRequest("a", file_format="wav"), True),
        (StartRequest("b"), None),
    ]


def test_lines_that_are_not_requests_are_listed_with_their_numbers() -> None:
    items = read_items(StartRequest, b"a\n.\n\xff\nb")
    assert [item.number for item in items.valid] == [1, 4]
    assert [(line.number, line.text, line.error.partition(" ")[0]) for line in items.invalid] == [
        (2, ".", "conference_name"),
        (3, "\\xff", "'utf-8'"),
    ]
    items = read_items(StartRequest, b'conference_name,file_format\na,ogg\n"b\nc",mp3\n,wav\nd\n')
    assert [(line.number, line.text) for line in items.invalid] == [(2, "a,ogg"), (5, ",wav"), (6, "d")]


def test_endless_line_is_refused() -> None:
    with pytest.raises(InputError, match="line 2 has more than 1048576 characters"):
        read_items(StartRequest, b"a\n" + b"b" * 1_200_000)


def test_duplicates_are_found_by_name() -> None:
    items = read_items(StartRequest, b"conference_name,file_format\na,wav\nb,\na,mp3\na,\n")
    assert [(item.number, first) for item, first in items.duplicates] == [(4, 2), (5, 2)]


@pytest.mark.parametrize(
    ("data", "unclear"), [(b"a,b\nc", True), (b"a;b", True), (b"a", False), (b'{"conference_name": "a,b"}', False)]
)
def test_separators_in_the_first_name_are_noticed(data: bytes, *, unclear: bool) -> None:
    assert read_items(StartRequest, data).is_unclear is unclear
