from __future__ import annotations

import pytest

from plivo_record_async.cli.demo.events import Room, Step, What


def room(*steps: tuple[float, What], callback_url: str | None = None) -> Room:
    return Room(name="a", callback_url=callback_url, steps=tuple(Step(at=at, what=what) for at, what in steps))


def test_a_callback_url_makes_the_mode() -> None:
    assert room().mode == "sync"
    assert room(callback_url="http://h/").mode == "async"


def test_at_is_the_first_of_what_is_asked_for() -> None:
    seen = room((1, "pending"), (2, "recorded"), (3, "recorded"))
    assert seen.at("recorded") == 2
    assert seen.at("recorded", "pending") == 1
    assert seen.at("stopped") is None


@pytest.mark.parametrize(
    ("what", "over"), [("conference ended", 2), ("stopped", 2), ("recorded", 2), ("answered", None)]
)
def test_a_recording_is_over_however_that_is_seen(what: What, over: float | None) -> None:
    assert room((1, "pending"), (2, what)).over == over


def test_a_synchronous_recording_is_done_when_it_is_stopped_and_the_other_when_it_is_called_back() -> None:
    assert room((1, "stopped")).done
    assert not room((1, "stopped"), callback_url="http://h/").done
    assert room((1, "recorded"), callback_url="http://h/").done


def test_a_length_is_measured_from_answer_to_answer() -> None:
    assert room((1, "started"), (2.25, "stopped")).measured_ms == 1250
    assert room((1, "pending"), (2.25, "conference ended")).measured_ms == 1250
    assert room((1, "started")).measured_ms is None
    assert room((1, "recorded")).measured_ms is None
