from __future__ import annotations

import re

import pytest

from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.requests import known_fields
from plivo_record_async.cli.input.table import Row, header_of, rows_of, values_of
from plivo_record_async.protocol.models import StartRequest

KNOWN = known_fields(StartRequest)


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("conference_name", ("conference_name",)),
        ("file_format,conference_name", ("file_format", "conference_name")),
        ('"conference_name","transcribe"', ("conference_name", "transcribe")),
    ],
)
def test_line_with_the_column_conference_name_is_a_header(line: str, columns: tuple[str, ...]) -> None:
    assert header_of(line, KNOWN) == columns


@pytest.mark.parametrize("line", ["", "standup", "Doe, Jane", "a;b", "my conference_name", '"'])
def test_other_lines_are_names(line: str) -> None:
    assert header_of(line, KNOWN) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("conference_name,format", "unknown column 'format'; the known columns are conference_name, file_format, "),
        ("conference_name, file_format", "unknown column ' file_format'"),
        ("conference_name,transcribe,transcribe", "the column 'transcribe' occurs more than once"),
        ("conference_name;file_format", "not separated by commas"),
        ("conference_name\tfile_format", "not separated by commas"),
        ('"conference_name";"file_format"', "not separated by commas"),
        ("sep=;", "not separated by commas"),
        ("Conference Name,file_format", "no column has exactly the name conference_name"),
        ("room,file_format", "no column has exactly the name conference_name"),
        ("Conference_Name", 'write the first one as a JSON object: {"conference_name": "…"}'),
    ],
)
def test_line_that_looks_like_a_header_is_not_taken_for_a_name(line: str, reason: str) -> None:
    with pytest.raises(InputError, match=re.escape(reason)):
        header_of(line, KNOWN)


def test_row_has_the_number_of_its_first_line() -> None:
    text = 'conference_name\r\n"a\nb"\r\n\r\n,\n"c ""d"", e"'
    assert list(rows_of(text)) == [Row(1, ["conference_name"]), Row(2, ["a\nb"]), Row(6, ['c "d", e'])]


@pytest.mark.parametrize(
    ("text", "reason"),
    [('a\n"b\nc\n', "line 2: unexpected end of data"), ('"a"b\n', "line 1: ',' expected after '\"'")],
)
def test_quotes_that_do_not_match_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"{reason}.*in double quotes"):
        list(rows_of(text))


def test_empty_cell_has_no_value() -> None:
    columns = ("conference_name", "file_format", "transcribe")
    assert values_of(columns, Row(2, ["a", "", "Yes"])) == {"conference_name": "a", "transcribe": True}
    assert values_of(columns, Row(2, ["a", "wav", "0"]))["transcribe"] is False


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["a"], "it has 1 cells, and the header has 2"),
        (["a", "maybe"], "transcribe must be true or false, not 'maybe'"),
        (["\udcff", ""], "can't decode byte 0xff"),
    ],
)
def test_row_that_is_not_valid_raises(cells: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        values_of(("conference_name", "transcribe"), Row(2, cells))
