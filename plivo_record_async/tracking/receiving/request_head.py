"""The head of a request to the receiver, and the reasons for which a request is rejected before its body is read.

Nothing in the head has been verified. Therefore, nothing whose size the sender chooses is decoded, stored or logged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import attrs

from plivo_record_async.errors import CallbackRejectedError, SignatureMismatchError
from plivo_record_async.protocol.callbacks.parsing import FORM
from plivo_record_async.protocol.callbacks.signatures import SignatureHeaders, read_signature_headers
from plivo_record_async.protocol.callbacks.url_tokens import CALLBACK_PATHS, CallbackPath, read_start_id, without_proof

__all__ = [
    "LONGEST_BODY",
    "ClientDisconnectedError",
    "Receive",
    "RequestBody",
    "RequestHead",
    "Scope",
    "TooLargeError",
    "read_head",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST_BODY = 2 * 1024 * 1024
"""The most bytes of a body. The transcript of ten hours of speech is shorter, even if every letter is escaped."""

_LONGEST_QUERY = 8192
"""The most bytes of a query. An issued query has 120 bytes, and gateways add little."""

_LONGEST_SIGNATURES = 2048
"""The most characters of a header with signatures. A signature has 44 characters."""

_MAX_SIGNATURE_HEADERS = 16

_HEADERS_READ = (b"content-length", b"content-type", b"x-plivo-signature")
"""The beginnings of the names of the headers that are read."""


class WrongMethodError(CallbackRejectedError):
    """The method of the request is not POST. The tracker asks Plivo to use POST only."""

    status: ClassVar[int] = HTTPStatus.METHOD_NOT_ALLOWED


class WrongPathError(CallbackRejectedError):
    """The path of the request is not that of an issued URL."""

    status: ClassVar[int] = HTTPStatus.NOT_FOUND


class MalformedRequestError(CallbackRejectedError):
    """The URL, the query or the content type is not that of a callback."""

    status: ClassVar[int] = HTTPStatus.BAD_REQUEST


class TooLargeError(CallbackRejectedError):
    """The body is longer than that of any callback."""

    status: ClassVar[int] = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class ClientDisconnectedError(Exception):
    """The client disconnected before it had sent the whole request, so no response can be sent."""


@attrs.frozen(kw_only=True)
class RequestHead:
    """The head of a request that may be a callback.

    Attributes:
        path: The last segment of the path.
        query: The query as it was received.
        start_id: The ID of the start for which the URL was issued. If None, the URL names no start or has no valid
            proof.
        signature_headers: The signature headers.
    """

    path: CallbackPath
    query: str
    start_id: str | None
    signature_headers: SignatureHeaders


def read_head(scope: Scope, auth_tokens: Sequence[str]) -> RequestHead:
    """Return the head of a request, or raise an error if the request cannot be a callback.

    The query in ``scope`` is replaced by one without the proof, because servers write the query to their access logs
    when they respond. A query without a valid proof is removed.

    Args:
        scope: The ASGI scope of the request.
        auth_tokens: The auth tokens that may prove the URL.

    Raises:
        CallbackRejectedError: The request cannot be a genuine callback.
    """
    query: bytes = scope.get("query_string", b"")
    scope["query_string"] = b""
    method, full_path = scope["method"], scope["path"]
    if method != "POST":
        raise WrongMethodError(f"its method is {method!r:.20}; the tracker asks Plivo to use POST")
    if "#" in full_path or b"#" in query or b"#" in scope.get("raw_path", b""):
        raise MalformedRequestError("its URL contains '#', and Plivo does not sign what follows it")
    # Litestar ends the path of a mounted application with a slash, even if the path of the request has none.
    path = full_path.rstrip("/").rpartition("/")[2]
    if path not in CALLBACK_PATHS:
        raise WrongPathError(f"its path ends with {path!r:.40}; the tracker issues no such URL")
    if len(query) > _LONGEST_QUERY:
        raise MalformedRequestError(f"its query has {len(query)} bytes, far more than an issued URL")
    headers = _headers(scope)
    _check_length(headers)
    signature_headers = _signature_headers(headers)
    _check_type(headers)
    text = query.decode("latin-1")
    start_id = read_start_id(path, text, auth_tokens)
    if start_id is not None:
        scope["query_string"] = without_proof(text).encode("latin-1")
    return RequestHead(path=path, query=text, start_id=start_id, signature_headers=signature_headers)


def _headers(scope: Scope) -> dict[str, str]:
    lines: dict[str, list[str]] = {}  # an outsider may repeat a header so often that joining one by one takes long
    for raw_name, raw_value in scope["headers"]:
        if raw_name.lower().startswith(_HEADERS_READ):
            lines.setdefault(raw_name.decode("latin-1").lower(), []).append(raw_value.decode("latin-1"))
    return {name: ",".join(values) for name, values in lines.items()}


def _check_length(headers: Mapping[str, str]) -> None:
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:9]) > LONGEST_BODY:
        raise TooLargeError(f"its body has {announced:.20} bytes; no callback is so long")


def _check_type(headers: Mapping[str, str]) -> None:
    content_type = headers.get("content-type", FORM)
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise MalformedRequestError(f"its content type is {content_type!r:.40}; Plivo sends {FORM}")


def _signature_headers(headers: Mapping[str, str]) -> SignatureHeaders:
    """Return the signature headers, or raise an error if no body can make one of the signatures valid."""
    values = [value for name, value in headers.items() if name.startswith("x-plivo-signature")]
    if len(values) > _MAX_SIGNATURE_HEADERS or max(map(len, values), default=0) > _LONGEST_SIGNATURES:
        raise SignatureMismatchError("it has more signatures than Plivo ever sends")
    signature_headers = read_signature_headers(headers)
    if not signature_headers.nonce or "." in signature_headers.nonce:
        raise SignatureMismatchError("its nonce is empty or contains a dot; Plivo sends no such nonce")
    return signature_headers


class RequestBody:
    """The body of a request, which is read chunk by chunk.

    Args:
        scope: The ASGI scope of the request.
        receive: The ASGI receive function of the request.

    Attributes:
        is_over: Whether the whole body has been read.
        may_close: Whether the connection may be closed with the response. In HTTP/2 it serves other requests too.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.may_close: bool = scope.get("http_version", "1.1") < "2"
        self.is_over: bool = _has_no_body(scope)

    async def chunk(self) -> bytes:
        """Return the next chunk.

        Raises:
            ClientDisconnectedError: The client has disconnected.
        """
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        self.is_over = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    async def discard(self) -> None:
        """Read the rest of the body and discard it.

        Raises:
            ClientDisconnectedError: The client has disconnected.
        """
        while not self.is_over:
            await self.chunk()


def _has_no_body(scope: Scope) -> bool:
    """Return whether the request says that it has no body. A request without a Content-Length may have one."""
    return bool(dict(scope["headers"]).get(b"content-length") == b"0")
