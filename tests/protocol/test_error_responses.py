"""The HTTP response of a web application whose call raises an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus

import pytest

from plivo_record_async import RecordingStatus, error_response
from plivo_record_async import errors as tree
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

SECRET = "what only the log may know"
RECORDING = RecordingStatus(
    start_id="start-1", conference_name=SECRET, state="failed", updated_at=datetime(2026, 1, 2, tzinfo=UTC)
)


def refused(kind: type[ApiError], status: int) -> ApiError:
    return kind(status, SECRET, SECRET, SECRET, operation=SECRET)


def missing(what: tree.Missing | None) -> NotFoundError:
    return NotFoundError(404, SECRET, SECRET, SECRET, missing=what)


def unknown(start_id: str | None) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        SECRET, SECRET, phase="answer", evidence=SECRET, status=503, body=SECRET, start_id=start_id
    )


def contradicted(start_id: str | None) -> UnexpectedResponseError:
    return UnexpectedResponseError(200, SECRET, SECRET, message=SECRET, api_id=SECRET, start_id=start_id)


def limited(seconds: float | None) -> RateLimitError:
    return RateLimitError(429, SECRET, SECRET, SECRET, retry_after=seconds)


TABLE: list[tuple[PlivoRecordError, int]] = [
    (UnknownStartError("start-1"), 404),
    (missing("conference"), 409),
    (missing("transcription"), 404),
    (missing("recording"), 404),
    (missing(None), 502),
    (WaitTimeoutError(SECRET, recording=RECORDING), 202),
    (RecordingFailedError(SECRET, recording=RECORDING), 409),
    (unknown("start-1"), 202),
    (unknown(None), 504),
    (NotSentError(SECRET, SECRET, phase="connect", evidence=SECRET), 503),
    (limited(None), 503),
    (StoreError(SECRET), 503),
    (ClosedError(SECRET), 503),
    (refused(ApiError, 410), 502),
    (refused(BadRequestError, 400), 502),
    (refused(BadRequestError, 409), 502),
    (refused(AuthenticationError, 401), 502),
    (refused(PermissionDeniedError, 403), 502),
    (refused(MethodNotAllowedError, 405), 502),
    (refused(ServerError, 500), 502),
    (UnexpectedResponseError(202, SECRET, SECRET), 502),
    (contradicted(None), 502),
    (contradicted("start-1"), 202),
    (DownloadError(SECRET, url=SECRET, path=SECRET), 502),
    (DownloadRefusedError(SECRET, url=SECRET, path=SECRET), 502),
    (ConfigurationError(SECRET), 500),
    (CallbackRejectedError(SECRET), 403),
    (SignatureMissingError(SECRET), 403),
    (SignatureMismatchError(SECRET), 403),
    (MalformedCallbackError(SECRET), 400),
    (PlivoRecordError(SECRET), 500),
]


@pytest.mark.parametrize(("error", "status"), TABLE)
def test_each_error_becomes_a_status_and_a_sentence(error: PlivoRecordError, status: int) -> None:
    answer = error_response(error)
    assert answer.status == status
    assert HTTPStatus(answer.status)
    assert answer.body["error"] == type(error).__name__
    assert answer.body["detail"].endswith(".")


@pytest.mark.parametrize(("error", "status"), TABLE)
def test_response_contains_no_internal_details(error: PlivoRecordError, status: int) -> None:
    assert SECRET not in json.dumps(error_response(error).to_dict())


def test_every_error_is_in_the_table() -> None:
    every = {value for value in vars(tree).values() if isinstance(value, type) and issubclass(value, PlivoRecordError)}
    assert {type(error) for error, _ in TABLE} == {kind for kind in every if not kind.__name__.startswith("_")}


@pytest.mark.parametrize("error", [UnknownStartError("start-1"), unknown("start-1"), contradicted("start-1")])
def test_response_contains_the_start_id_of_the_error(error: PlivoRecordError) -> None:
    assert error_response(error).body["start_id"] == "start-1"


@pytest.mark.parametrize("kind", [WaitTimeoutError, RecordingFailedError])
def test_response_contains_the_state_of_the_recording(kind: type[WaitTimeoutError | RecordingFailedError]) -> None:
    body = error_response(kind(SECRET, recording=RECORDING)).body
    assert (body["start_id"], body["state"]) == ("start-1", "failed")


def test_response_to_a_repeatable_error_has_retry_after() -> None:
    assert error_response(StoreError("full")).headers == {"Retry-After": "5"}
    assert error_response(limited(None)).headers == {"Retry-After": "5"}
    assert error_response(limited(1.2)).headers == {"Retry-After": "2"}
    assert error_response(unknown("start-1")).headers == {}
