"""An asyncio client for Plivo's Conference Record API that follows every recording to its outcome.

`RecordClient` starts and stops recordings. `RecordingTracker` also follows them: it receives Plivo's callbacks, keeps
recordings in a store, and finds out what happened if no callback arrives. `parse_callback` verifies a callback without
a tracker.

`RecordingTracker`, `parse_callback` and the other names in ``_IMPORTED_AT_FIRST_USE`` are imported at their first use,
so that a program that only starts and stops recordings starts faster.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plivo_record_async._version import __version__
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    CallbackRejectedError,
    ClosedError,
    ConfigurationError,
    DownloadError,
    DownloadRefusedError,
    MalformedCallbackError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimitError,
    RecordingFailedError,
    ServerError,
    SignatureMismatchError,
    SignatureMissingError,
    StoreError,
    UnexpectedResponseError,
    UnknownStartError,
    WaitTimeoutError,
)
from plivo_record_async.protocol.media.hosts import DEFAULT_MEDIA_HOSTS
from plivo_record_async.protocol.models import (
    ApiResponse,
    AttemptReport,
    CallbackEvent,
    Conference,
    EvidenceKind,
    Failed,
    FileFormat,
    HistoryEntry,
    HttpMethod,
    Outcome,
    PendingResponse,
    RateLimit,
    Recording,
    RecordingEnded,
    RecordingStarted,
    RecordingState,
    RecordingStatus,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Succeeded,
    Transcription,
    TranscriptionEnded,
    TranscriptionRequested,
    UnknownCallback,
)
from plivo_record_async.transport.connectors.choice import fast_transport
from plivo_record_async.transport.downloads.download import MediaStream

if TYPE_CHECKING:
    from plivo_record_async.protocol.callback_policy import CallbackPolicy
    from plivo_record_async.protocol.callbacks.diagnostics import SignatureReport, explain_signature
    from plivo_record_async.protocol.callbacks.parsing import parse_callback
    from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
    from plivo_record_async.protocol.error_responses import ErrorResponse, error_response
    from plivo_record_async.protocol.tracking_policy import TrackingPolicy
    from plivo_record_async.stores import MemoryStore, SQLiteStore
    from plivo_record_async.tracker import RecordingTracker
    from plivo_record_async.tracking.handle import TrackedRecording

__all__ = [
    "DEFAULT_MEDIA_HOSTS",
    "ApiError",
    "ApiResponse",
    "AttemptReport",
    "AuthenticationError",
    "BadRequestError",
    "CallbackEvent",
    "CallbackPolicy",
    "CallbackRejectedError",
    "ClosedError",
    "Conference",
    "ConfigurationError",
    "DownloadError",
    "DownloadRefusedError",
    "ErrorResponse",
    "EvidenceKind",
    "Failed",
    "FileFormat",
    "HistoryEntry",
    "HttpMethod",
    "MalformedCallbackError",
    "MediaStream",
    "MemoryStore",
    "MethodNotAllowedError",
    "NotFoundError",
    "NotSentError",
    "Outcome",
    "OutcomeUnknownError",
    "PendingResponse",
    "PermissionDeniedError",
    "PlivoRecordError",
    "RateLimit",
    "RateLimitError",
    "RecordClient",
    "Recording",
    "RecordingEnded",
    "RecordingFailedError",
    "RecordingStarted",
    "RecordingState",
    "RecordingStatus",
    "RecordingStopped",
    "RecordingTracker",
    "SQLiteStore",
    "ServerError",
    "SignatureMismatchError",
    "SignatureMissingError",
    "SignatureReport",
    "StartRequest",
    "StopRequest",
    "StoreError",
    "Succeeded",
    "TrackedRecording",
    "TrackingPolicy",
    "Transcription",
    "TranscriptionEnded",
    "TranscriptionRequested",
    "UnexpectedResponseError",
    "UnknownCallback",
    "UnknownStartError",
    "WaitTimeoutError",
    "__version__",
    "error_response",
    "explain_signature",
    "fast_transport",
    "parse_callback",
    "sign_callback_v3",
]

_IMPORTED_AT_FIRST_USE = {
    "CallbackPolicy": "plivo_record_async.protocol.callback_policy",
    "ErrorResponse": "plivo_record_async.protocol.error_responses",
    "MemoryStore": "plivo_record_async.stores",
    "RecordingTracker": "plivo_record_async.tracker",
    "SQLiteStore": "plivo_record_async.stores",
    "SignatureReport": "plivo_record_async.protocol.callbacks.diagnostics",
    "TrackedRecording": "plivo_record_async.tracking.handle",
    "TrackingPolicy": "plivo_record_async.protocol.tracking_policy",
    "error_response": "plivo_record_async.protocol.error_responses",
    "explain_signature": "plivo_record_async.protocol.callbacks.diagnostics",
    "parse_callback": "plivo_record_async.protocol.callbacks.parsing",
    "sign_callback_v3": "plivo_record_async.protocol.callbacks.signatures",
}
"""For each of these names, the module that defines it."""


def __getattr__(name: str) -> Any:
    if name not in _IMPORTED_AT_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_IMPORTED_AT_FIRST_USE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
