from __future__ import annotations

import pytest

from plivo_record_async.cli.demo.events import Mode, Room, Step, What


def room(*steps: tuple[float, What], mode: Mode = "sync", transcribe: bool = False) -> Room:
    seen = tuple(Step(at=at, what=what) for at, what in steps)
    return Room(name="a", mode=mode, transcribe=transcribe, steps=seen)


def test_at_is_the_first_of_what_is_asked_for() -> None:
    seen = room((1, "accepted"), (2, "recorded"), (3, "recorded"))
    assert seen.at("recorded") == 2
    assert seen.at("recorded", "accepted") == 1
    assert seen.at("stopped") is None


@pytest.mark.parametrize(
    ("what", "over"), [("conference ended", 2), ("stopped", 2), ("recorded", 2), ("transcribed", None)]
)
def test_a_recording_is_over_however_that_is_seen(what: What, over: float | None) -> None:
    assert room((1, "accepted"), (2, what)).over == over


def test_a_recording_is_done_at_its_last_stage() -> None:
    assert room((1, "stopped")).done
    assert not room((1, "stopped"), mode="async").done
    assert room((1, "recorded"), mode="async").done
    assert not room((1, "recorded"), mode="async", transcribe=True).done
    assert room((1, "recorded"), (2, "transcribed"), mode="async", transcribe=True).done


def test_a_length_is_measured_from_answer_to_answer() -> None:
    assert room((1, "started"), (2.25, "stopped")).measured_ms == 1250
    assert room((1, "accepted"), (2.25, "conference ended")).measured_ms == 1250
    assert room((1, "started")).measured_ms is None
    assert room((1, "recorded")).measured_ms is None
