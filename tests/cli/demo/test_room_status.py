from __future__ import annotations

from typing import Literal

import pytest

from plivo_record_async.cli.demo.room_status import RoomStatus, What


def room(*steps: tuple[float, What], mode: Literal["sync", "async"] = "sync", transcribe: bool = False) -> RoomStatus:
    return RoomStatus(name="a", mode=mode, transcribe=transcribe, steps=list(steps))


def test_at_is_the_first_of_several_steps() -> None:
    seen = room((1, "accepted"), (2, "recorded"), (3, "recorded"))
    assert seen.at("recorded") == 2
    assert seen.at("recorded", "accepted") == 1
    assert seen.at("stopped") is None


@pytest.mark.parametrize(
    ("what", "over"), [("conference ended", 2), ("stopped", 2), ("recorded", 2), ("transcribed", None)]
)
def test_recording_is_over_by_any_sign_of_its_end(what: What, over: float | None) -> None:
    assert room((1, "accepted"), (2, what)).over == over


def test_the_last_step_depends_on_how_the_recording_is_started() -> None:
    assert room().last == "stopped"
    assert room(mode="async").last == "recorded"
    assert room(mode="async", transcribe=True).last == "transcribed"


def test_a_length_is_measured_from_answer_to_answer() -> None:
    assert room((1, "started"), (2.25, "stopped")).measured_ms == 1250
    assert room((1, "accepted"), (2.25, "conference ended")).measured_ms == 1250
    assert room((1, "started")).measured_ms is None
    assert room((1, "recorded")).measured_ms is None


def test_json_of_a_room_has_all_fields() -> None:
    assert list(room((0.1, "started"), (1, "stopped")).as_record().items()) == [
        *(("conference_name", "a"), ("mode", "sync"), ("transcribe", False), ("api_id", None), ("recording_id", None)),
        *(("duration_ms", None), ("transcription", None)),
        ("steps", [{"at": 0.1, "what": "started"}, {"at": 1, "what": "stopped"}]),
        *(("error", None), ("measured_ms", 900)),
    ]
