"""The types of evidence about a followed recording.

Evidence comes from sending the start, from callbacks, from asking Plivo, from the user's handlers, and from the passing
of time. Each value is one piece of evidence, and ``lifecycle`` decides what it changes. The events of callbacks are
evidence themselves: `ApiResponse`, `RecordingEnded` and `TranscriptionEnded`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import attrs

from plivo_record_async.protocol.clocks import Sending
from plivo_record_async.protocol.models import ApiResponse, Recording, RecordingEnded, TranscriptionEnded

__all__ = [
    "CandidatesFound",
    "ConferenceGone",
    "DueTimeReached",
    "EventHandled",
    "EventName",
    "Evidence",
    "HandlerProgress",
    "NothingFound",
    "RecordingBegan",
    "RecordingFound",
    "SendingBegan",
    "SendingContinued",
    "StartAccepted",
    "StartNotSent",
    "StartOutcomeUnknown",
    "StartRejected",
    "TranscriptMissing",
    "TranscriptNotRequested",
    "TranscriptRequestBegan",
    "event_name",
]

EventName = Literal["ApiResponse", "RecordingEnded", "TranscriptionEnded"]
"""The names of the events that can have handlers."""


# From sending the start


@attrs.frozen(kw_only=True)
class SendingBegan:
    """The start is about to be sent. This is stored before a byte can leave this machine.

    Attributes:
        sending: The readings of this machine's clocks. If None, they are not known.
        traceparent: The trace and the span of the start. If None, the start is not traced.
    """

    sending: Sending | None = None
    traceparent: str | None = None


@attrs.frozen
class SendingContinued:
    """The process that sends the start is running, so the lease of the record is renewed."""


@attrs.frozen(kw_only=True)
class StartAccepted:
    """Plivo's response has a success status. Its body may be unreadable.

    Attributes:
        description: A description of the response.
        api_id: Plivo's ID of the request. If None, it is not known.
        recording_id: Plivo's ID of the recording. It is None in asynchronous mode.
        url: The URL at which the file will be. It is None in asynchronous mode.
        confirmed: Whether the response says that the recording has begun. In asynchronous mode, only a callback says
            it.
    """

    description: str
    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None
    confirmed: bool = False


@attrs.frozen(kw_only=True)
class StartRejected:
    """Plivo's response proves that the start was not executed.

    Attributes:
        description: A description of the response.
        api_id: Plivo's ID of the request. If None, it is not known.
    """

    description: str
    api_id: str | None = None


@attrs.frozen(kw_only=True)
class StartNotSent:
    """No byte of the start was sent, and this is certain.

    Attributes:
        description: Why nothing was sent.
    """

    description: str


@attrs.frozen(kw_only=True)
class StartOutcomeUnknown:
    """The start was sent, and no response says whether it was executed.

    Attributes:
        description: What was observed instead.
        api_id: Plivo's ID of the request. If None, no response contained one.
    """

    description: str
    api_id: str | None = None


# From a callback that has the form of a `RecordingEnded`


@attrs.frozen(kw_only=True)
class RecordingBegan:
    """A callback reported a recording with the duration -1, which means that the recording has just begun.

    Attributes:
        recording: What the callback reported.
    """

    recording: Recording


# From asking Plivo


@attrs.frozen(kw_only=True)
class RecordingFound:
    """Plivo's list contains the recording.

    Attributes:
        recording: The row of the list.
    """

    recording: Recording


@attrs.frozen(kw_only=True)
class CandidatesFound:
    """Plivo's list contains several recordings that may be this one.

    Attributes:
        recordings: The rows of the list.
    """

    recordings: tuple[Recording, ...]


@attrs.frozen(kw_only=True)
class ConferenceGone:
    """The conference is over, and Plivo's list does not contain the recording yet. The grace period begins.

    Attributes:
        at: When this was observed, by Plivo's clock. If None, the time at which the evidence is applied.
    """

    at: datetime | None = None


@attrs.frozen
class NothingFound:
    """The conference and the grace period are over, and Plivo's list still does not contain the recording."""


@attrs.frozen(kw_only=True)
class TranscriptMissing:
    """Plivo answered that it has no transcript of the recording, or not yet.

    Attributes:
        description: A description of the answer.
    """

    description: str


# From requesting a transcript


@attrs.frozen
class TranscriptRequestBegan:
    """A transcript is about to be requested. This is stored before a byte can leave this machine."""


@attrs.frozen(kw_only=True)
class TranscriptNotRequested:
    """The request for a transcript was certainly not executed.

    Attributes:
        description: Why it was not executed.
    """

    description: str


# From the passing of time, and from the user's handlers


@attrs.frozen
class DueTimeReached:
    """The ``due_at`` of the record has passed. If it has not, this changes nothing."""


@attrs.frozen(kw_only=True)
class HandlerProgress:
    """Some handlers of an event have succeeded, failed or begun, and not all of them are finished.

    Attributes:
        name: The name of the event.
        succeeded: The handlers that have succeeded.
        failed: The handlers that have just failed, each with a description of its error.
        running: The handlers that are running.
    """

    name: EventName
    succeeded: frozenset[str] = frozenset()
    failed: tuple[tuple[str, str], ...] = ()
    running: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class EventHandled:
    """All handlers of an event are finished: each has succeeded or was given up.

    Attributes:
        name: The name of the event.
    """

    name: EventName


Evidence = (
    SendingBegan
    | SendingContinued
    | StartAccepted
    | StartRejected
    | StartNotSent
    | StartOutcomeUnknown
    | ApiResponse
    | RecordingEnded
    | TranscriptionEnded
    | RecordingBegan
    | RecordingFound
    | CandidatesFound
    | ConferenceGone
    | NothingFound
    | TranscriptMissing
    | TranscriptRequestBegan
    | TranscriptNotRequested
    | DueTimeReached
    | HandlerProgress
    | EventHandled
)
"""Any piece of evidence."""


def event_name(event: ApiResponse | RecordingEnded | TranscriptionEnded) -> EventName:
    """Return the name of an event, which is the name of its class.

    Args:
        event: The event.
    """
    match event:
        case ApiResponse():
            return "ApiResponse"
        case RecordingEnded():
            return "RecordingEnded"
        case _:
            return "TranscriptionEnded"
