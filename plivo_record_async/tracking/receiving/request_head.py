"""What the first lines of a request to the receiver say, and why it may be refused for them alone.

Nothing of them has been proven, so nothing is decoded, kept or logged whose size the sender chooses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs

from plivo_record_async.errors import CallbackRejectedError, SignatureMismatchError
from plivo_record_async.protocol.callbacks.parsing import FORM
from plivo_record_async.protocol.callbacks.signatures import read_claim
from plivo_record_async.protocol.callbacks.url_tokens import PLACES, Place, read_start_id, without_proof

__all__ = ["LONGEST_BODY", "Head", "HungUpError", "Incoming", "Receive", "Scope", "TooLargeError", "read_head"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST_BODY = 2 * 1024 * 1024
"""Bytes; what is longer is refused. Ten hours of speech are shorter, even if every letter is escaped."""

_LONGEST_QUERY = 8192
"""Bytes; the queries that are issued have 120, and what gateways add is short."""

_LONGEST_SIGNATURES = 2048
"""Characters in each of the headers that sign; a signature has 44."""

_MOST_SIGNATURE_HEADERS = 16

_HEADERS_READ = (b"content-length", b"content-type", b"x-plivo-signature")
"""How the names of those header fields begin that say something to us."""


_NONCE = "x-plivo-signature-v3-nonce"
_SIGNATURES = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")


class WrongMethodError(CallbackRejectedError):
    """The request came by another method than POST, which is the only one that the tracker asks Plivo for."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class WrongPlaceError(CallbackRejectedError):
    """The path is not one that was issued."""

    status = HTTPStatus.NOT_FOUND


class NoFormError(CallbackRejectedError):
    """The request is not a form, or not one of which everything is signed."""

    status = HTTPStatus.BAD_REQUEST


class TooLargeError(CallbackRejectedError):
    """The body is longer than that of any callback."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class HungUpError(Exception):
    """The caller has gone before it had said everything; there is nobody to answer."""


@attrs.frozen(kw_only=True)
class Head:
    """The first lines of a request that may be a callback.

    Attributes:
        place: The last segment of its path.
        query: Its query as it came.
        start_id: The start that its URL was issued for. If None, the URL names none.
        headers: The headers that are read, with names in lower case; what came twice is one list.
    """

    place: Place
    query: str
    start_id: str | None
    headers: Mapping[str, str]


def read_head(scope: Scope, auth_tokens: Sequence[str]) -> Head:
    """Return what the first lines say, or refuse them.

    The query in ``scope`` is replaced by one without the proof, because servers write it into their access logs when
    they answer. Of a query that proves nothing, nothing is left.

    Args:
        scope: The ASGI scope of the request.
        auth_tokens: The tokens that may have proven the URL.

    Raises:
        CallbackRejectedError: It cannot be a genuine callback.
    """
    query: bytes = scope.get("query_string", b"")
    scope["query_string"] = b""
    method, path = scope["method"], scope["path"]
    if method != "POST":
        raise WrongMethodError(f"{method!r:.20} is not how the tracker asks Plivo to call back")
    if "#" in path or b"#" in query or b"#" in scope.get("raw_path", b""):
        raise NoFormError("its URL holds a '#', and what is behind it is not signed")
    # Under Litestar the path of a mounted application ends with a slash, whatever was called.
    place = path.rstrip("/").rpartition("/")[2]
    if place not in PLACES:
        raise WrongPlaceError(f"{place!r:.40} is not the end of a URL that was issued here")
    if len(query) > _LONGEST_QUERY:
        raise NoFormError(f"its query has {len(query)} bytes, far more than any that was issued")
    headers = _headers(scope)
    _check_length(headers)
    _check_signatures(headers)
    _check_type(headers)
    text = query.decode("latin-1")
    start_id = read_start_id(place, text, auth_tokens)
    if start_id is not None:
        scope["query_string"] = without_proof(text).encode("latin-1")
    return Head(place=place, query=text, start_id=start_id, headers=headers)


def _headers(scope: Scope) -> dict[str, str]:
    lines: dict[str, list[str]] = {}
    for raw_name, raw_value in scope["headers"]:
        if raw_name.lower().startswith(_HEADERS_READ):
            lines.setdefault(raw_name.decode("latin-1").lower(), []).append(raw_value.decode("latin-1"))
    return {name: ",".join(values) for name, values in lines.items()}


def _check_length(headers: Mapping[str, str]) -> None:
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:9]) > LONGEST_BODY:
        raise TooLargeError(f"a body of {announced:.20} bytes is longer than a callback's can be")


def _check_type(headers: Mapping[str, str]) -> None:
    content_type = headers.get("content-type", FORM)
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise NoFormError(f"its body is {content_type!r:.40}; Plivo sends {FORM}")


def _check_signatures(headers: Mapping[str, str]) -> None:
    """Refuse what cannot hold a good signature, whatever the body is."""
    named = [name for name in headers if name.startswith("x-plivo-signature")]
    if len(named) > _MOST_SIGNATURE_HEADERS or any(len(headers[name]) > _LONGEST_SIGNATURES for name in named):
        raise SignatureMismatchError("it has more signatures than Plivo ever sends")
    nonce = headers.get(_NONCE)
    if nonce is None or not any(map(headers.get, _SIGNATURES)):
        read_claim(headers)  # it raises, and says what is missing
    elif not nonce or "." in nonce:
        raise SignatureMismatchError("its nonce is not one of Plivo's")


class Incoming:
    """The body of a request, piece by piece.

    Args:
        scope: The ASGI scope of the request.
        receive: What the ASGI server gave with it.

    Attributes:
        is_over: Whether the whole body has been read.
        may_close: Whether the connection may be closed with the answer. It serves other requests too since HTTP/2.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.may_close = scope.get("http_version", "1.1") < "2"
        self.is_over = _has_no_body(scope)

    async def chunk(self) -> bytes:
        """Return the next piece.

        Raises:
            HungUpError: The caller has gone.
        """
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise HungUpError
        self.is_over = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    async def discard(self) -> None:
        """Read what is left of the body, and forget it.

        Raises:
            HungUpError: The caller has gone.
        """
        while not self.is_over:
            await self.chunk()


def _has_no_body(scope: Scope) -> bool:
    """Only what says so: not everything that calls an application announces what it passes on."""
    return any(name == b"content-length" and value == b"0" for name, value in scope["headers"])
