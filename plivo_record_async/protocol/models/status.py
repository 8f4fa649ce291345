"""The status of a followed recording."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, get_args

import attrs

from plivo_record_async._value import Value

__all__ = ["STATES", "EvidenceKind", "HistoryEntry", "RecordingState", "RecordingStatus", "as_states"]

RecordingState = Literal[
    "planned",
    "sending",
    "accepted",
    "started",
    "recorded",
    "transcribed",
    "not_sent",
    "rejected",
    "unknown",
    "absent",
    "failed",
    "unconfirmed",
]
"""The state of a followed recording in its lifecycle.

- ``planned``: The start is stored. Nothing has been sent.
- ``sending``: The request is being sent.
- ``accepted``: Plivo accepted the start.
- ``started``: A callback or Plivo's list showed that the recording is running.
- ``recorded``: The recording has ended, and its file is available.
- ``transcribed``: The transcript is available.
- ``not_sent``: Nothing was sent. The start is safe to repeat.
- ``rejected``: Plivo rejected the start.
- ``unknown``: The start may have been executed.
- ``absent``: The conference is over, and Plivo's list contains no recording of this start.
- ``failed``: A callback reported that the start failed.
- ``unconfirmed``: Plivo accepted the start, but no callback arrived in time.
"""


STATES: Final[tuple[RecordingState, ...]] = get_args(RecordingState)
"""All states."""

EvidenceKind = Literal[
    "sending_began",
    "sending_continued",
    "accepted",
    "rejected",
    "not_sent",
    "outcome_unknown",
    "start_confirmed",
    "start_failed",
    "recording_began",
    "recording_ended",
    "transcribed",
    "transcription_failed",
    "found_running",
    "found_ended",
    "found_several",
    "conference_gone",
    "nothing_found",
    "transcript_missing",
    "transcript_request_began",
    "transcript_not_requested",
    "due_time_reached",
    "handler_progress",
    "event_handled",
]
"""The kind of a piece of evidence: what the tracker learned about a followed recording.

- ``sending_began``: The request is about to be sent.
- ``sending_continued``: The request is still being sent.
- ``accepted``, ``rejected``, ``not_sent``, ``outcome_unknown``: How sending the request ended.
- ``start_confirmed``, ``start_failed``: Plivo reported that the recording was, or was not, started.
- ``recording_began``, ``recording_ended``: A callback reported that the recording began or ended.
- ``transcribed``, ``transcription_failed``: Plivo delivered the transcript, or reported that there is none.
- ``found_running``, ``found_ended``: Plivo lists the recording as running or ended.
- ``found_several``: Several recordings in Plivo's list may be this one.
- ``conference_gone``: The conference is over, and Plivo does not list the recording yet.
- ``nothing_found``: The conference is over, and Plivo does not list the recording.
- ``transcript_missing``: Plivo answered that it has no transcript.
- ``transcript_request_began``: A transcript is about to be requested.
- ``transcript_not_requested``: A transcript was certainly not requested.
- ``due_time_reached``: Nothing was learned until the time at which the recording had to be processed.
- ``handler_progress``, ``event_handled``: Some handlers of an event have ended, or all of them.
"""


@attrs.frozen(kw_only=True)
class HistoryEntry(Value):
    """One step in the history of a followed recording.

    Attributes:
        kind: The kind of the evidence (`EvidenceKind`). The first entry has ``planned`` instead.
        state: The state of the recording after the evidence was applied.
        at: When the evidence was applied (aware, UTC).
        description: A description of the evidence, as a text for people.
    """

    kind: EvidenceKind | Literal["planned"]
    state: RecordingState
    at: datetime
    description: str


@attrs.frozen(kw_only=True)
class RecordingStatus(Value):
    """The status of one followed recording.

    Attributes:
        start_id: The tracker's ID of the start.
        conference_name: The name of the conference.
        state: The state of the recording (`RecordingState`).
        api_id: Plivo's ID of the request that started the recording. If None, it is not known.
        recording_id: Plivo's ID of the recording. It is opaque. If None, it is not known.
        record_url: The URL of the file. It may be known before the recording ends. If None, it is not known.
        error: What went wrong, as a text for people. If None, nothing is known to have gone wrong.
        updated_at: When the status last changed (aware, UTC).
        handler_error: Which of your handlers failed, and when they run again or that they will not, as a text for
            people. If None, no handler has failed, or each handler that failed has succeeded since.
        duration_ms: The length of the recording in milliseconds. If None, it is not known.
        transcription: The transcript. It is empty if nobody spoke, and it is left out of ``repr``. If None, there is no
            transcript yet.
        history: The steps that led to the state, the oldest first. They are left out of ``repr``.
    """

    start_id: str
    conference_name: str
    state: RecordingState
    api_id: str | None = None
    recording_id: str | None = None
    record_url: str | None = None
    error: str | None = None
    updated_at: datetime
    handler_error: str | None = None
    duration_ms: int | None = None
    transcription: str | None = attrs.field(default=None, repr=False)
    history: tuple[HistoryEntry, ...] = attrs.field(default=(), repr=False)


def as_states(state: RecordingState | Iterable[RecordingState]) -> tuple[RecordingState, ...]:
    """Return one state or several as a tuple.

    Args:
        state: The state or the states.

    Raises:
        TypeError: The argument is neither a string nor an iterable of strings.
        ValueError: A state does not exist, or there is no state.
    """
    if not isinstance(state, Iterable):
        raise TypeError(f"state must be a str or an iterable of str, not {type(state).__name__}: {state!r}")
    states: tuple[object, ...] = (state,) if isinstance(state, str) else tuple(state)
    for each in states:
        if not isinstance(each, str):
            raise TypeError(f"state must be a str or an iterable of str, not one that contains {each!r}")
        if each not in STATES:
            raise ValueError(f"state must be one or several of {', '.join(STATES)}, not {each!r}")
    if not states:
        raise ValueError("state must not be empty; pass None to select the recordings in all states")
    return tuple(each for each in STATES if each in states)
