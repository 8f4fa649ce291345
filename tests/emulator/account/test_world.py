from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.world import World

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)


def world(**options: Any) -> World:
    return World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://127.0.0.1:1", **options)


def start(of: World, name: str, number: int = 1, **given: str) -> None:
    of.start(name, given, now=NOW, api_id=f"api-{number}", recording_id=f"rec-{number}")


def test_start_is_answered_in_plivos_words() -> None:
    started = world().start("My Conf Room", {"file_format": "wav"}, now=NOW, api_id="a", recording_id="r")
    assert started.status == 202
    assert started.body == {
        "api_id": "a",
        "message": "conference recording started",
        "recording_id": "r",
        "url": "http://127.0.0.1:1/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/r.wav",
    }
    assert started.callbacks == ()


def test_two_starts_are_two_recordings_and_one_stop_ends_both() -> None:
    plivo = world()
    start(plivo, "standup", 1, callback_url="http://me/1")
    start(plivo, "standup", 2, callback_url="http://me/2", transcription_url="http://me/text")
    start(plivo, "Standup", 3, callback_url="http://me/3")
    assert plivo.executions("standup") == 2
    stopped = plivo.stop("standup", now=LATER, api_id="s")
    assert (stopped.status, stopped.body) == (204, {"api_id": "s", "message": "conference recording stopped"})
    assert [each.url for each in stopped.callbacks] == ["http://me/1", "http://me/2", "http://me/text"]
    assert {key: each.duration_ms for key, each in plivo.recordings.items()} == {
        "rec-1": 90_000,
        "rec-2": 90_000,
        "rec-3": 0,
    }
    assert plivo.stop("standup", now=LATER, api_id="s").callbacks == ()
    assert plivo.executions("standup") == 2


def test_a_conference_that_ends_ends_its_recordings() -> None:
    plivo = world()
    start(plivo, "standup", callback_url="http://me/1")
    ended = plivo.end("standup", now=LATER)
    assert ended.body == {"conference_name": "standup", "ended_recordings": ["rec-1"]}
    assert [each.kind for each in ended.callbacks] == ["recording"]
    with pytest.raises(RefusedError, match="404 not found"):
        plivo.end("standup", now=LATER)
    with pytest.raises(RefusedError, match="404 not found"):
        plivo.stop("standup", now=LATER, api_id="s")


@pytest.mark.parametrize("strict", [False, True])
def test_a_conference_that_does_not_exist_cannot_be_ended(strict: bool) -> None:
    plivo = world(strict=strict)
    with pytest.raises(RefusedError, match="404 not found"):
        plivo.end("never heard of", now=NOW)
    assert plivo.conferences == {}
    plivo.open("opened", now=NOW)
    assert plivo.end("opened", now=NOW).body == {"conference_name": "opened", "ended_recordings": []}


def test_a_start_opens_an_ended_conference_anew() -> None:
    plivo = world()
    start(plivo, "standup", 1)
    plivo.end("standup", now=NOW)
    plivo.start("standup", {}, now=LATER, api_id="a", recording_id="rec-2")
    assert plivo.conference("standup", now=LATER).opened_at == LATER
    assert plivo.executions("standup") == 2
    assert plivo.stop("standup", now=LATER, api_id="s").callbacks == ()


def test_a_strict_world_has_only_the_conferences_that_were_opened() -> None:
    plivo = world(strict=True)
    for _ in range(2):
        with pytest.raises(RefusedError, match="404"):
            start(plivo, "standup")
        with pytest.raises(RefusedError, match="404"):
            plivo.stop("standup", now=NOW, api_id="s")
        with pytest.raises(RefusedError, match="404"):
            plivo.end("standup", now=NOW)
        plivo.open("standup", now=NOW)
        assert plivo.open("standup", now=LATER).body == {"conference_name": "standup"}
        assert plivo.conference("standup", now=LATER).opened_at == NOW
        start(plivo, "standup")
        plivo.end("standup", now=NOW)
    assert plivo.executions("standup") == 2
    assert plivo.executions("another") == 0


def test_bad_arguments_start_nothing_and_open_nothing() -> None:
    plivo = world()
    with pytest.raises(RefusedError, match="400 file_format"):
        start(plivo, "standup", file_format="ogg")
    assert (plivo.conferences, plivo.recordings) == ({}, {})


def test_running_recording_is_not_shown() -> None:
    plivo = world()
    start(plivo, "standup")
    for unknown in ("rec-1", "rec-2"):
        with pytest.raises(RefusedError, match="404"):
            plivo.ended_recording(unknown)
    plivo.stop("standup", now=LATER, api_id="s")
    assert plivo.ended_recording("rec-1").ended_at == LATER


def test_dialect_decides_where_plivos_documents_contradict_each_other() -> None:
    plivo = world(dialect=Dialect(start_status=200, stop_status=200, started_callback=True))
    given = {"callback_url": "http://me/cb"}
    started = plivo.start("standup", given, now=NOW, api_id="a", recording_id="r")
    assert (started.status, [each.kind for each in started.callbacks]) == (200, ["recording"])
    assert plivo.stop("standup", now=NOW, api_id="s").status == 200


def test_each_request_for_a_transcript_is_executed_and_counted() -> None:
    plivo = world(dialect=Dialect(transcription_s=60))
    start(plivo, "standup")
    with pytest.raises(RefusedError, match="404"):
        plivo.transcribe("rec-1", {}, now=NOW, api_id="t")
    plivo.stop("standup", now=LATER, api_id="s")
    assert plivo.recordings["rec-1"].transcribed_at is None
    requested = plivo.transcribe("rec-1", {}, now=LATER, api_id="t")
    assert (requested.status, requested.body) == (202, {"api_id": "t", "message": "transcription in progress"})
    assert requested.callbacks == ()
    given = {"transcription_callback_url": "http://me/text#rc=3"}
    (callback,) = plivo.transcribe("rec-1", given, now=LATER, api_id="u").callbacks
    assert (callback.kind, callback.url, callback.method, callback.api_id) == (
        *("transcription", "http://me/text#rc=3", "POST", "u"),
    )
    assert callback.delay_s == 60
    assert plivo.recordings["rec-1"].executed_transcriptions == 2
    assert plivo.recordings["rec-1"].transcribed_at == LATER + timedelta(seconds=60)
    with pytest.raises(RefusedError, match="400 transcription_callback_url"):
        plivo.transcribe("rec-1", {"transcription_callback_url": "text"}, now=LATER, api_id="v")
    assert plivo.recordings["rec-1"].executed_transcriptions == 2


NAMES = st.sampled_from(["standup", "a/b", ""])


class AnyLife(RuleBasedStateMachine):
    """Whatever happens in whatever order, each recording ends once and is told of once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world()
        self.now = NOW
        self.started: dict[str, str] = {}
        self.told: list[str] = []

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        recording_id = f"rec-{len(self.started)}"
        given = {"callback_url": f"http://me/{recording_id}"}
        self.world.start(name, given, now=self.now, api_id="a", recording_id=recording_id)
        self.started[recording_id] = name

    @rule(name=NAMES, end=st.booleans())
    def stop(self, name: str, end: bool) -> None:
        try:
            callbacks = (
                self.world.end(name, now=self.now) if end else self.world.stop(name, now=self.now, api_id="s")
            ).callbacks
        except RefusedError:
            known = self.world.conferences.get(name)
            assert not known.live if known else end
        else:
            self.told += [each.fields["recording_id"] for each in callbacks]

    @rule(seconds=st.integers(0, 100_000))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def every_end_was_told_once(self) -> None:
        assert len(self.told) == len(set(self.told))
        assert set(self.told) == {key for key, each in self.world.recordings.items() if each.ended_at}
        running = [key for conference in self.world.conferences.values() for key in conference.running]
        assert sorted(running + self.told) == sorted(self.started)

    @invariant()
    def every_start_was_counted(self) -> None:
        for name in ("standup", "a/b", ""):
            assert self.world.executions(name) == list(self.started.values()).count(name)


TestAnyLife = AnyLife.TestCase


def test_many_recordings_may_run_in_one_conference() -> None:
    world = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h")
    ids = [f"r{number}" for number in range(60_000)]
    for each in ids:
        world.start("x", {}, now=NOW, api_id="a", recording_id=each)
    conference = world.conferences["x"]
    assert conference.running == tuple(ids)
    assert conference == world.conferences["x"]
    ended = world.end("x", now=NOW)
    assert ended.body["ended_recordings"] == ids
    assert world.conferences["x"].running == ()


def test_deleted_and_cleared_recordings_are_gone() -> None:
    world = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h", quota=Quota(1, 5.0))
    world.start("x", {}, now=NOW, api_id="a", recording_id="r")
    assert world.conferences["x"].to_dict()["running"] == ["r"]
    world.stop("x", now=NOW, api_id="b")
    (deleted,) = world.delete("r", api_id="c").changed
    assert (deleted.to_dict()["deleted"], world.recordings) == (True, {})
    world.clear()
    assert world.conferences == {}
