"""What can be learned of a followed recording: from our own sending, from callbacks, by looking, from time.

Each value is one piece of evidence; `lifecycle` decides what it changes. The callbacks' events are evidence as
they are: `ApiResponse`, `RecordingEnded`, `TranscriptionEnded`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import attrs

from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import (
    ApiResponse,
    Recording,
    RecordingEnded,
    RecordingState,
    TranscriptionEnded,
)

__all__ = [
    "CameDue",
    "CandidatesFound",
    "ConferenceGone",
    "EventHandled",
    "EventName",
    "Evidence",
    "HandlersEnded",
    "Kind",
    "NothingFound",
    "RecordingBegan",
    "RecordingFound",
    "SendingBegan",
    "SendingContinued",
    "StartAccepted",
    "StartNotSent",
    "StartRefused",
    "StartUnanswered",
    "event_name",
    "kind_of",
    "words_of",
]

Kind = Literal[
    "sending_began",
    "sending_continued",
    "accepted",
    "refused",
    "not_sent",
    "unanswered",
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
    "came_due",
    "handlers_ended",
    "handled",
]
"""The kinds of evidence that the table of the lifecycle knows."""

EventName = Literal["ApiResponse", "RecordingEnded", "TranscriptionEnded"]
"""The events that users may handle."""


# From our own sending


@attrs.frozen(kw_only=True)
class SendingBegan:
    """From here on a byte may leave this machine; stored before it can.

    Attributes:
        sending: What our clocks showed.
    """

    sending: Sending | None = None


@attrs.frozen
class SendingContinued:
    """The program that plans or sends is alive and still at it: its lease is renewed."""


@attrs.frozen(kw_only=True)
class StartAccepted:
    """Plivo answered 2xx, readable or not.

    Attributes:
        words: What was answered.
        api_id: Plivo's id of the request.
        recording_id: Plivo's id of the recording; absent in asynchronous mode.
        url: Where the file will be; absent in asynchronous mode.
    """

    words: str
    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class StartRefused:
    """Plivo answered that it did not do it.

    Attributes:
        words: What was answered.
        api_id: Plivo's id of the request.
    """

    words: str
    api_id: str | None = None


@attrs.frozen(kw_only=True)
class StartNotSent:
    """It is certain that no byte left.

    Attributes:
        words: Why it is certain.
    """

    words: str


@attrs.frozen(kw_only=True)
class StartUnanswered:
    """It was sent, and no usable answer came.

    Attributes:
        words: What was seen instead.
        api_id: Plivo's id of the request, if a 5xx carried one.
    """

    words: str
    api_id: str | None = None


# From a callback that says something else than its event does


@attrs.frozen(kw_only=True)
class RecordingBegan:
    """A callback in the words of an end told of a recording that has no length yet.

    Attributes:
        recording: What it said.
    """

    recording: Recording


# By looking


@attrs.frozen(kw_only=True)
class RecordingFound:
    """Plivo's list of recordings has this one, and it can be no other's.

    Attributes:
        recording: The row.
    """

    recording: Recording


@attrs.frozen(kw_only=True)
class CandidatesFound:
    """Plivo's list has several recordings that may be this one.

    Attributes:
        recordings: The rows.
    """

    recordings: tuple[Recording, ...]


@attrs.frozen(kw_only=True)
class ConferenceGone:
    """The conference is over, and the list has no row yet: the time of grace begins.

    Attributes:
        at: When that was seen, by Plivo's clock; if None, when it is learned.
    """

    at: datetime | None = None


@attrs.frozen
class NothingFound:
    """The conference is over, the time of grace too, and the list still has no row."""


# From time, and from ourselves


@attrs.frozen
class CameDue:
    """The record's ``due_at`` has come. Before that time it says nothing."""


@attrs.frozen(kw_only=True)
class HandlersEnded:
    """How the user's handlers of an event stand, of which at least one has not run to its end.

    Attributes:
        name: Of which event.
        done: The handlers that have run to their end.
        failed: The handlers that have just failed, each with its error in words.
        running: The handlers that are running.
    """

    name: EventName
    done: frozenset[str] = frozenset()
    failed: tuple[tuple[str, str], ...] = ()
    running: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class EventHandled:
    """The user's handlers have run to their end.

    Attributes:
        name: Of which event.
    """

    name: EventName


Evidence = (
    SendingBegan
    | SendingContinued
    | StartAccepted
    | StartRefused
    | StartNotSent
    | StartUnanswered
    | ApiResponse
    | RecordingEnded
    | TranscriptionEnded
    | RecordingBegan
    | RecordingFound
    | CandidatesFound
    | ConferenceGone
    | NothingFound
    | CameDue
    | HandlersEnded
    | EventHandled
)
"""Whatever can be learned."""

_KINDS: dict[type[Evidence], Kind] = {
    SendingBegan: "sending_began",
    SendingContinued: "sending_continued",
    StartAccepted: "accepted",
    StartRefused: "refused",
    StartNotSent: "not_sent",
    StartUnanswered: "unanswered",
    RecordingBegan: "recording_began",
    RecordingEnded: "recording_ended",
    CandidatesFound: "found_several",
    ConferenceGone: "conference_gone",
    NothingFound: "nothing_found",
    CameDue: "came_due",
    HandlersEnded: "handlers_ended",
    EventHandled: "handled",
}

_WORDS: dict[Kind, str] = {
    "sending_began": "sending began",
    "sending_continued": "sending goes on",
    "start_confirmed": "a callback said that it started",
    "recording_began": "a callback said that it has begun",
    "recording_ended": "a callback said that it ended",
    "transcribed": "a callback brought the transcript",
    "found_running": "Plivo lists it as running",
    "found_ended": "Plivo lists it",
    "found_several": "more than one recording in Plivo's list may be this one",
    "conference_gone": "the conference is over, and Plivo lists no recording yet",
    "nothing_found": "the conference is over, and Plivo lists no recording",
    "handlers_ended": "some handlers have run",
    "handled": "the handlers have run",
}

_DUE_WORDS: dict[RecordingState, str] = {
    "not_sent": "the program ended before it sent anything",
    "unknown": "the program ended, or lost its store, while it was sending",
    "unconfirmed": "Plivo accepted it, but no callback came in time",
    "recorded": "no transcript came in time",
}


def event_name(event: ApiResponse | RecordingEnded | TranscriptionEnded) -> EventName:
    """What users call the event."""
    match event:
        case ApiResponse():
            return "ApiResponse"
        case RecordingEnded():
            return "RecordingEnded"
        case _:
            return "TranscriptionEnded"


def kind_of(evidence: Evidence) -> Kind:
    """The row of the table that the evidence belongs to."""
    match evidence:
        case ApiResponse():
            return "start_failed" if evidence.error is not None else "start_confirmed"
        case TranscriptionEnded():
            return "transcription_failed" if evidence.error is not None else "transcribed"
        case RecordingFound(recording=row):
            has_ended = row.recording_url is not None and (row.duration_ms, row.ended_at) != (None, None)
            return "found_ended" if has_ended else "found_running"
        case _:
            return _KINDS[type(evidence)]


def words_of(evidence: Evidence, state: RecordingState) -> str:
    """The evidence in a few words, for the history of a recording that is ``state`` by it."""
    match evidence:
        case StartAccepted() | StartRefused() | StartNotSent() | StartUnanswered():
            return evidence.words
        case ApiResponse(error=str(error)):
            return f"a callback said that it failed: {error}"
        case TranscriptionEnded(error=str(error)):
            return f"a callback said that the transcription failed: {error}"
        case CameDue():
            return _DUE_WORDS.get(state, "time passed")
        case _:
            return _WORDS[kind_of(evidence)]
