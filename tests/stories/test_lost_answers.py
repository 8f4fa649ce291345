"""Property test: with lost answers, wrong clocks and late or odd lists, no existing recording is called absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from plivo_record_async.protocol.models import RecordingState
from tests.support.simulated_plivo import SimulatedMachine, SimulatedPlivo, SimulatedRecording

LATEST_LISTED = 280.0
"""Seconds after the end of its conference by which a recording is listed; the time of grace is 300."""

LATEST_EXECUTED = 55.0
"""Seconds after the deadline of a start by which Plivo has executed it, if it does."""

HOUR, DAY = 3_600.0, 86_400.0

LOOKS = [*(60.0 * minute for minute in range(4 * 60)), *(4 * HOUR + HOUR / 2 * part for part in range(36 * 2))]
"""When the machine looks for what is due, in seconds: 40 hours, of which the first four are eventful."""


@attrs.frozen(kw_only=True)
class Start:
    """A start of ours.

    Attributes:
        room: The conference.
        at: When it is sent.
        within: Its deadline.
        executed_after: After how many seconds Plivo executes it, if it does.
        is_answered: Whether the answer comes.
    """

    room: str
    at: float
    within: float
    executed_after: float | None
    is_answered: bool


@attrs.frozen(kw_only=True)
class Story:
    """What happens to a few starts.

    Attributes:
        starts: The starts, in their order.
        machine: The machine, and the Plivo that it asks.
        talkative: Whether other questions are asked all the time, so that Plivo's clock is known.
    """

    starts: Sequence[Start]
    machine: SimulatedMachine
    talkative: bool

    def play(self) -> dict[str, set[RecordingState]]:
        """Let the time pass, and return the states that each start was in."""
        machine = self.machine
        events: list[tuple[float, int]] = [(start.at, number) for number, start in enumerate(self.starts)]
        events += [(time, -1) for time in LOOKS]
        if self.talkative:
            events += [(time + part, -2) for time in [*machine.changes, *LOOKS[::20]] for part in (1, 2, 3)]
        states: dict[str, set[RecordingState]] = {}
        for now, event in sorted(events):
            if event == -2:
                machine.send_unrelated_request(now)
            elif event == -1:
                machine.do_due_work(now)
            else:
                start = self.starts[event]
                answered = start.executed_after if start.is_answered else None
                machine.start(f"start-{event}", start.room, now, within=start.within, answered=answered)
            for start_id, record in machine.records.items():
                states.setdefault(start_id, set()).add(record.state)
        return states

    @property
    def recordings(self) -> Mapping[str, str]:
        """Which recording each executed start is."""
        executed = [number for number, start in enumerate(self.starts) if start.executed_after is not None]
        return {f"start-{number}": f"rec-{place}" for place, number in enumerate(executed)}


NO_TEXTS: list[object] = [None, "", False, [], {}]
UNREADABLE: list[object] = ["N/A", "NaN", "soon", "-1.00000", *NO_TEXTS]
TIMES = ["recording_start_ms", "recording_end_ms", "add_time"]
FIELDS = ["recording_id", "conference_name", "recording_url", "recording_duration_ms", *TIMES]


@st.composite
def oddities(draw: st.DrawFn, *, fields: Sequence[str]) -> Mapping[str, Any]:
    """What is wrong with a row."""
    wrong = draw(st.lists(st.sampled_from(fields), max_size=3, unique=True) | st.just(fields[-3:]))
    return {name: draw(st.sampled_from(NO_TEXTS if name == "recording_id" else UNREADABLE)) for name in wrong}


@st.composite
def machines(draw: st.DrawFn, plivo: SimulatedPlivo, *, mishaps: Sequence[str]) -> SimulatedMachine:
    """A machine to which some of that happens."""
    times = st.floats(0, 4 * HOUR)
    steps = st.lists(st.tuples(times, st.floats(-2 * HOUR, 2 * HOUR)), min_size=1, max_size=2)
    pauses = st.lists(st.tuples(times, st.floats(1, 2 * HOUR)), min_size=1, max_size=2)
    return SimulatedMachine(
        plivo=plivo,
        offset=draw(st.sampled_from([0.0, 60.0, -60.0]) | st.floats(-DAY, DAY)),
        drift=draw(st.floats(-5e-5, 5e-5)),
        steps=draw(steps) if "set" in mishaps else (),
        pauses=[(since, since + length) for since, length in draw(pauses)] if "suspended" in mishaps else (),
        stops_steady_clock="stands still" in mishaps,
        restarts=draw(st.lists(times, min_size=1, max_size=2)) if "restarted" in mishaps else (),
        round_trip=draw(st.floats(0.01, 5)),
    )


@st.composite
def starts_of_ours(draw: st.DrawFn, rooms: Sequence[str], latest: float) -> Start:
    within = draw(st.floats(1, 10) | st.floats(1, 60))
    executed_after = draw(st.none() | st.floats(0, within) | st.floats(within, within + latest))
    return Start(
        room=draw(st.sampled_from(rooms)),
        at=draw(st.floats(10, HOUR / 2)),
        within=within,
        executed_after=executed_after,
        is_answered=executed_after is not None and executed_after < within and draw(st.booleans()),
    )


@st.composite
def rows(
    draw: st.DrawFn, began: Sequence[tuple[str, float]], ends: Mapping[str, float], fields: Sequence[str]
) -> list[SimulatedRecording]:
    """Of recordings that began in those conferences at those times."""
    return [
        SimulatedRecording(
            recording_id=f"rec-{number}",
            room=room,
            began=at + draw(st.floats(-20, 20)),  # by the clock of the machine that records
            ended=ends[room],
            listed=ends[room] + draw(st.floats(1, LATEST_LISTED)),
            odd_fields=draw(oddities(fields=fields)),
        )
        for number, (room, at) in enumerate(began)
    ]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Everything goes wrong at once, and others record in the same conferences."""
    ends = {room: draw(st.floats(HOUR, 3 * HOUR)) for room in ("sales", "support")}
    starts = draw(st.lists(starts_of_ours(sorted(ends), LATEST_EXECUTED), min_size=1, max_size=3))
    began = [(start.room, start.at + start.executed_after) for start in starts if start.executed_after is not None]
    others = st.lists(st.tuples(st.sampled_from(sorted(ends)), st.floats(0, HOUR - 60)), max_size=25)
    began += draw(st.just([]) | others)
    plivo = SimulatedPlivo(
        rows=draw(rows(began, ends, FIELDS)),
        conferences=ends,
        dates=[*draw(st.tuples(*[st.floats(-2, 2)] * 3)), *draw(st.lists(st.none() | st.just(-HOUR), max_size=1))],
        page=draw(st.integers(5, 20)),
        gives_next=draw(st.booleans()),
        shows_running=draw(st.booleans()),
    )
    # A clock that is set and another that stands still, both before Plivo's time is known, cannot be told from none.
    mishaps = draw(st.sets(st.sampled_from(["set", "suspended", "restarted"])))
    if "set" not in mishaps and draw(st.booleans()):
        mishaps |= {"suspended", "stands still"}
    machine = draw(machines(plivo, mishaps=sorted(mishaps)))
    assume(all(machine.is_awake(start.at) for start in starts))
    return Story(starts=starts, machine=machine, talkative=draw(st.booleans()))


@st.composite
def quiet_stories(draw: st.DrawFn) -> Story:
    """Each conference is ours alone, its row tells when it began, and one thing goes wrong at a time."""
    rooms = [f"room {number}" for number in range(draw(st.integers(1, 3)))]
    ends = {room: draw(st.floats(HOUR, 3 * HOUR)) for room in rooms}
    starts = [draw(starts_of_ours([room], 0.0)) for room in rooms]
    executed = [(start.room, start.at + start.executed_after) for start in starts if start.executed_after is not None]
    plivo = SimulatedPlivo(
        rows=draw(rows(executed, ends, TIMES[:2])),
        conferences=ends,
        dates=draw(st.tuples(*[st.floats(-2, 2)] * 3)),
        page=draw(st.integers(5, 20)),
        gives_next=draw(st.booleans()),
        shows_running=draw(st.booleans()),
    )
    mishaps = draw(st.sampled_from([["set"], ["suspended"], ["suspended", "stands still"], ["restarted"], []]))
    talkative = "restarted" in mishaps or draw(st.booleans())
    machine = draw(machines(plivo, mishaps=mishaps))
    for start in starts:
        assume(machine.is_awake(start.at))
        assume(all(not start.at - 10 <= change <= start.at + start.within for change in machine.changes))
    return Story(starts=starts, machine=machine, talkative=talkative)


many = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@many
@given(stories())
def test_existing_recording_is_never_called_absent(story: Story) -> None:
    states = story.play()
    for start_id in story.recordings:
        assert "absent" not in states[start_id]


@many
@given(quiet_stories())
def test_every_existing_recording_is_found_and_every_other_start_is_absent(story: Story) -> None:
    story.play()
    for start_id, record in story.machine.records.items():
        if start_id in story.recordings:
            assert (record.recording_id, record.state) == (story.recordings[start_id], "recorded")
        else:
            assert (record.recording_id, record.state) == (None, "absent")
