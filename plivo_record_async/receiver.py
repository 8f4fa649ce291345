"""The ASGI application that Plivo's callbacks reach: bounded body in, status code out.

It knows nothing of recordings: it hands a `Callback` on, and answers with the status that comes back, and a body
that is the same for every callback of that status. ``take`` must return only after what it took is stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

import attrs

__all__ = ["LONGEST_BODY", "Callback", "Receive", "Scope", "Send", "receive_callback", "run_lifespan"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_BODY = 64 * 1024
"""Bytes; what is longer is refused with 413."""


@attrs.frozen(kw_only=True)
class Callback:
    """A request that may be a callback.

    Attributes:
        method: ``GET`` or ``POST``.
        place: The last segment of the path.
        query: The query as it was sent.
        headers: The header fields, names in lower case; a field that came twice is one list.
        body: The whole body.
    """

    method: str
    place: str
    query: str
    headers: dict[str, str]
    body: bytes


class _TooLargeError(Exception):
    """The body is longer than a callback's can be."""


class _GoneError(Exception):
    """The caller hung up before it had sent everything."""


async def receive_callback(
    scope: Scope, receive: Receive, send: Send, take: Callable[[Callback], Awaitable[int]]
) -> None:
    """Serve one HTTP request."""
    status = HTTPStatus.METHOD_NOT_ALLOWED
    if scope["method"] in {"GET", "POST"}:
        headers = _headers(scope)
        try:
            body = await _body(headers, receive)
        except _TooLargeError:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        except _GoneError:
            return
        else:
            callback = Callback(
                method=scope["method"],
                place=scope["path"].rpartition("/")[2],
                query=scope.get("query_string", b"").decode("latin-1"),
                headers=headers,
                body=body,
            )
            status = HTTPStatus(await take(callback))
    await _answer(send, status)


async def run_lifespan(receive: Receive, send: Send, running: AbstractAsyncContextManager[Any]) -> None:
    """Serve the lifespan of an application that is served by itself: enter at its start, leave at its end."""
    await receive()
    try:
        await running.__aenter__()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await running.__aexit__(None, None, None)
    await send({"type": "lifespan.shutdown.complete"})


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > LONGEST_BODY:
        raise _TooLargeError
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            raise _TooLargeError
        if not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Send, status: HTTPStatus) -> None:
    body = f"{status.phrase}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET, POST"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
