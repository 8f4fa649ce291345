"""The request with which ``doctor`` tests the public callback URL, and the comparison with what arrives."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from plivo_record_async.cli.doctor.check import Check, ok, problem
from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.protocol.callbacks.parsing import FORM, verify_callback
from plivo_record_async.protocol.callbacks.signatures import sign_callback_v3
from plivo_record_async.tracking.receiving.request_head import Receive, Scope

__all__ = ["ArrivedRequest", "Recorder", "SelfTest", "compare"]

_QUERY = "plivo_record_doctor=a%20b%2Bc%26d"
"""A query with characters that gateways may change."""

_API_ID = "plivo-record-doctor"
_FIELDS = {"response": json.dumps({"api_id": _API_ID, "message": "this is a self-test; nothing was recorded: ä + % &"})}
"""The fields of an asynchronous response."""

_NONCE_VALUE = "0" * 20
"""The nonce. It is always the same, and so is the signed text, so a store keeps at most one such orphan."""

_USER_AGENT = "plivo-record doctor"
_SIGNATURE, _NONCE = "x-plivo-signature-v3", "x-plivo-signature-v3-nonce"


@attrs.frozen(kw_only=True)
class SelfTest:
    """A callback that is signed as Plivo signs it, and reports the response to no start.

    Attributes:
        public_url: The public URL, without a slash at its end.
        auth_token: The auth token that signs the callback.
        has_query: Whether the URL has a query.
    """

    public_url: str
    auth_token: str = attrs.field(repr=False)
    has_query: bool = True

    @property
    def url(self) -> str:
        """The URL of the request."""
        return f"{self.public_url}/recording" + (f"?{_QUERY}" if self.has_query else "")

    @property
    def unsigned_headers(self) -> dict[str, str]:
        """The headers of the request without its signature."""
        return {"content-type": FORM, "user-agent": _USER_AGENT}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the request."""
        signature = sign_callback_v3("POST", self.url, _FIELDS, _NONCE_VALUE, self.auth_token)
        return self.unsigned_headers | {_SIGNATURE: signature, _NONCE: _NONCE_VALUE}

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return urlencode(_FIELDS).encode()


@attrs.frozen(kw_only=True)
class ArrivedRequest:
    """A request as it arrived at the receiver.

    Attributes:
        method: The method.
        path: The path, decoded.
        query: The query.
        headers: The headers, with their names in lower case.
        body: The body.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Recorder:
    """An ASGI application that keeps the request of a self-test. It answers other requests with 404.

    Attributes:
        request: The request. If None, it has not arrived.
        answer: The body of the response to it, which is different each time.
    """

    def __init__(self) -> None:
        self.request: ArrivedRequest | None = None
        self.answer: bytes = f"received by plivo-record doctor: {secrets.token_hex(8)}\n".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Any) -> None:
        """Serve one HTTP request.

        Args:
            scope: The ASGI scope of the request.
            receive: The ASGI receive function.
            send: The ASGI send function.
        """
        body, more = b"", True
        while more and len(body) < 64 * 1024:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        is_self_test = headers.get("user-agent") == _USER_AGENT or _API_ID.encode() in body
        if is_self_test:
            self.request = ArrivedRequest(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                headers=headers,
                body=body,
            )
        answer = self.answer if is_self_test else b"Not Found\n"
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 200 if is_self_test else 404, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


def compare(test: SelfTest, arrived: ArrivedRequest) -> Iterator[Check]:
    """Yield what differs between the request that was sent and the one that arrived.

    Args:
        test: The request that was sent.
        arrived: The request that arrived.
    """
    differences = list(_differences(test, arrived))
    yield from differences
    try:
        verify_callback(
            arrived.method, test.url, arrived.headers, arrived.body, auth_tokens=test.auth_token, expected_url=test.url
        )
    except CallbackRejectedError as error:
        if not differences:
            yield problem("callback_signature", str(error), "Let the gateway pass the request on unchanged.")
    else:
        if not differences:
            yield ok("callback_signature", "the method, the query, the body and the signature arrive unaltered")
    yield ok("callback_arrival", _arrival(arrived))


def _differences(test: SelfTest, arrived: ArrivedRequest) -> Iterator[Check]:
    name = "callback_signature"
    if arrived.method != "POST":
        advice = "A redirect or a gateway changes it. Let --public-url be the address behind the redirect."
        yield problem(name, f"POST arrives as {arrived.method}", advice)
    if arrived.path.rstrip("/").rpartition("/")[2] != "recording":
        advice = "Let the gateway keep the last segment of the path, which is recording or transcription."
        yield problem(name, f"the path arrives as {arrived.path}", advice)
    if parse_qsl(arrived.query, keep_blank_values=True) != parse_qsl(urlsplit(test.url).query):
        advice = "Let the gateway pass the query on unchanged. A tracker finds the recording by it."
        yield problem(name, f"the query {_QUERY!r} arrives as {arrived.query!r}", advice)
    missing = [header for header in (_SIGNATURE, _NONCE) if arrived.headers.get(header) != test.headers[header]]
    if missing:
        advice = "Let the gateway pass on all headers that begin with X-Plivo-Signature."
        yield problem(name, f"these headers are missing or changed: {', '.join(missing)}", advice)
    if arrived.body != test.body or arrived.headers.get("content-type", "").partition(";")[0] != FORM:
        advice = "Let the gateway pass the body and its Content-Type on unchanged, and not parse the form."
        yield problem(name, "the body or its Content-Type is changed", advice)


def _arrival(arrived: ArrivedRequest) -> str:
    host = arrived.headers.get("host", "no host")
    forwarded = [f"{name}: {arrived.headers[name]}" for name in sorted(arrived.headers) if "forwarded" in name]
    return ", ".join([f"the request arrives as {arrived.method} {arrived.path} for {host}", *forwarded])
