"""The values that users hold: frozen, slotted, with Plivo's own names.

Every value that is made of an answer or a callback keeps the whole message in ``raw``, so that fields which Plivo adds
are not lost. The one exception is `PendingResponse`. ``raw`` takes no part in comparison, except in `UnknownCallback`.
How the values are spelled on the wire is decided in ``protocol.api.wire``.
"""

from plivo_record_async.protocol.models.answers import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
)
from plivo_record_async.protocol.models.batches import Failed, Outcome, Succeeded
from plivo_record_async.protocol.models.events import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.models.requests import FileFormat, HttpMethod, RateLimit, StartRequest, StopRequest
from plivo_record_async.protocol.models.status import RecordingState, RecordingStatus

__all__ = [
    "ApiResponse",
    "CallbackEvent",
    "Conference",
    "Failed",
    "FileFormat",
    "HttpMethod",
    "Outcome",
    "PendingResponse",
    "RateLimit",
    "Recording",
    "RecordingEnded",
    "RecordingStarted",
    "RecordingState",
    "RecordingStatus",
    "RecordingStopped",
    "StartRequest",
    "StopRequest",
    "Succeeded",
    "TranscriptionEnded",
    "UnknownCallback",
]
