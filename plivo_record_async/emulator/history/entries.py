"""The entries of the logs: requests that the emulator received, and deliveries of its callbacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from plivo_record_async.emulator.account.callbacks import Callback, HttpCallback

__all__ = ["Delivery", "DeliveryFailure", "DeliveryState", "ReceivedRequest", "kept"]

_KEPT_BYTES = 16_384

DeliveryState = Literal["waiting", "sending", "delivered", "failed", "dropped"]
"""Waiting for its time, under way, answered with 2xx, not answered with 2xx, or not sent because of a fault."""

DeliveryFailure = Literal[
    "connect_timeout",
    "refused",
    "unreachable",
    "dns",
    "tls",
    "read_timeout",
    "reset",
    "disconnected",
    "invalid_response",
    "status",
    "broke_off",
    "total_timeout",
    "invalid_url",
    "dropped",
]
"""The kind of what went wrong with an attempt. The reference of the emulator explains each."""


def kept(body: bytes) -> bytes:
    """Return the part of a body that is kept in a log: its first 16 KiB."""
    return body if len(body) <= _KEPT_BYTES else body[:_KEPT_BYTES]


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers with names in lower case. A repeated header is joined to one. Credentials are not shown."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "authorization":
            value = f"{value.partition(' ')[0]} ***"
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


@attrs.frozen(kw_only=True)
class ReceivedRequest:
    """One request to the emulated API or for a recorded file, and its answer.

    Attributes:
        id: The number of the request, from 1.
        time: When the request was received, by the emulator's clock (aware, UTC).
        method: The HTTP method.
        path: The path as it was sent.
        query: The query as it was sent.
        operation: What was requested: ``start``, ``stop``, ``get``, ``list``, ``delete``, ``transcribe`` or ``media``.
            If None, the address or the method does not exist.
        conference_name: The conference that the request concerns. If None, it concerns none.
        recording_id: The recording that the request concerns. If None, it concerns none.
        api_id: The ID that the emulator gave to the request. If None, it is a request for a file.
        executed: Whether the request was executed.
        fault: The fault that changed the answer, such as ``reset_after_execution``. If None, no fault did.
        status: The HTTP status of the answer. If None, there was no complete answer.
        raw_headers: The headers as they were received.
        raw_body: The first 16 KiB of the body.
        body_bytes: The length of the whole body.
        raw_response_headers: The headers of the answer.
        raw_response_body: The first 16 KiB of the body of the answer.
        response_bytes: The length of the whole body of the answer.
    """

    id: int
    time: datetime
    method: str
    path: str
    query: str
    operation: str | None
    conference_name: str | None = None
    recording_id: str | None = None
    api_id: str | None = None
    executed: bool = False
    fault: str | None = None
    status: int | None = None
    raw_headers: tuple[tuple[bytes, bytes], ...] = attrs.field(default=(), repr=False)
    raw_body: bytes = attrs.field(default=b"", repr=False)
    body_bytes: int = 0
    raw_response_headers: tuple[tuple[bytes, bytes], ...] = attrs.field(default=(), repr=False)
    raw_response_body: bytes = attrs.field(default=b"", repr=False)
    response_bytes: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers, with names in lower case and without the credentials."""
        return _headers(self.raw_headers)

    @property
    def body(self) -> str:
        """The first 16 KiB of the body as text."""
        return _text(self.raw_body)

    @property
    def response_headers(self) -> dict[str, str]:
        """The headers of the answer, with names in lower case."""
        return _headers(self.raw_response_headers)

    @property
    def response_body(self) -> str:
        """The first 16 KiB of the body of the answer as text. Of a file, only the length is kept."""
        return _text(self.raw_response_body)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "id": self.id,
            "time": self.time.isoformat(),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body,
            "body_bytes": self.body_bytes,
            "operation": self.operation,
            "conference_name": self.conference_name,
            "recording_id": self.recording_id,
            "api_id": self.api_id,
            "executed": self.executed,
            "fault": self.fault,
            "status": self.status,
            "response_headers": self.response_headers,
            "response_body": self.response_body,
            "response_bytes": self.response_bytes,
        }


@attrs.frozen(kw_only=True)
class Delivery:
    """One attempt to deliver one callback.

    Attributes:
        id: The number of the attempt, from 1.
        callback_id: The number of the callback. All attempts to deliver it have the same.
        callback: The callback.
        attempt: 1 for the first attempt, 2 for its first retry.
        replay_of: The ID of the delivery that this one repeats on request. If None, it repeats none.
        state: What became of the attempt.
        time: When the attempt began, or when the callback began to wait for it (aware, UTC).
        sent: The request as it was sent. If None, it was not sent.
        fault: The fault that changed the delivery, such as ``unsigned``. If None, no fault did.
        status: The HTTP status of the answer. If None, there was no answer.
        response_headers: The headers of the answer, with names in lower case.
        raw_response_body: The first 16 KiB of the body of the answer.
        response_bytes: The length of the whole body of the answer.
        error: What went wrong, in words. If None, nothing did so far.
        failure: The kind of what went wrong, for programs. If None, nothing went wrong so far.
        at: When the attempt was over (aware, UTC). If None, it is not over.
        next_attempt_at: When the next attempt begins (aware, UTC). If None, none follows.
    """

    id: int
    callback_id: int
    callback: Callback = attrs.field(repr=False)
    attempt: int
    replay_of: int | None = None
    state: DeliveryState = "waiting"
    time: datetime
    sent: HttpCallback | None = attrs.field(default=None, repr=False)
    fault: str | None = None
    status: int | None = None
    response_headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    raw_response_body: bytes = attrs.field(default=b"", repr=False)
    response_bytes: int = 0
    error: str | None = None
    failure: DeliveryFailure | None = None
    at: datetime | None = None
    next_attempt_at: datetime | None = None

    @property
    def kind(self) -> str:
        """The kind of the callback, which is ``response``, ``recording`` or ``transcription``."""
        return self.callback.kind

    @property
    def conference_name(self) -> str | None:
        """The conference that the callback concerns. If None, it concerns none."""
        return self.callback.conference_name

    @property
    def url(self) -> str:
        """The URL that was called. Before it is called, the URL that was given, with its fragment."""
        return self.sent.url if self.sent else self.callback.url

    @property
    def headers(self) -> dict[str, str]:
        """The headers that were sent, with names in lower case. HTTP itself adds ``host`` and ``content-length``."""
        return {name.lower(): value for name, value in self.sent.headers.items()} if self.sent else {}

    @property
    def body(self) -> str:
        """The body that was sent."""
        return _text(self.sent.content or b"") if self.sent else ""

    @property
    def signed(self) -> str | None:
        """The string that was signed. If None, nothing was signed."""
        return self.sent.signed_text if self.sent else None

    @property
    def response_body(self) -> str:
        """The first 16 KiB of the body of the answer as text."""
        return _text(self.raw_response_body)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON values."""
        return {
            "id": self.id,
            "callback_id": self.callback_id,
            "attempt": self.attempt,
            "replay_of": self.replay_of,
            "state": self.state,
            "time": self.time.isoformat(),
            "kind": self.kind,
            "conference_name": self.conference_name,
            "recording_id": self.callback.recording_id,
            "api_id": self.callback.api_id,
            "method": self.callback.method,
            "url": self.url,
            "callback_url": self.callback.url,
            "fields": dict(self.callback.fields),
            "headers": self.headers,
            "body": self.body,
            "signed": self.signed,
            "fault": self.fault,
            "status": self.status,
            "response_headers": dict(self.response_headers),
            "response_body": self.response_body,
            "response_bytes": self.response_bytes,
            "error": self.error,
            "failure": self.failure,
            "at": _iso(self.at),
            "next_attempt_at": _iso(self.next_attempt_at),
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
