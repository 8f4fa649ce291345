"""Examples of each error, with the texts that its message must contain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
from plivo_record_async.protocol.models import RecordingStatus

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

STATUS = RecordingStatus(start_id="s", conference_name="standup", state="accepted", updated_at=TIME)


def rejected(kind: type[ApiError], status: int, **more: Any) -> ApiError:
    """Return the error of a request that Plivo rejected."""
    return kind(status, "api-1", "no", '{"error": "no"}', operation="start of 'standup'", **more)


EXAMPLES: list[tuple[PlivoRecordError, list[str]]] = [
    (PlivoRecordError("something"), ["something"]),
    (ConfigurationError("auth_id is missing"), ["auth_id is missing"]),
    (
        NotSentError(
            "start of 'standup'",
            "ConnectError: refused",
            phase="connect",
            evidence="it failed before sending began",
            called_at=TIME,
            failed_at=TIME,
            attempts=3,
        ),
        ["start of 'standup'", "refused", "Nothing was sent", "safe to call again"],
    ),
    (
        DownloadError(
            "https://media.plivo.com/r.mp3 could not be downloaded: it was cut. Call again to resume the download.",
            url="https://media.plivo.com/r.mp3",
            path="r.mp3",
            status=200,
            received=5,
            expected=10,
        ),
        ["could not be downloaded", "Call again"],
    ),
    (DownloadRefusedError("it is not audio", url="https://media.plivo.com/r.mp3"), ["not audio"]),
    (
        OutcomeUnknownError(
            "start of 'standup'",
            "ReadTimeout",
            phase="answer",
            evidence="sending had begun",
            status=503,
            api_id="api-1",
            body="<html>",
            called_at=TIME,
            sent_at=TIME,
            failed_at=TIME,
            attempts=2,
        ),
        ["start of 'standup'", "ReadTimeout", "was sent", "may have been executed", "Do not repeat", "look for"],
    ),
    (
        OutcomeUnknownError("stop", "cut", phase="send", evidence="e", repeatable=True),
        ["It may have been sent and executed", "safe to repeat"],
    ),
    (rejected(ApiError, 302), ["302", "(no)", "api_id api-1", "not executed", "Correct the request"]),
    (rejected(BadRequestError, 400), ["400", "not executed", "Correct the arguments"]),
    (rejected(AuthenticationError, 401), ["401", "not executed", "PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"]),
    (rejected(PermissionDeniedError, 403), ["403", "not executed", "allow-list"]),
    (rejected(NotFoundError, 404), ["404", "not executed", "Check base_url"]),
    (
        rejected(NotFoundError, 404, missing="conference"),
        ["404", "not executed", "no conference of this name is live", "Check the name"],
    ),
    (rejected(NotFoundError, 404, missing="recording"), ["404", "not executed", "no recording with this ID"]),
    (rejected(NotFoundError, 404, missing="transcription"), ["404", "not executed", "no transcript", "create_trans"]),
    (rejected(BadRequestError, 409), ["409", "not executed", "conflicts with the present state"]),
    (rejected(RateLimitError, 429), ["429", "safe to call again after a pause, "]),
    (rejected(MethodNotAllowedError, 405), ["405", "not executed", "base_url"]),
    (
        rejected(RateLimitError, 429, retry_after=1.5),
        ["429", "not executed", "safe to call again after a pause of 1.5 s"],
    ),
    (rejected(ServerError, 503), ["503", "may or may not have been executed", "repeating this request is harmless"]),
    (
        UnexpectedResponseError(202, "<html>", "the response is not JSON", operation="start of 'standup'"),
        ["202", "the response is not JSON", "Do not repeat it", "counts as executed"],
    ),
    (UnexpectedResponseError(204, "?", "x", repeatable=True), ["204", "safe to repeat"]),
    (CallbackRejectedError("no"), ["no"]),
    (SignatureMissingError("no signature"), ["no signature"]),
    (SignatureMismatchError("none fits"), ["none fits"]),
    (MalformedCallbackError("api_id twice"), ["api_id twice"]),
    (RecordingFailedError("refused", recording=STATUS), ["refused"]),
    (WaitTimeoutError("ran out", recording=STATUS), ["ran out"]),
    (
        UnknownStartError("start-9"),
        ["no start with the ID 'start-9'", "ID is wrong", "deleted", "MemoryStore", "Nothing was sent"],
    ),
    (ClosedError("the store is closed"), ["the store is closed"]),
    (StoreError("disk full"), ["disk full"]),
]
"""At least one error of each class, with all its attributes, and the texts that its message must contain."""
