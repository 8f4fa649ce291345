"""All exception classes of this package, in one tree.

::

    PlivoRecordError
    ├── ConfigurationError          a credential, a URL or an option is missing or invalid
    ├── NotSentError                nothing left this machine: it is safe to call again
    ├── OutcomeUnknownError         it may have been executed: no response says whether it was
    ├── ApiError                    Plivo answered with an error status
    │   ├── BadRequestError             400, 409, 422
    │   ├── AuthenticationError         401
    │   ├── PermissionDeniedError       403
    │   ├── NotFoundError               404
    │   ├── MethodNotAllowedError       405
    │   ├── RateLimitError              429, with ``retry_after``
    │   └── ServerError                 5xx, except on a start
    ├── UnexpectedResponseError     success status with a body that is unreadable or has an error
    ├── CallbackRejectedError       a callback that cannot be trusted; answer it with ``status``
    │   ├── SignatureMissingError       403
    │   ├── SignatureMismatchError      403
    │   └── MalformedCallbackError      400
    ├── ClosedError                 a call on a client, tracker or store that is closed
    ├── RecordingFailedError        the recording can no longer reach the awaited stage
    ├── WaitTimeoutError            the wait timed out (also a ``TimeoutError``)
    ├── DownloadError               a recorded file could not be downloaded
    │   └── DownloadRefusedError        the host, the size or the content is not allowed
    ├── UnknownStartError           the store has no start with this ID (also a ``LookupError``)
    └── StoreError                  the store could not read or write

An invalid argument raises a ``ValueError`` or a ``TypeError`` before anything is sent.

The text of an error about a request says what happened, whether the request was sent, whether it is safe to repeat the
request, and what to do next. The same facts are in attributes. An attribute with the name ``status`` is always an HTTP
status. All errors can be pickled. If an exception of the HTTP library caused an error, it is the error's ``__cause__``.
"""

from plivo_record_async.errors.api import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    MethodNotAllowedError,
    Missing,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from plivo_record_async.errors.callbacks import (
    CallbackRejectedError,
    MalformedCallbackError,
    SignatureMismatchError,
    SignatureMissingError,
)
from plivo_record_async.errors.downloads import DownloadError, DownloadRefusedError
from plivo_record_async.errors.recordings import RecordingFailedError, UnknownStartError, WaitTimeoutError
from plivo_record_async.errors.root import ClosedError, ConfigurationError, PlivoRecordError, StoreError
from plivo_record_async.errors.sending import NotSentError, OutcomeUnknownError, Phase, UnexpectedResponseError

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "CallbackRejectedError",
    "ClosedError",
    "ConfigurationError",
    "DownloadError",
    "DownloadRefusedError",
    "MalformedCallbackError",
    "MethodNotAllowedError",
    "Missing",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "Phase",
    "PlivoRecordError",
    "RateLimitError",
    "RecordingFailedError",
    "ServerError",
    "SignatureMismatchError",
    "SignatureMissingError",
    "StoreError",
    "UnexpectedResponseError",
    "UnknownStartError",
    "WaitTimeoutError",
]
