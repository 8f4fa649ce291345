"""The values that users pass and receive: frozen, slotted attrs classes with Plivo's own names.

A value that was made from a response or a callback keeps the whole message in ``raw``, so that fields which Plivo adds
are not lost. The one exception is `PendingResponse`. ``raw`` is not compared, except in `UnknownCallback`.
``protocol.api.wire`` converts the values from and to JSON.
"""

from plivo_record_async.protocol.models.attempts import AttemptReport
from plivo_record_async.protocol.models.batches import Failed, Outcome, Succeeded
from plivo_record_async.protocol.models.events import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.models.requests import FileFormat, HttpMethod, RateLimit, StartRequest, StopRequest
from plivo_record_async.protocol.models.responses import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
    Transcription,
    TranscriptionRequested,
)
from plivo_record_async.protocol.models.status import EvidenceKind, HistoryEntry, RecordingState, RecordingStatus

__all__ = [
    "ApiResponse",
    "AttemptReport",
    "CallbackEvent",
    "Conference",
    "EvidenceKind",
    "Failed",
    "FileFormat",
    "HistoryEntry",
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
    "Transcription",
    "TranscriptionEnded",
    "TranscriptionRequested",
    "UnknownCallback",
]
