"""From (status, headers, body) to a value or a typed error, whatever shape Plivo chose.

Every shape that is documented or was seen is read: start answers with 200, 201 or 202, with or without
``recording_id``; a stop answers 204 with nothing, with ``{}`` or with JSON; ``error`` is a text, an object, a
list or absent; bodies may be HTML, empty or cut off. Statuses: https://plivo.com/docs/account/api/overview.md

A success that carries an ``error`` is none. What can be read of an answer is kept whatever the rest is like.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

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
from plivo_record_async.protocol.api.bodies import json_object, named_texts, text_of, unpacked
from plivo_record_async.protocol.api.wire import is_object, structure, text_or_none, whole_or_none
from plivo_record_async.protocol.clocks import http_date
from plivo_record_async.protocol.models import (
    Conference,
    PendingResponse,
    Recording,
    RecordingStarted,
    RecordingStopped,
)

__all__ = [
    "Page",
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

_REDIRECTS: Final = frozenset({301, 302, 307, 308})
"""The server that answered did nothing: what was asked for is at another address. A 303, in contrast, may lead to the
result of what was done: https://www.rfc-editor.org/rfc/rfc9110#section-15.4"""

_STANDARD: Final = frozenset(HTTPStatus)


@attrs.frozen(kw_only=True)
class Page:
    """One page of the list of recordings.

    Attributes:
        rows: The recordings.
        next: The address of the next page, as the server gives it.
        ends: Whether the server says that there is no next page.
        limit: How many recordings a page holds at most, if the server says so.
        total: How many recordings there are in all, if the server says so.
    """

    rows: tuple[Recording, ...] = ()
    next: str | None = None
    ends: bool = False
    limit: int | None = None
    total: int | None = None


@attrs.frozen(kw_only=True)
class Reply:
    """What came back for one request.

    Attributes:
        status: HTTP status.
        headers: Header fields, names in lower case.
        body: The body as far as it came.
        complete: Whether the whole body came.
        sent_at: When sending the request began. If None, the transport does not report it.
        received_at: When the status line came. If None, it is not known.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    complete: bool = True
    sent_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether Plivo says it was executed."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @cached_property
    def text(self) -> str:
        """The body as text, whatever bytes it holds."""
        return text_of(unpacked(self.body, self.headers.get("content-encoding", "")))

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """The body's JSON object; empty if it is none."""
        try:
            return json_object(self.text)
        except ValueError:
            return {}

    @property
    def api_id(self) -> str | None:
        """Plivo's id of the request, if the answer carries one."""
        return self.named("api_id")

    @property
    def retry_after(self) -> float | None:
        """The seconds that ``Retry-After`` asks for, as a number or an HTTP date (RFC 9110, 10.2.3), or ``None``."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return float(value)
        date = http_date(value)
        if date is None or self.received_at is None:
            return None
        return max(0.0, (date - self.received_at).total_seconds())

    def named(self, name: str) -> str | None:
        """Return a text that the answer carries under a name, even if the answer as a whole cannot be read."""
        return text_or_none((self.data or named_texts(self.text)).get(name))


def read_started(reply: Reply) -> RecordingStarted:
    """The answer to a start without ``callback_url``."""
    return _read(reply, RecordingStarted)


def read_pending(reply: Reply) -> PendingResponse:
    """The answer in asynchronous mode; only its ``api_id`` can be relied on."""
    return _read(reply, PendingResponse)


def read_stopped(reply: Reply) -> RecordingStopped:
    """The answer to a stop; the usual 204 says nothing more."""
    says_nothing = reply.complete and not reply.text.strip()
    return RecordingStopped() if says_nothing else _read(reply, RecordingStopped)


def read_already_stopped(reply: Reply) -> RecordingStopped:
    """The 404 that a repeated stop meets when the first one was executed after all."""
    return RecordingStopped(api_id=reply.api_id)


def read_nothing(reply: Reply) -> None:
    """The answer to a delete: 204 without a body; also the 404 of a repeated one that was executed after all."""


def read_recording(reply: Reply) -> Recording:
    """One recording."""
    return _read(reply, Recording)


def read_recordings(reply: Reply) -> Page:
    """One page of recordings."""
    data = _object(reply)
    meta = data.get("meta")
    about = meta if is_object(meta) else {}
    return Page(
        rows=tuple(_row(item) for item in _items(data, "objects")),
        next=text_or_none(about.get("next")),
        ends="next" in about and about["next"] is None,
        limit=whole_or_none(about.get("limit")),
        total=whole_or_none(about.get("total_count")),
    )


def _row(item: object) -> Recording:
    """One recording of a list; whatever its row is like, it hides no other one."""
    return structure(item, Recording) if is_object(item) else Recording(raw={"row": item})


def read_conference(reply: Reply) -> Conference:
    """One conference."""
    return _read(reply, Conference)


def read_conference_names(reply: Reply) -> list[str]:
    """The names of the conferences that are live."""
    names = map(text_or_none, _items(_object(reply), "conferences"))
    return [name for name in names if name is not None]


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    match data.get(name):
        case [*items]:
            return items
        case None if name in data:
            return []  # as Go writes a list without items
        case other:
            raise ValueError(f"its {name!r} is not a list: {reprlib.repr(other)}")


def _object(reply: Reply) -> Mapping[str, Any]:
    if not reply.complete:
        raise ValueError(f"its body was cut off after {len(reply.body)} bytes")
    return reply.data or json_object(reply.text)


def _read(reply: Reply, cls: type[T]) -> T:
    return structure(_object(reply), cls)


def read(
    reply: Reply,
    reader: Callable[[Reply], T],
    operation: str,
    *,
    repeatable: bool,
    missing: Missing | None = None,
    called_at: datetime | None = None,
    failed_at: datetime | None = None,
    attempts: int = 1,
) -> T:
    """What the answer says, in the endpoint's own reading.

    Args:
        reply: The answer.
        reader: Makes the result of a success; raises ``ValueError`` if it makes no sense.
        operation: What was being done, in words.
        repeatable: Whether repeating the request is harmless.
        missing: What there is none of, if the answer is a 404.
        called_at: When the call was made.
        failed_at: When it failed, if it did.
        attempts: How many times it has been sent.

    Raises:
        UnexpectedResponseError: A success that cannot be read, or that carries an error.
        ApiError: Plivo's refusal, typed by its status.
        OutcomeUnknownError: A status that does not prove that the request was refused: Plivo may have executed it.
    """
    if not reply.ok:
        if (refusal := _refusal(reply, operation, repeatable=repeatable, missing=missing)) is not None:
            raise refusal
        raise OutcomeUnknownError(
            operation,
            f"Plivo answered {reply.status} ({_message(reply)})",
            phase="answer",
            evidence="a server error does not say whether the work was done before it"
            if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            else "such an answer does not say whether the work was done",
            status=reply.status,
            api_id=reply.api_id,
            body=reply.text,
            called_at=called_at,
            sent_at=reply.sent_at,
            failed_at=failed_at,
            attempts=attempts,
            repeatable=repeatable,
        )
    problem = _words(reply.data.get("error"))
    if problem:
        raise _unexpected(
            reply, f"its answer carries an error: {problem}", operation, repeatable=repeatable, message=problem
        )
    try:
        return reader(reply)
    except ValueError as error:
        raise _unexpected(reply, str(error), operation, repeatable=repeatable) from error


def _unexpected(
    reply: Reply, reason: str, operation: str, *, repeatable: bool, message: str | None = None
) -> UnexpectedResponseError:
    return UnexpectedResponseError(
        reply.status,
        reply.text,
        reason,
        operation=operation,
        repeatable=repeatable,
        message=message,
        api_id=reply.api_id,
        recording_id=reply.named("recording_id"),
        url=reply.named("url"),
    )


def _refusal(reply: Reply, operation: str, *, repeatable: bool, missing: Missing | None) -> ApiError | None:
    """Return the error that the status proves; None if the request may have been executed and must not be repeated."""
    status, api_id, message, body = reply.status, reply.api_id, _message(reply), reply.text
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitError(status, api_id, message, body, operation=operation, retry_after=reply.retry_after)
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(status, api_id, message, body, operation=operation, missing=missing)
    if status in _REDIRECTS:
        return ApiError(status, api_id, message, body, operation=operation, advice=_redirected(reply))
    if _is_refusal(status):
        return _REFUSALS.get(status, ApiError)(status, api_id, message, body, operation=operation)
    if repeatable and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError(status, api_id, message, body, operation=operation)
    return None


def _is_refusal(status: int) -> bool:
    """Whether a status proves that nothing was done.

    That of a client's error does, if it is a standard one. The others are made up by gateways, and some of them, such
    as nginx's 499 and Amazon's 460, only say that somebody stopped waiting.
    """
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_client_error and status != HTTPStatus.REQUEST_TIMEOUT and status in _STANDARD


def _redirected(reply: Reply) -> str:
    """What to do about a redirect, which is never followed: it may lead to anybody, with the account's credentials."""
    advice = "It was not executed. Correct base_url (PLIVO_BASE_URL)"
    target = _without_secrets(reply.headers.get("location", ""))
    base_url, path, _ = target.partition("/v1/Account/")
    if path and base_url.startswith(("https://", "http://")):
        return f"{advice} to {base_url!r:.200}, where it was redirected to."
    if target:
        return f"{advice}: requests are redirected to {target!r:.200}."
    return f"{advice}: something other than Plivo's API may be answering."


def _without_secrets(address: str) -> str:
    """The address without user, password, query and fragment; empty if it cannot be read."""
    try:
        scheme, place, path, _, _ = urlsplit(address.strip())
    except ValueError:
        return ""
    return urlunsplit((scheme, place.rpartition("@")[2], path, "", ""))


def _message(reply: Reply) -> str:
    """The words in ``error``: a text, an object that holds one (again), a list of them; or else the body."""
    words = _words(reply.data.get("error")) or _words(reply.data.get("message"))
    if words:
        return words
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "no reason given"
    return reply.text.strip()[:200] if reply.text.strip() not in {"", "{}"} and not reply.data else phrase


def _words(value: Any, depth: int = 4) -> str:
    if not value:  # null, false, 0, {} and [] say that there is nothing to say
        return ""
    match value:
        case str():
            return value.strip()
        case [*items] if depth:
            return "; ".join(filter(None, (_words(item, depth - 1) for item in items)))
        case {"error": inner} | {"message": inner} if depth:
            return _words(inner, depth - 1)
        case _:
            return reprlib.repr(value)  # bounded: a body of a thousand brackets must not end as a RecursionError
