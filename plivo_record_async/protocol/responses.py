"""From (status, headers, body) to a value or a typed error, whatever shape Plivo chose.

Every shape that is documented or was seen is read: start answers with 200, 201 or 202, with or without
``recording_id``; a stop answers 204 with nothing, with ``{}`` or with JSON; ``error`` is a text, an object, a
list or absent; bodies may be HTML, empty or cut off. Statuses: https://plivo.com/docs/account/api/overview.md
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import attrs

from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    MethodNotAllowedError,
    Missing,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
)
from plivo_record_async.protocol.wire import json_object, structure

__all__ = [
    "Reply",
    "read",
    "read_already_stopped",
    "read_conference",
    "read_conference_names",
    "read_nothing",
    "read_pending",
    "read_recording",
    "read_recordings",
    "read_started",
    "read_stopped",
    "retry_after",
]

T = TypeVar("T")

_REFUSALS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    405: MethodNotAllowedError,
    409: BadRequestError,
    422: BadRequestError,
}


@attrs.frozen(kw_only=True)
class Reply:
    """What came back for one request.

    Attributes:
        status: HTTP status.
        headers: Header fields, names in lower case.
        body: The body as far as it came.
        complete: Whether the whole body came.
        sent_at: When sending the request began, if the transport tells.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    complete: bool = True
    sent_at: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether Plivo says it was executed."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        """The body as text, whatever bytes it holds."""
        return self.body.decode(errors="replace")

    @property
    def data(self) -> Mapping[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            return json_object(self.body)
        except ValueError:
            return {}

    @property
    def api_id(self) -> str | None:
        """Plivo's id of the request, if the answer carries one."""
        api_id = self.data.get("api_id")
        return api_id if isinstance(api_id, str) and api_id else None


def read_started(reply: Reply) -> RecordingStarted:
    """The answer to a start without ``callback_url``."""
    return _read(reply, RecordingStarted)


def read_pending(reply: Reply) -> PendingResponse:
    """The answer in asynchronous mode; only its ``api_id`` can be relied on."""
    return _read(reply, PendingResponse)


def read_stopped(reply: Reply) -> RecordingStopped:
    """The answer to a stop; the usual 204 says nothing more."""
    says_nothing = reply.complete and not reply.body.strip()
    return RecordingStopped() if says_nothing else _read(reply, RecordingStopped)


def read_already_stopped(reply: Reply) -> RecordingStopped:
    """The 404 that a repeated stop meets when the first one was executed after all."""
    return RecordingStopped(api_id=reply.api_id)


def read_nothing(reply: Reply) -> None:
    """The answer to a delete: 204 without a body; also the 404 of a repeated one that was executed after all."""


def read_recording(reply: Reply) -> Recording:
    """One recording."""
    return _read(reply, Recording)


def read_recordings(reply: Reply) -> tuple[Recording, ...]:
    """One page of recordings."""
    items: list[dict[str, Any]] = _list(reply, "objects", dict)
    return tuple(structure(item, Recording) for item in items)


def read_conference(reply: Reply) -> Conference:
    """One conference."""
    return _read(reply, Conference)


def read_conference_names(reply: Reply) -> list[str]:
    """The names of the conferences that are live."""
    return _list(reply, "conferences", str)


def _list(reply: Reply, name: str, kind: type[T]) -> list[T]:
    match _object(reply).get(name):
        case [*items] if all(isinstance(item, kind) for item in items):
            return items
        case other:
            raise ValueError(f"its {name!r} is not a list of {kind.__name__}: {other!r:.200}")


def _object(reply: Reply) -> dict[str, Any]:
    if not reply.complete:
        raise ValueError(f"its body was cut off after {len(reply.body)} bytes")
    return json_object(reply.body)


def _read(reply: Reply, cls: type[T]) -> T:
    return structure(_object(reply), cls)


def read(
    reply: Reply,
    reader: Callable[[Reply], T],
    operation: str,
    *,
    repeatable: bool,
    now: float,
    missing: Missing | None = None,
) -> T:
    """What the answer says, in the endpoint's own reading.

    Args:
        reply: The answer.
        reader: Makes the result of a success; raises ``ValueError`` if it makes no sense.
        operation: What was being done, in words.
        repeatable: Whether repeating the request is harmless; where it is not, a 5xx leaves the outcome unknown,
            because Plivo may have executed the request before it failed.
        now: Unix time, for a ``Retry-After`` that is a date.
        missing: What there is none of, if the answer is a 404.

    Raises:
        UnexpectedResponseError: A success that cannot be read.
        ApiError: Plivo's refusal, typed by its status.
        OutcomeUnknownError: A 5xx to a request that must not be repeated.
    """
    if not reply.ok:
        raise _failure(reply, operation, repeatable=repeatable, now=now, missing=missing)
    try:
        return reader(reply)
    except ValueError as error:
        raise UnexpectedResponseError(
            reply.status, reply.text, str(error), operation=operation, repeatable=repeatable
        ) from error


def _failure(
    reply: Reply, operation: str, *, repeatable: bool, now: float, missing: Missing | None
) -> ApiError | OutcomeUnknownError:
    api_id, message, body = reply.api_id, _message(reply), reply.text
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(reply.headers, now)
        return RateLimitError(reply.status, api_id, message, body, operation=operation, retry_after=wait)
    if reply.status == HTTPStatus.NOT_FOUND:
        return NotFoundError(reply.status, api_id, message, body, operation=operation, missing=missing)
    if reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        refusal = _REFUSALS.get(reply.status, ApiError)
        return refusal(reply.status, api_id, message, body, operation=operation)
    if repeatable:
        return ServerError(reply.status, api_id, message, body, operation=operation)
    return OutcomeUnknownError(
        operation,
        f"Plivo answered {reply.status} ({message})",
        phase="answer",
        evidence="a server error does not say whether the work was done before it",
        status=reply.status,
        api_id=api_id,
        body=body,
        sent_at=reply.sent_at,
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that ``Retry-After`` asks for, given as a number or as an HTTP date (RFC 9110, 10.2.3).

    Args:
        headers: Header fields, names in lower case.
        now: Unix time.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)


def _message(reply: Reply) -> str:
    """The words in ``error``: a text, an object that holds one (again), a list of them, or else the body."""
    words = _words(reply.data.get("error")) or _words(reply.data.get("message"))
    if words:
        return words
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "no reason given"
    return reply.text.strip()[:200] if reply.body.strip() not in {b"", b"{}"} and not reply.data else phrase


def _words(value: Any, depth: int = 4) -> str:
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case [*items] if depth:
            return "; ".join(filter(None, (_words(item, depth - 1) for item in items)))
        case {"error": inner} | {"message": inner} if depth:
            return _words(inner, depth - 1)
        case _:
            return reprlib.repr(value)  # bounded: a body of a thousand brackets must not end as a RecursionError
