"""The kinds of evidence, which are the rows of the lifecycle's table, and the descriptions in a record's history."""

from __future__ import annotations

from plivo_record_async.protocol.models import (
    ApiResponse,
    EvidenceKind,
    RecordingEnded,
    RecordingState,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    DueTimeReached,
    EventHandled,
    Evidence,
    HandlerProgress,
    NothingFound,
    RecordingBegan,
    RecordingFound,
    SendingBegan,
    SendingContinued,
    StartAccepted,
    StartNotSent,
    StartOutcomeUnknown,
    StartRejected,
    TranscriptMissing,
    TranscriptNotRequested,
    TranscriptRequestBegan,
)

__all__ = ["describe", "kind_of"]

_KINDS: dict[type[Evidence], EvidenceKind] = {
    SendingBegan: "sending_began",
    SendingContinued: "sending_continued",
    StartAccepted: "accepted",
    StartRejected: "rejected",
    StartNotSent: "not_sent",
    StartOutcomeUnknown: "outcome_unknown",
    RecordingBegan: "recording_began",
    RecordingEnded: "recording_ended",
    CandidatesFound: "found_several",
    ConferenceGone: "conference_gone",
    NothingFound: "nothing_found",
    TranscriptMissing: "transcript_missing",
    TranscriptRequestBegan: "transcript_request_began",
    TranscriptNotRequested: "transcript_not_requested",
    DueTimeReached: "due_time_reached",
    HandlerProgress: "handler_progress",
    EventHandled: "event_handled",
}

_DESCRIPTIONS: dict[EvidenceKind, str] = {
    "sending_began": "sending began",
    "sending_continued": "sending continued",
    "start_confirmed": "a callback reported that it was started",
    "recording_began": "a callback reported that it has begun",
    "recording_ended": "a callback reported that it has ended",
    "transcribed": "Plivo delivered the transcript",
    "found_running": "Plivo lists it as running",
    "found_ended": "Plivo lists it as ended",
    "found_several": "more than one recording in Plivo's list may be this one",
    "conference_gone": "the conference is over, and Plivo does not list the recording yet",
    "nothing_found": "the conference is over, and Plivo does not list the recording",
    "transcript_request_began": "a transcript is requested",
    "handler_progress": "some handlers have ended",
    "event_handled": "all handlers are finished",
}

_DUE_DESCRIPTIONS: dict[RecordingState, str] = {
    "not_sent": "the program ended before it sent anything",
    "unknown": "the program ended, or could not use its store, while it was sending",
    "unconfirmed": "Plivo accepted it, but no callback was received in time",
    "recorded": "no transcript was received in time",
}


def kind_of(evidence: Evidence) -> EvidenceKind:
    """Return the kind of a piece of evidence, which is its row in the lifecycle's table.

    Args:
        evidence: The evidence.
    """
    match evidence:
        case StartAccepted(confirmed=True):
            return "start_confirmed"
        case ApiResponse():
            return "start_failed" if evidence.error is not None else "start_confirmed"
        case TranscriptionEnded():
            return "transcription_failed" if evidence.error is not None else "transcribed"
        case RecordingFound(recording=row):
            has_ended = row.recording_url is not None and (row.duration_ms, row.ended_at) != (None, None)
            return "found_ended" if has_ended else "found_running"
        case _:
            return _KINDS[type(evidence)]


def describe(evidence: Evidence, state: RecordingState) -> str:
    """Return a description of a piece of evidence for the history of a recording.

    Args:
        evidence: The evidence.
        state: The state of the recording after the evidence was applied.
    """
    match evidence:
        case (
            StartAccepted()
            | StartRejected()
            | StartNotSent()
            | StartOutcomeUnknown()
            | TranscriptMissing()
            | TranscriptNotRequested()
        ):
            return evidence.description
        case ApiResponse(error=str(error)):
            return f"a callback reported that it failed: {error}"
        case TranscriptionEnded(error=str(error)):
            return f"the transcription failed: {error}"
        case DueTimeReached():
            return _DUE_DESCRIPTIONS.get(state, "its due time was reached")
        case _:
            return _DESCRIPTIONS[kind_of(evidence)]
