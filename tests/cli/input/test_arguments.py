from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone

import click
import pytest

from plivo_record_async.cli.input.arguments import RECORDING_ID, InputFile, Time


def test_id_is_returned_unchanged() -> None:
    assert RECORDING_ID.convert(" a/b?c\n", None, None) == " a/b?c\n"


@pytest.mark.parametrize("value", ["", ".", "..", "\udcff"])
def test_id_that_no_request_can_contain_is_refused_by_its_name(value: str) -> None:
    with pytest.raises(click.BadParameter, match=r"recording_id .*\.$"):
        RECORDING_ID.convert(value, None, None)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T09:30", datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
        ("2026-05-01 09:30:00Z", datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
        ("2026-05-01T09:30:00+02:00", datetime(2026, 5, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_time_without_an_offset_is_in_utc(value: str, time: datetime) -> None:
    converted = Time().convert(value, None, None)
    assert (converted, converted.utcoffset()) == (time, timedelta(0))


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-01", "0001-01-01T00:00+14:00", "\udcff"])
def test_other_text_is_no_time(value: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time such as 2026-05-01 or"):
        Time().convert(value, None, None)


def test_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(click.BadParameter, match="standard input is closed"):
        InputFile().convert("-", None, None)
