"""What can be evidence about a recording: sending it, callbacks, queries to Plivo, the user's handlers, and time.

Each value is one piece of evidence, and `lifecycle` decides what it changes. The events of callbacks are evidence as
they are: `ApiResponse`, `RecordingEnded` and `TranscriptionEnded`.
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
    "event_name",
]

EventName = Literal["ApiResponse", "RecordingEnded", "TranscriptionEnded"]
"""The names of the events that users may handle."""


# From sending the start


@attrs.frozen(kw_only=True)
class SendingBegan:
    """The start is about to be sent. This is stored before a byte can leave the machine.

    Attributes:
        sending: This machine's clock readings. If None, they are not known.
    """

    sending: Sending | None = None


@attrs.frozen
class SendingContinued:
    """The process that sends the start is alive, so its lease is renewed."""


@attrs.frozen(kw_only=True)
class StartAccepted:
    """Plivo answered with a success status, whether or not the body could be read.

    Attributes:
        description: What was answered.
        api_id: Plivo's ID of the request. If None, it is not known.
        recording_id: Plivo's ID of the recording. It is None in asynchronous mode.
        url: The URL at which the file will be. It is None in asynchronous mode.
    """

    description: str
    api_id: str | None = None
    recording_id: str | None = None
    url: str | None = None


@attrs.frozen(kw_only=True)
class StartRejected:
    """Plivo answered that it did not execute the start.

    Attributes:
        description: What was answered.
        api_id: Plivo's ID of the request. If None, it is not known.
    """

    description: str
    api_id: str | None = None


@attrs.frozen(kw_only=True)
class StartNotSent:
    """It is certain that no byte of the start was sent.

    Attributes:
        description: Why it is certain.
    """

    description: str


@attrs.frozen(kw_only=True)
class StartOutcomeUnknown:
    """The start was sent, and no usable answer came.

    Attributes:
        description: What was observed instead.
        api_id: Plivo's ID of the request, if a 5xx carried one.
    """

    description: str
    api_id: str | None = None


# From a callback that looks like a recording's end but is not


@attrs.frozen(kw_only=True)
class RecordingBegan:
    """A callback reported a recording whose duration is still -1, because it has just begun.

    Attributes:
        recording: What the callback reported.
    """

    recording: Recording


# From asking Plivo


@attrs.frozen(kw_only=True)
class RecordingFound:
    """Plivo lists this recording, and the row belongs to no other start.

    Attributes:
        recording: The row.
    """

    recording: Recording


@attrs.frozen(kw_only=True)
class CandidatesFound:
    """Plivo lists several recordings that may be this one.

    Attributes:
        recordings: The rows.
    """

    recordings: tuple[Recording, ...]


@attrs.frozen(kw_only=True)
class ConferenceGone:
    """The conference is over, and Plivo does not list the recording yet. The grace period begins.

    Attributes:
        at: When that was observed, by Plivo's clock. If None, the time at which the evidence is applied.
    """

    at: datetime | None = None


@attrs.frozen
class NothingFound:
    """The conference and the grace period are over, and Plivo still does not list the recording."""


# From the passing of time, and from this program


@attrs.frozen
class DueTimeReached:
    """``due_at`` has passed. Before that time, this changes nothing."""


@attrs.frozen(kw_only=True)
class HandlerProgress:
    """Progress of the handlers of an event, while at least one of them has not succeeded.

    Attributes:
        name: The event.
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
    """No handler of an event has to be run any more: each has succeeded or was given up.

    Attributes:
        name: The event.
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
    | DueTimeReached
    | HandlerProgress
    | EventHandled
)
"""Any piece of evidence."""


def event_name(event: ApiResponse | RecordingEnded | TranscriptionEnded) -> EventName:
    """Return the name of an event.

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
