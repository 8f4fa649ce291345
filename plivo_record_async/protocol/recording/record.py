"""The record of a followed recording: what is known about it, and what that means to those who wait for it."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Final, Literal

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    Recording,
    RecordingEnded,
    RecordingState,
    RecordingStatus,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.handler_runs import HandlerRun, describe_failures
from plivo_record_async.protocol.recording.kinds import Kind

__all__ = ["FollowedRecording", "HistoryEntry", "Progress", "Stage", "StartResponse", "progress", "status_of"]

Stage = Literal["accepted", "recorded", "transcribed"]
"""The stages that a user can wait for."""

Progress = Literal["reached", "lost", "waiting"]
"""Whether a stage has been reached, can no longer be reached, or may still be reached."""

_ACCEPTED: Final[frozenset[RecordingState]] = frozenset(
    {"accepted", "unconfirmed", "started", "recorded", "transcribed"}
)

_LOST: Final[frozenset[RecordingState]] = frozenset({"not_sent", "rejected", "absent", "failed"})
"""The states of starts that made no recording."""


@attrs.frozen(kw_only=True)
class StartResponse:
    """What the answer to the start said. The attributes are those of `StartAccepted`."""

    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One entry in the history of a recording.

    Attributes:
        kind: The kind of the evidence. The first entry is ``planned``.
        state: The state after it.
        at: When the evidence was applied (aware, UTC).
        description: A description of the evidence. The events of callbacks are in the record itself.
    """

    kind: Kind | Literal["planned"]
    state: RecordingState
    at: datetime
    description: str


@attrs.frozen(kw_only=True)
class FollowedRecording(Value):
    """Everything that is known about one followed recording. Only ``begin``, ``plan`` and ``apply`` make such records.

    Attributes:
        start_id: The tracker's id of the start.
        request: The request as it is sent. Callbacks are verified against its URLs, which the tracker has issued.
        dedupe_key: The user's key of the start, which is unique in a store.
        version: How often the record has changed. A store accepts a change only if it has the version before it.
        state: The state of the recording.
        due_at: When the record needs attention again. If None, nothing is left to do for it.
        sending: What the clocks of this machine showed when the start was about to be sent. It is None in records of
            older versions of this package.
        gone_at: When the conference was first seen to be over, by Plivo's clock.
        start_response: What the answer to the start said.
        async_response: The asynchronous response.
        begun: What a callback reported when the recording had begun.
        ended: The end of the recording.
        transcription: The end of the transcription.
        candidates: The rows in Plivo's list that are, or may be, this recording.
        unhandled: The events whose handlers have not all run.
        handler_runs: How these handlers stand. It is empty if none of them has failed.
        history: The history, the oldest entry first.
    """

    start_id: str
    request: StartRequest
    dedupe_key: str | None = None
    version: int = 0
    state: RecordingState = "planned"
    due_at: datetime | None = None
    sending: Sending | None = None
    gone_at: datetime | None = None
    start_response: StartResponse | None = None
    async_response: ApiResponse | None = None
    begun: Recording | None = None
    ended: RecordingEnded | None = None
    transcription: TranscriptionEnded | None = None
    candidates: tuple[Recording, ...] = ()
    unhandled: tuple[EventName, ...] = ()
    handler_runs: tuple[HandlerRun, ...] = ()
    history: tuple[HistoryEntry, ...]

    @property
    def conference_name(self) -> str:
        """The conference's name."""
        return self.request.conference_name

    @property
    def created_at(self) -> datetime:
        """When the record was made."""
        return self.history[0].at

    @property
    def updated_at(self) -> datetime:
        """When the record last changed."""
        return self.history[-1].at

    @property
    def since(self) -> datetime:
        """When the recording reached its state."""
        *_, first = takewhile(lambda entry: entry.state == self.state, reversed(self.history))
        return first.at

    @property
    def api_id(self) -> str | None:
        """Plivo's ID of the request. If None, it is not known."""
        return (
            (self.start_response and self.start_response.api_id)
            or (self.async_response and self.async_response.api_id)
            or (self.ended and self.ended.api_id)
            or None
        )

    @property
    def recording_id(self) -> str | None:
        """Plivo's ID of the recording, from the best source that has it. If None, it is not known."""
        return (
            (self.ended and self.ended.recording_id)
            or (self.transcription and self.transcription.recording_id)
            or (self.async_response and _text(self.async_response.answer.get("recording_id")))
            or (self.start_response and self.start_response.recording_id)
            or (self.begun and self.begun.recording_id)
            or (self._found and self._found.recording_id)
            or None
        )

    @property
    def record_url(self) -> str | None:
        """The URL at which the file is, or will be. If None, it is not known."""
        return (
            (self.ended and self.ended.record_url)
            or (self.async_response and _text(self.async_response.answer.get("url")))
            or (self.start_response and self.start_response.url)
            or (self.begun and self.begun.recording_url)
            or (self._found and self._found.recording_url)
            or None
        )

    @property
    def error(self) -> str | None:
        """What is wrong with the recording. If None, nothing is known to be wrong."""
        if self.state in {"recorded", "transcribed"}:
            return (self.transcription and self.transcription.error) or None
        if self.state == "failed":
            return (self.async_response and self.async_response.error) or None
        reason = None
        if self.state in _LOST or self.state in {"unknown", "unconfirmed"}:
            reason = next((entry.description for entry in self.history if entry.state == self.state), None)
        if len(self.candidates) > 1:
            may_be = ", ".join(row.recording_id or "?" for row in self.candidates)
            reason = "; ".join(filter(None, [reason, f"it may be any of the recordings {may_be}"]))
        return reason

    @property
    def handler_error(self) -> str | None:
        """Which of the user's handlers have failed and what happens next. If None, no handler has failed."""
        return describe_failures(self.handler_runs)

    @property
    def _found(self) -> Recording | None:
        return self.candidates[0] if len(self.candidates) == 1 else None


def progress(record: FollowedRecording, stage: Stage) -> Progress:
    """Return how a stage stands. An unknown or unconfirmed recording may still reach every stage.

    Args:
        record: The record.
        stage: The stage.
    """
    if stage == "accepted":
        reached = record.state in _ACCEPTED
        lost = record.state in _LOST
    elif stage == "recorded":
        reached = record.ended is not None
        lost = record.state in _LOST
    else:
        failed = record.transcription is not None and record.transcription.error is not None
        reached = record.transcription is not None and not failed
        lost = failed or record.state in _LOST or record.request.transcription_url is None
    return "reached" if reached else "lost" if lost else "waiting"


def status_of(record: FollowedRecording) -> RecordingStatus:
    """Return the status of a recording, which is what users see of its record.

    Args:
        record: The record.
    """
    return RecordingStatus(
        start_id=record.start_id,
        conference_name=record.conference_name,
        state=record.state,
        api_id=record.api_id,
        recording_id=record.recording_id,
        record_url=record.record_url,
        error=record.error,
        updated_at=record.updated_at,
        handler_error=record.handler_error,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
