from __future__ import annotations

import click

from plivo_record_async.cli.doctor.check import check_lines, check_object, ok, problem, warning


def test_each_check_is_a_line_and_its_advice_another() -> None:
    assert list(map(click.unstyle, check_lines(ok("clock", "it agrees\x1b")))) == [
        "ok        clock               it agrees\\x1b"
    ]
    lines = list(map(click.unstyle, check_lines(problem("api_dns", "no name\n", "Check\nit."))))
    assert lines == ["problem   api_dns             no name\\n", " " * 30 + "To do: Check\\nit."]


def test_object_has_the_result_and_the_advice() -> None:
    assert check_object(warning("clock", "a", "b")) == {
        "type": "Check",
        "name": "clock",
        "result": "warning",
        "finding": "a",
        "advice": "b",
    }
