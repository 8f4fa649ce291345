"""The record of a followed recording: what is known about it, and which stages it has reached."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Final, Literal

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    HistoryEntry,
    Recording,
    RecordingEnded,
    RecordingState,
    RecordingStatus,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.handler_runs import HandlerRun, describe_failures

__all__ = ["FollowedRecording", "Progress", "Stage", "StartResponse", "progress_of"]

Stage = Literal["accepted", "recorded", "transcribed"]
"""The stages that a user can wait for."""

Progress = Literal["reached", "unreachable", "pending"]
"""Whether a stage has been reached, can no longer be reached, or may still be reached."""

_ACCEPTED: Final[frozenset[RecordingState]] = frozenset(
    {"accepted", "unconfirmed", "started", "recorded", "transcribed"}
)

_WITHOUT_RECORDING: Final[frozenset[RecordingState]] = frozenset({"not_sent", "rejected", "absent", "failed"})
"""The states of starts that made no recording."""


@attrs.frozen(kw_only=True)
class StartResponse:
    """What Plivo's response to the start contained.

    Attributes:
        api_id: Plivo's ID of the request. If None, it is not known.
        recording_id: Plivo's ID of the recording. It is None in asynchronous mode.
        url: The URL at which the file will be. It is None in asynchronous mode.
    """

    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class FollowedRecording(Value):
    """Everything that is known about one followed recording.

    Only the functions of ``protocol.recording.lifecycle`` make and change records. If an attribute may be None and
    nothing else is written here, None means that the value is not known.

    Attributes:
        start_id: The tracker's ID of the start.
        request: The request as it is sent, with the URLs that the tracker has issued. Callbacks are verified against
            these URLs.
        dedupe_key: The user's key of the start, which is unique in a store. If None, the start has no key.
        auth_id: The auth ID of the account that the start belongs to. If None, an earlier version of this package made
            the record, and it belongs to the account of the tracker.
        transcribe: Whether a transcript was requested without a URL, so that Plivo has to be asked for it.
        version: How often the record has changed. A store replaces a record only by its next version.
        state: The state of the recording.
        due_at: When the record has to be processed again. If None, nothing is left to do for it.
        sending: The clock readings at the time when the start was about to be sent.
        traceparent: The trace and the span of the start, as in the header ``traceparent``
            (https://www.w3.org/TR/trace-context/). If None, no span of the start was sampled.
        gone_at: When the conference was first found to be over, by Plivo's clock.
        start_response: What Plivo's response to the start contained.
        async_response: The asynchronous response.
        begun: What a callback reported when the recording began.
        ended: The end of the recording.
        transcription: The end of the transcription.
        transcript_requested_at: When a transcript was requested after Plivo had answered that there was none. If None,
            this was not done.
        candidates: The rows in Plivo's list that are, or may be, this recording.
        unhandled: The names of the events that have handlers which have neither succeeded nor been given up.
        handler_runs: The runs of the handlers of those events, or nothing if no handler has failed yet.
        history: The evidence that was applied, the oldest first.
    """

    start_id: str
    request: StartRequest
    dedupe_key: str | None = None
    auth_id: str | None = None
    transcribe: bool = False
    version: int = 0
    state: RecordingState = "planned"
    due_at: datetime | None = None
    sending: Sending | None = None
    traceparent: str | None = None
    gone_at: datetime | None = None
    start_response: StartResponse | None = None
    async_response: ApiResponse | None = None
    begun: Recording | None = None
    ended: RecordingEnded | None = None
    transcription: TranscriptionEnded | None = None
    transcript_requested_at: datetime | None = None
    candidates: tuple[Recording, ...] = ()
    unhandled: tuple[EventName, ...] = ()
    handler_runs: tuple[HandlerRun, ...] = ()
    history: tuple[HistoryEntry, ...]

    @property
    def conference_name(self) -> str:
        """The name of the conference."""
        return self.request.conference_name

    @property
    def is_polled(self) -> bool:
        """Whether the start has no callback URL, so that Plivo has to be asked about its recording."""
        return self.request.callback_url is None

    @property
    def expects_transcript(self) -> bool:
        """Whether a transcript was requested."""
        return self.transcribe or self.request.transcription_url is not None

    @property
    def created_at(self) -> datetime:
        """When the record was created."""
        return self.history[0].at

    @property
    def updated_at(self) -> datetime:
        """When the record last changed."""
        return self.history[-1].at

    @property
    def since(self) -> datetime:
        """When the recording reached its current state."""
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
        """Why the recording or its transcription failed, or why its state is uncertain. If None, there is no error."""
        if self.state in {"recorded", "transcribed"}:
            return (self.transcription and self.transcription.error) or None
        if self.state == "failed":
            return (self.async_response and self.async_response.error) or None
        reason = None
        if self.state in _WITHOUT_RECORDING or self.state in {"unknown", "unconfirmed"}:
            reason = next((entry.description for entry in self.history if entry.state == self.state), None)
        if len(self.candidates) > 1:
            ids = ", ".join(row.recording_id or "?" for row in self.candidates)
            reason = "; ".join(filter(None, [reason, f"it may be any of the recordings {ids}"]))
        return reason

    @property
    def handler_error(self) -> str | None:
        """Which handlers have failed, and when they run again or that they were given up. If None, none has failed."""
        return describe_failures(self.handler_runs)

    @property
    def status(self) -> RecordingStatus:
        """The public status of the recording."""
        return RecordingStatus(
            start_id=self.start_id,
            conference_name=self.conference_name,
            state=self.state,
            api_id=self.api_id,
            recording_id=self.recording_id,
            record_url=self.record_url,
            error=self.error,
            updated_at=self.updated_at,
            handler_error=self.handler_error,
            duration_ms=None if self.ended is None else self.ended.duration_ms,
            transcription=None if self.transcription is None else self.transcription.transcription,
            history=self.history,
        )

    @property
    def _found(self) -> Recording | None:
        return self.candidates[0] if len(self.candidates) == 1 else None


def progress_of(record: FollowedRecording, stage: Stage) -> Progress:
    """Return whether a recording has reached a stage, or can still reach it.

    A recording whose state is ``unknown`` or ``unconfirmed`` can still reach every stage.

    Args:
        record: The record.
        stage: The stage.
    """
    unreachable = record.state in _WITHOUT_RECORDING
    if stage == "accepted":
        reached = record.state in _ACCEPTED
    elif stage == "recorded":
        reached = record.ended is not None
    else:
        failed = record.transcription is not None and record.transcription.error is not None
        reached = record.transcription is not None and not failed
        unreachable = unreachable or failed or not record.expects_transcript
    return "reached" if reached else "unreachable" if unreachable else "pending"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
