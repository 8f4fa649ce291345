from __future__ import annotations

from datetime import UTC, datetime

from plivo_record_async.cli.output.attributes import attribute_lines, duration_text, time_text


def test_each_attribute_that_is_known_is_one_printable_line() -> None:
    assert list(attribute_lines({"conference_name": "a\nb\x1b", "state": None, "duration_ms": 0})) == [
        "conference_name  a\\nb\\x1b",
        "duration_ms      0",
    ]


def test_time_has_whole_seconds() -> None:
    assert time_text(datetime(2026, 5, 1, 9, 30, 0, 999_999, tzinfo=UTC)) == "2026-05-01T09:30:00+00:00"
    assert time_text(None) == "-"


def test_duration_is_in_seconds() -> None:
    assert (duration_text(8034), duration_text(None)) == ("8.03 s", "-")
