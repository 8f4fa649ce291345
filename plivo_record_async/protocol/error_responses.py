"""Converts an error into an HTTP response for the users of a web application."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import attrs

from plivo_record_async._value import Value
from plivo_record_async.errors import (
    ApiError,
    CallbackRejectedError,
    ClosedError,
    DownloadError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RateLimitError,
    RecordingFailedError,
    ServerError,
    StoreError,
    UnexpectedResponseError,
    UnknownStartError,
    WaitTimeoutError,
)

__all__ = ["ErrorResponse", "error_response"]

_RETRY_AFTER = 5
"""Seconds. This is the period of Plivo's quota: https://plivo.com/docs/voice/concepts/account-limits.md"""


@attrs.frozen(kw_only=True)
class ErrorResponse(Value):
    """An HTTP response, for any web framework.

    Attributes:
        status: The HTTP status: 202, 404, 409, 500, 502, 503 or 504. For a rejected callback: 400 or 403.
        headers: The headers. If the status is 503, they contain ``Retry-After``. Otherwise they are empty.
        body: The JSON body. It contains ``error``, the name of the class of the error, and ``detail``, a text for
            users. If the error concerns a followed recording, the body also contains its ``start_id`` and, if it is
            known, its ``state``.
    """

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


def error_response(error: PlivoRecordError) -> ErrorResponse:
    """Return the HTTP response with which a web application can report an error to its own user.

    The response can be shown to anybody, because it contains no text from Plivo, no paths and no names of conferences.
    Write ``str(error)`` to the log of the application.

    Args:
        error: The error that a call raised.

    Returns:
        The response. Convert it to the response type of your framework.
    """
    status, detail = _meaning(error)
    body = {"error": type(error).__name__, "detail": detail}
    if (
        isinstance(error, OutcomeUnknownError | UnexpectedResponseError | UnknownStartError)
        and error.start_id is not None
    ):
        body["start_id"] = error.start_id
    if isinstance(error, WaitTimeoutError | RecordingFailedError):
        body |= {"start_id": error.recording.start_id, "state": error.recording.state}
    headers = {"Retry-After": str(_retry_after(error))} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return ErrorResponse(status=status, headers=headers, body=body)


def _meaning(error: PlivoRecordError) -> tuple[int, str]:  # noqa: C901, PLR0911, PLR0912 - a table: one line for each class of error
    """Return the status, as in https://www.rfc-editor.org/rfc/rfc9110#section-15, and a text for users."""
    match error:
        case UnknownStartError():
            return 404, "No recording with this ID was started here."
        case NotFoundError(missing="conference"):  # not 404, because the URL of the application exists
            return 409, "Nobody is in this conference."
        case NotFoundError(missing="recording"):
            return 404, "There is no such recording."
        case NotFoundError(missing="transcription"):
            return 404, "This recording has no transcript."
        case WaitTimeoutError():
            return 202, "The recording has not reached this stage yet. Ask again later."
        case OutcomeUnknownError(start_id=str()) | UnexpectedResponseError(start_id=str()):
            return 202, "The recording may have been started. Do not start it again. Use its start_id to find out."
        case OutcomeUnknownError():
            return 504, "Plivo sent no usable response. The request may have been executed."
        case RecordingFailedError():
            return 409, "The recording can no longer reach this stage."
        case NotSentError() | RateLimitError() | ClosedError():
            return 503, "The request was not executed. Try again later."
        case StoreError():  # `forget(delete_recording=True)` may have deleted Plivo's file
            return 503, "The request could not be completed. Try again later."
        case CallbackRejectedError():
            return error.status, "This callback was rejected."
        case UnexpectedResponseError():
            return 502, "Plivo's response could not be used. The request may have been executed."
        case ServerError():
            return 502, "An error occurred at Plivo. The request may have been executed."
        case ApiError():
            return 502, "Plivo rejected the request."
        case DownloadError():
            return 502, "The recorded file could not be downloaded."
        case _:
            return 500, "This service is not configured correctly."


def _retry_after(error: PlivoRecordError) -> int:
    named = error.retry_after if isinstance(error, RateLimitError) else None
    return _RETRY_AFTER if named is None else ceil(named)
