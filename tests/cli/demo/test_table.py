from __future__ import annotations

import pytest

from plivo_record_async.cli.demo.events import Closed, Room, Step
from plivo_record_async.cli.demo.table import COLUMNS, cells, closing

SYNC = Room(
    name="a\x1b",
    api_id="0123456789abcdef",
    recording_id="r",
    steps=(Step(at=0.1, what="started"), Step(at=2.25, what="stopped")),
)
ASYNC = Room(
    name="b",
    mode="async",
    transcribe=True,
    duration_ms=1234,
    steps=(
        Step(at=0.1, what="accepted"),
        Step(at=1.3, what="conference ended"),
        Step(at=1.4, what="recorded"),
        Step(at=1.5, what="transcribed"),
    ),
)
FAILED = Room(name="c", steps=(Step(at=0.5, what="failed"),), error="no")


@pytest.mark.parametrize(
    ("room", "row"),
    [
        (SYNC, ("a\\x1b", "sync", "0123456789abcdef", "r", "~2.15 s", "0.10", "stopped 2.25", "-", "-")),
        (ASYNC, ("b", "async", "-", "-", "1.23 s", "0.10", "ended 1.30", "1.40", "1.50")),
        (FAILED, ("c", "sync", "-", "-", "-", "-", "failed 0.50", "-", "-")),
        (Room(name="d"), ("d", "sync", "-", "-", "-", "-", "-", "-", "-")),
    ],
)
def test_a_room_is_a_row(room: Room, row: tuple[str, ...]) -> None:
    assert cells(room) == row
    assert len(row) == len(COLUMNS)


@pytest.mark.parametrize(("longest", "shown"), [(16, "0123456789abcdef"), (10, "01234567.."), (7, "01234..")])
def test_an_id_may_be_cut_off(longest: int, shown: str) -> None:
    assert cells(SYNC, longest_id=longest)[2] == shown


def test_the_end_is_one_sentence() -> None:
    closed = Closed(at=2.46, rooms=(SYNC, ASYNC, FAILED), callbacks=2, executions=2, problems=("no",))
    assert closing(closed) == ("2 of 3 recordings started, 2 starts executed, 2 callbacks verified, problems: 1, 2.5 s")
    closed = Closed(at=2, rooms=(SYNC,), callbacks=0, executions=None, problems=())
    assert closing(closed) == "1 of 1 recordings started, 0 callbacks verified, no problems, 2.0 s"
