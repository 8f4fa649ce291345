"""The ASGI application that Plivo's callbacks reach: bounded body in, stored event, status code out.

The body of an answer is the same for every callback of that status.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import attrs

from plivo_record_async import _clock
from plivo_record_async._follower import Follower, HandledEvent
from plivo_record_async._ledger import Ledger
from plivo_record_async.errors import (
    CallbackRejectedError,
    ClosedError,
    ConfigurationError,
    StoreError,
    UnknownStartError,
)
from plivo_record_async.interfaces import Orphan, PlivoId
from plivo_record_async.protocol.callbacks import parse_callback
from plivo_record_async.protocol.followed import FollowedRecording
from plivo_record_async.protocol.lifecycle import Effect
from plivo_record_async.protocol.models import CallbackEvent, UnknownCallback
from plivo_record_async.protocol.outcomes import evidence_of_event
from plivo_record_async.protocol.tokens import PLACES, Place, read_start_id

__all__ = ["LONGEST_BODY", "Receive", "Receiver", "Scope", "Send", "run_lifespan"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
News = tuple[FollowedRecording, Sequence[Effect]]

_PLIVO_IDS: tuple[PlivoId, ...] = ("recording_id", "api_id")

LONGEST_BODY = 64 * 1024
"""Bytes; what is longer is refused."""

_HEADERS_READ = (b"content-length", b"content-type", b"x-plivo-signature")
"""How the names of those header fields begin that say something to us."""

log = logging.getLogger("plivo_record_async")


class _WrongMethodError(CallbackRejectedError):
    status = HTTPStatus.METHOD_NOT_ALLOWED


class _WrongPlaceError(CallbackRejectedError):
    status = HTTPStatus.NOT_FOUND


class _TooLargeError(CallbackRejectedError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class _HungUpError(Exception):
    """The caller has gone before it had said everything; there is nobody to answer."""


@attrs.frozen(kw_only=True, eq=False)
class Receiver:
    """Takes callbacks in.

    What can be refused by the request's first lines alone is refused before its body is read.

    Attributes:
        ledger: Where the events are kept.
        follower: Does what follows from them, once they are acknowledged.
        public_url: What Plivo calls this application, without a slash at its end.
        auth_tokens: What callbacks may be signed with, and issued URLs proven.
    """

    ledger: Ledger
    follower: Follower
    public_url: str
    auth_tokens: Sequence[str] = attrs.field(repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        status, news = HTTPStatus.OK, None
        try:
            news = await self._take_in(scope, receive)
        except CallbackRejectedError as error:
            log.warning("a callback was refused with %d: %s", error.status, error)
            status = HTTPStatus(error.status)
        except (StoreError, ClosedError, ConfigurationError) as error:
            log.error("a callback could not be stored and was answered 503, so that Plivo tries again: %s", error)  # noqa: TRY400
            status = HTTPStatus.SERVICE_UNAVAILABLE
        except _HungUpError:
            return
        try:
            await _answer(send, status)
        finally:
            if news is not None:
                self.follower.act(*news)

    async def _take_in(self, scope: Scope, receive: Receive) -> News | None:
        # Under Litestar the path of a mounted application ends with a slash, whatever was called.
        method, place = scope["method"], scope["path"].rstrip("/").rpartition("/")[2]
        query = scope.get("query_string", b"").decode("latin-1")
        if method not in {"GET", "POST"}:
            raise _WrongMethodError(f"{method!r} is not how Plivo calls back")
        if place not in PLACES:
            raise _WrongPlaceError(f"{place!r} is not the end of a URL that was issued here")
        start_id = read_start_id(place, query, self.auth_tokens)
        headers = _headers(scope)
        body = await _body(headers, receive)
        record = None if start_id is None else await self.ledger.store.get(start_id)
        url = self._called_url(record, place, query)
        event = parse_callback(method, url, headers, body, auth_tokens=self.auth_tokens)
        digest = sha256(f"{url} {headers['x-plivo-signature-v3-nonce']} ".encode() + body).hexdigest()
        return await self._keep(record, event, start_id, digest)

    def _called_url(self, record: FollowedRecording | None, place: Place, query: str) -> str:
        """The URL that Plivo dialled, which no proxy has changed: as it was issued, with the query that came."""
        issued = None
        if record is not None:
            request = record.request
            issued = request.callback_url if place == "recording" else request.transcription_url
        address = issued.partition("?")[0] if issued else f"{self.public_url}/{place}"
        return f"{address}?{query}" if query else address

    async def _keep(
        self, record: FollowedRecording | None, event: CallbackEvent, start_id: str | None, digest: str
    ) -> News | None:
        """Store what a callback says: with its recording, or as an orphan."""
        if not isinstance(event, UnknownCallback):
            record = record or await self._named_by(event)
            if record is not None:
                try:
                    return await self.ledger.learn(record, evidence_of_event(event))
                except UnknownStartError:
                    log.info("start %s was pruned while a callback for it came: kept as an orphan", record.start_id)
        reason = "it says nothing that is known" if record else "it belongs to no followed recording"
        orphan = Orphan(received_at=_clock.now(), event=event, reason=reason, digest=digest, start_id=start_id)
        await self.ledger.store.keep_orphan(orphan)
        return None

    async def _named_by(self, event: HandledEvent) -> FollowedRecording | None:
        """The recording that an event without a token names by one of Plivo's ids."""
        for kind in _PLIVO_IDS:
            value = getattr(event, kind, None)
            record = await self.ledger.store.find(kind, value) if value else None
            if record is not None:
                return record
        return None


async def run_lifespan(receive: Receive, send: Send, running: AbstractAsyncContextManager[Any]) -> None:
    """Serve the lifespan of an application that is served by itself: enter at its start, leave at its end."""
    phase = "startup"
    try:
        await receive()
        async with running:
            await send({"type": "lifespan.startup.complete"})
            phase = "shutdown"
            await receive()
    except Exception as error:
        await send({"type": f"lifespan.{phase}.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _headers(scope: Scope) -> dict[str, str]:
    """Those that are read, with names in lower case; a field that came twice is one list."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_name.lower().startswith(_HEADERS_READ):
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:9]) > LONGEST_BODY:
        raise _TooLargeError(f"a body of {announced} bytes is longer than a callback's can be")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUpError
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            raise _TooLargeError(f"a body of more than {LONGEST_BODY} bytes is longer than a callback's can be")
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: HTTPStatus) -> None:
    headers, body = _said_with(status)
    await send({"type": "http.response.start", "status": int(status), "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


@cache
def _said_with(status: HTTPStatus) -> tuple[Sequence[tuple[bytes, bytes]], bytes]:
    body = f"{status.phrase}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET, POST"))
    return headers, body
