"""The state of one emulated account, and how requests change it.

Rules:

- A conference is live until it is ended. Every name is live from the beginning, unless the world is strict: then only
  conferences that were opened are live. A start in a world that is not strict opens an ended conference again.
- Two starts in one conference are two recordings; one stop ends all recordings of the conference.
- Every value is frozen and replaced as a whole, so that another thread may read the state.

Times and IDs are arguments. Callbacks are returned as values, and the caller delivers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, start_arguments, url_argument
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect, Dialects
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.transcription import (
    begin_transcription,
    callbacks_of_start,
    transcription_callback,
)

__all__ = ["Conference", "Result", "World"]


Running = tuple[str, "Running | None"]
"""The ID of a recording, and the same of the one before it."""


@attrs.frozen(kw_only=True)
class Conference:
    """A conference.

    Attributes:
        name: The name. Any text is a valid name.
        opened_at: When the conference was first used, or opened again (aware).
        live: Whether the conference has not ended.
        executed_starts: How many recordings were started in the conference.
        last_running: The ID of the recording that was started last and is running, and the same of the one before it.
            If None, no recording is running. A conference may have many, and every change makes a new value.
    """

    name: str
    opened_at: datetime
    live: bool = True
    executed_starts: int = 0
    last_running: Running | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def running(self) -> tuple[str, ...]:
        """The IDs of the recordings that are running, in the order of their starts."""
        found, rest = list[str](), self.last_running
        while rest is not None:
            recording_id, rest = rest
            found.append(recording_id)
        return tuple(reversed(found))

    def to_dict(self) -> dict[str, Any]:
        """Return the conference as JSON values."""
        return {
            "name": self.name,
            "opened_at": self.opened_at.isoformat(),
            "live": self.live,
            "executed_starts": self.executed_starts,
            "recording": self.last_running is not None,
            "running": list(self.running),
        }


@attrs.frozen(kw_only=True)
class Result:
    """The result of a request that was executed.

    Attributes:
        status: The HTTP status of the answer. With 204 the body is sent only by callback.
        body: The body of the answer.
        callbacks: The callbacks to deliver now.
        changed: The conference and the recordings that changed, as they are now.
    """

    status: int = 200
    body: Mapping[str, Any]
    callbacks: tuple[Callback, ...] = ()
    changed: tuple[Conference | Recording, ...] = ()


@attrs.define(kw_only=True)
class World:
    """An account at Plivo.

    Attributes:
        auth_id: The account's id.
        url: Where the API is served, without a slash at its end.
        strict: Whether only conferences that were opened are live.
        dialect: Which of the contradictory documents to follow.
        dialects: The dialects of single conferences, by name.
        quota: The quota of requests. If None, there is no limit.
        conferences: Every conference that was ever heard of, by name.
        recordings: Every recording that was not deleted, by id, in the order of their starts.
    """

    auth_id: str
    url: str
    strict: bool = False
    dialect: Dialect = attrs.field(factory=Dialect)
    dialects: dict[str, Dialect] = attrs.field(factory=Dialects)
    quota: Quota | None = None
    conferences: dict[str, Conference] = attrs.field(factory=dict[str, Conference])
    recordings: dict[str, Recording] = attrs.field(factory=dict[str, Recording])

    @property
    def account_path(self) -> str:
        """The path of all resources of this account."""
        return f"/v1/Account/{self.auth_id}"

    def conference(self, name: str, *, now: datetime) -> Conference:
        """Return the live conference of this name.

        Raises:
            RefusedError: 404, no conference of this name is live.
        """
        if name not in self.conferences and not self.strict:
            return Conference(name=name, opened_at=now)
        return self._existing(name)

    def dialect_of(self, conference_name: str | None) -> Dialect:
        """Return the dialect of a conference.

        Args:
            conference_name: The name. If None, the dialect of everything else is returned.
        """
        return self.dialects.get(conference_name, self.dialect) if conference_name is not None else self.dialect

    def clear(self) -> None:
        """Forget all conferences, recordings, and requests that count against the quota."""
        if self.quota:
            self.quota.clear()
        self.conferences.clear()
        self.recordings.clear()

    def open(self, name: str, *, now: datetime) -> Result:
        """Make a conference live, as if somebody had joined it."""
        known = self.conferences.get(name, Conference(name=name, opened_at=now))
        opened = known if known.live else attrs.evolve(known, live=True, opened_at=now)
        self.conferences[name] = opened
        return Result(body={"conference_name": name}, changed=(opened,))

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
        conference = attrs.evolve(
            conference,
            executed_starts=conference.executed_starts + 1,
            last_running=(recording_id, conference.last_running),
        )
        self.conferences[name] = conference
        return Result(
            status=self.dialect_of(name).start_status,
            body={
                "api_id": api_id,
                "message": "conference recording started",
                "recording_id": recording_id,
                "url": recording.url,
            },
            callbacks=recording.started_callbacks(self.dialect_of(name)),
            changed=(conference, recording),
        )

    def stop(self, name: str, *, now: datetime, api_id: str) -> Result:
        """End every recording of a live conference. It is no error if none is running.

        Raises:
            RefusedError: 404, the conference is not live.
        """
        conference, ended = self._end_recordings(self.conference(name, now=now), now=now)
        return Result(
            status=self.dialect_of(name).stop_status,
            body={"api_id": api_id, "message": "conference recording stopped"},
            callbacks=self._ended_callbacks(ended, now=now),
            changed=(conference, *ended),
        )

    def end(self, name: str, *, now: datetime) -> Result:
        """End a conference and its recordings.

        Raises:
            RefusedError: 404, no conference of this name was opened or had a recording started in it, or it has ended.
        """
        conference, ended = self._end_recordings(attrs.evolve(self._existing(name), live=False), now=now)
        return Result(
            body={"conference_name": name, "ended_recordings": [each.recording_id for each in ended]},
            callbacks=self._ended_callbacks(ended, now=now),
            changed=(conference, *ended),
        )

    def delete(self, recording_id: str, *, api_id: str) -> Result:
        """Delete a recording that has ended.

        Raises:
            RefusedError: 404, the recording does not exist or is still running.
        """
        recording = attrs.evolve(self.ended_recording(recording_id), deleted=True)
        del self.recordings[recording_id]
        return Result(status=204, body={"api_id": api_id}, changed=(recording,))

    def transcribe(self, recording_id: str, given: Mapping[str, Any], *, now: datetime, api_id: str) -> Result:
        """Begin to transcribe a recording that has ended, again if it was transcribed before.

        Raises:
            RefusedError: 400, an argument is invalid; 404, the recording does not exist or is still running.
        """
        url = url_argument(given, "transcription_callback_url")
        recording = self.ended_recording(recording_id)
        dialect = self.dialect_of(recording.conference_name)
        recording = begin_transcription(recording, dialect, now=now, by_start=False)
        recording = attrs.evolve(recording, executed_transcriptions=recording.executed_transcriptions + 1)
        self.recordings[recording_id] = recording
        return Result(
            status=202,
            body={"api_id": api_id, "message": "transcription in progress"},
            callbacks=() if url is None else (transcription_callback(recording, url, "POST", api_id=api_id, now=now),),
            changed=(recording,),
        )

    def ended_recording(self, recording_id: str) -> Recording:
        """Return a recording that has ended. Plivo does not show a recording before its end.

        Raises:
            RefusedError: 404, the recording does not exist or is still running.
        """
        recording = self.recordings.get(recording_id)
        if recording is None or recording.ended_at is None:
            raise RefusedError(404, "not found")
        return recording

    def call_uuid(self, conference_name: str) -> str:
        """Return the ID of the only call that takes part in a conference."""
        return str(uuid5(NAMESPACE_URL, f"{self.url}{self.account_path}/Conference/{conference_name}"))

    def executions(self, name: str) -> int:
        """Return how many starts in this conference were executed."""
        known = self.conferences.get(name)
        return known.executed_starts if known else 0

    def _existing(self, name: str) -> Conference:
        known = self.conferences.get(name)
        if known is None or not known.live:
            raise RefusedError(404, "not found")
        return known

    def _ended_callbacks(self, ended: list[Recording], *, now: datetime) -> tuple[Callback, ...]:
        return tuple(
            callback
            for each in ended
            for callback in (
                *each.ended_callbacks(self.dialect_of(each.conference_name)),
                *callbacks_of_start(each, now=now),
            )
        )

    def _end_recordings(self, conference: Conference, *, now: datetime) -> tuple[Conference, list[Recording]]:
        dialect = self.dialect_of(conference.name)
        ended = [
            begin_transcription(self.recordings[recording_id].ended(now), dialect, now=now, by_start=True)
            for recording_id in conference.running
        ]
        self.recordings.update((recording.recording_id, recording) for recording in ended)
        conference = attrs.evolve(conference, last_running=None)
        self.conferences[conference.name] = conference
        return conference, ended
