"""PURE: what Plivo knows of one account, and what a request does to it.

Rules that are kept:

- A conference is live until it is ended. Any name is live from the outset, unless the world is strict: then
  only names that were opened are. A start in a world that is not strict opens an ended conference anew.
- Two starts in one conference are two recordings; one stop ends all recordings of the conference.
- Every value is frozen and replaced as a whole, so that another thread may look on.

Time and ids are arguments. Callbacks are returned as values, and the caller has to deliver them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import attrs

from plivo_record_async.emulator.arguments import RefusedError, choice_argument, url_argument
from plivo_record_async.emulator.callbacks import Callback
from plivo_record_async.emulator.dialect import Dialect, Fault
from plivo_record_async.emulator.recording import Recording

__all__ = ["Conference", "Result", "World", "start_arguments"]


@attrs.frozen(kw_only=True)
class Conference:
    """A conference.

    Attributes:
        name: Its name, any text.
        opened_at: When it was first heard of, or opened anew (aware).
        live: Whether it has not ended.
        executed_starts: How many recordings were started in it, ever.
        running: The ids of the recordings that are running.
    """

    name: str
    opened_at: datetime
    live: bool = True
    executed_starts: int = 0
    running: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Result:
    """What executing a request gave.

    Attributes:
        status: HTTP status of the answer; with 204 the body is said only by callback.
        body: What Plivo has to say of it.
        owed: The callbacks that are due now.
    """

    status: int = 200
    body: Mapping[str, Any]
    callbacks: tuple[Callback, ...] = ()


@attrs.define(kw_only=True)
class World:
    """An account at Plivo.

    Attributes:
        auth_id: The account's id.
        url: Where the API is served, without a slash at its end.
        strict: Whether only conferences that were opened are live.
        dialect: Which of the contradictory documents to follow.
        faults: What goes wrong with the next requests, one each.
        conferences: Every conference that was ever heard of, by name.
        recordings: Every recording that was not deleted, by id, in the order of their starts.
    """

    auth_id: str
    url: str
    strict: bool = False
    dialect: Dialect = attrs.field(factory=Dialect)
    faults: deque[Fault] = attrs.field(factory=deque[Fault])
    conferences: dict[str, Conference] = attrs.field(factory=dict[str, Conference])
    recordings: dict[str, Recording] = attrs.field(factory=dict[str, Recording])

    @property
    def account_path(self) -> str:
        """The path under which everything of this account is found."""
        return f"/v1/Account/{self.auth_id}"

    def conference(self, name: str, *, now: datetime) -> Conference:
        """The live conference of this name.

        Raises:
            RefusedError: 404, there is none.
        """
        if name not in self.conferences and not self.strict:
            return Conference(name=name, opened_at=now)
        return self._existing(name)

    def open(self, name: str, *, now: datetime) -> Result:
        """Let a conference be live, as if somebody had dialled in."""
        known = self.conferences.get(name, Conference(name=name, opened_at=now))
        self.conferences[name] = known if known.live else attrs.evolve(known, live=True, opened_at=now)
        return Result(body={"conference_name": name})

    def start(self, name: str, given: Mapping[str, Any], *, now: datetime, api_id: str, recording_id: str) -> Result:
        """Start a recording: https://plivo.com/docs/voice/api/conferences .

        Raises:
            RefusedError: 400, an argument is invalid; 404, the conference is not live.
        """
        asked = start_arguments(given)
        if not self.strict:
            self.open(name, now=now)
        conference = self.conference(name, now=now)
        resource_uri = f"{self.account_path}/Recording/{recording_id}/"
        recording = Recording(
            recording_id=recording_id,
            api_id=api_id,
            call_uuid=self.call_uuid(name),
            conference_name=name,
            url=f"{self.url}{resource_uri.removesuffix('/')}.{asked['file_format']}",
            resource_uri=resource_uri,
            started_at=now,
            **asked,
        )
        self.recordings[recording_id] = recording
        self.conferences[name] = attrs.evolve(
            conference,
            executed_starts=conference.executed_starts + 1,
            running=(*conference.running, recording_id),
        )
        return Result(
            status=self.dialect.start_status,
            body={
                "api_id": api_id,
                "message": "conference recording started",
                "recording_id": recording_id,
                "url": recording.url,
            },
            callbacks=recording.started_callbacks(self.dialect),
        )

    def stop(self, name: str, *, now: datetime, api_id: str) -> Result:
        """End every recording of a live conference; none need be running.

        Raises:
            RefusedError: 404, the conference is not live.
        """
        ended = self._end_recordings(self.conference(name, now=now), now=now)
        return Result(
            status=self.dialect.stop_status,
            body={"api_id": api_id, "message": "conference recording stopped"},
            callbacks=self._ended_callbacks(ended),
        )

    def end(self, name: str, *, now: datetime) -> Result:
        """End a conference, and with it its recordings.

        Raises:
            RefusedError: 404, no conference of this name was opened or had a recording started in it, or it has ended.
        """
        ended = self._end_recordings(attrs.evolve(self._existing(name), live=False), now=now)
        return Result(
            body={"conference_name": name, "ended_recordings": [each.recording_id for each in ended]},
            callbacks=self._ended_callbacks(ended),
        )

    def ended_recording(self, recording_id: str) -> Recording:
        """A recording that has ended: before that, Plivo shows nothing of it.

        Raises:
            RefusedError: 404, there is none, or it is still running.
        """
        recording = self.recordings.get(recording_id)
        if recording is None or recording.ended_at is None:
            raise RefusedError(404, "not found")
        return recording

    def call_uuid(self, conference_name: str) -> str:
        """The id of the one call that takes part in a conference."""
        return str(uuid5(NAMESPACE_URL, f"{self.url}{self.account_path}/Conference/{conference_name}"))

    def executions(self, name: str) -> int:
        """How many starts in this conference were really executed."""
        known = self.conferences.get(name)
        return known.executed_starts if known else 0

    def _existing(self, name: str) -> Conference:
        known = self.conferences.get(name)
        if known is None or not known.live:
            raise RefusedError(404, "not found")
        return known

    def _ended_callbacks(self, ended: list[Recording]) -> tuple[Callback, ...]:
        return tuple(callback for each in ended for callback in each.ended_callbacks(self.dialect))

    def _end_recordings(self, conference: Conference, *, now: datetime) -> list[Recording]:
        ended = [self.recordings[recording_id].ended(now) for recording_id in conference.running]
        self.recordings.update((recording.recording_id, recording) for recording in ended)
        self.conferences[conference.name] = attrs.evolve(conference, running=())
        return ended


def start_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a start, checked, with Plivo's defaults.

    Raises:
        RefusedError: 400, one is invalid.
    """
    # By their age, the documents name auto alone, auto and hybrid, or auto, hybrid and manual.
    choice_argument(given, "transcription_type", ("auto", "hybrid", "manual"), "auto")
    return {
        "file_format": choice_argument(given, "file_format", ("mp3", "wav"), "mp3"),
        "callback_url": url_argument(given, "callback_url"),
        "callback_method": choice_argument(given, "callback_method", ("GET", "POST"), "POST"),
        "transcription_url": url_argument(given, "transcription_url"),
        "transcription_method": choice_argument(given, "transcription_method", ("GET", "POST"), "POST"),
    }
