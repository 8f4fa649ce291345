"""What is observed of one attempt: how far it got, whether a byte of it may have been sent, and its response."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterable, Callable, Mapping
from datetime import datetime
from typing import Any

import attrs
import httpcore
import httpx

from plivo_record_async import _clock
from plivo_record_async.errors import Phase
from plivo_record_async.protocol.api.response import Response

__all__ = ["NEVER_CONNECTED", "Exchange"]

log: logging.Logger = logging.getLogger("plivo_record_async")

LONGEST_RESPONSE = 4 * 1024 * 1024
"""Bytes. A page of 20 recordings has about 20 KB, so a longer body is not a response of Plivo's."""

NEVER_CONNECTED = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""The errors that prove that nothing was sent if a transport does not report when sending begins."""


@attrs.define(kw_only=True)
class Exchange:
    """What has been observed of one attempt: how far it got, and the part of the response that has arrived.

    Attributes:
        deadline: The time by which the attempt ends, by ``clock``.
        clock: A function that returns the time of the event loop.
        phase: How far the attempt got.
        reports_sending: Whether the transport reports when it begins to send. If it does, and has not reported it, no
            byte was sent.
        trusts_connect_errors: Whether a connect error of the transport proves that no byte was sent.
        sent_at: The time at which the first byte may have been sent (aware, UTC). If None, no byte was sent, or the
            transport does not report it.
        opened_stream: The stream that was opened for this request. If None, the request uses an idle connection.
        quota_wait: The number of seconds for which the attempt waited for the quota.
        permit_is_valid: A function that returns whether the permit of the quota is still valid.
        lacked_permit: Whether the request was not sent because its permit was no longer valid.
        abandoned: Whether the response is no longer needed. If no byte has been sent yet, none will be sent.
    """

    deadline: float = math.inf
    clock: Callable[[], float] = attrs.field(default=lambda: 0.0)
    phase: Phase = "queue"
    reports_sending: bool = False
    trusts_connect_errors: bool = True
    sent_at: datetime | None = None
    opened_stream: httpcore.AsyncNetworkStream | None = None
    quota_wait: float = 0.0
    permit_is_valid: Callable[[], bool] = attrs.field(default=lambda: True)
    lacked_permit: bool = False
    abandoned: bool = False
    _response: Callable[[], Response] | None = attrs.field(default=None, init=False)

    @property
    def seconds_left(self) -> float:
        """The number of seconds until the deadline, or 0 if it has passed."""
        return max(0.0, self.deadline - self.clock())

    @property
    def partial_response(self) -> Response | None:
        """The part of the response that has arrived. If None, the status line has not arrived."""
        return None if self._response is None else self._response()

    def begin_sending(self) -> None:
        """Note that the first byte is about to be sent, or raise an exception so that it is not sent.

        A transport may call this method in a thread of its own, so it makes the note before the check. Then either this
        method finds that the exchange was abandoned, or the thread that abandons it finds that it may have been sent.

        Raises:
            CancelledError: The exchange was abandoned, so nothing may be sent.
            TimeoutError: The deadline has passed, or the permit of the quota is no longer valid, so nothing may be
                sent.
        """
        before, self.phase, self.sent_at = self.phase, "send", _clock.now()
        try:
            self._raise_if_ended()
            self._raise_without_permit()
        except BaseException:
            self.phase, self.sent_at = before, None
            raise

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note an event that httpcore's ``trace`` extension reports: https://www.encode.io/httpcore/extensions/#trace .

        A CONNECT to a proxy reports the same events as the request, but does not belong to it.

        Args:
            event: The name of the event.
            info: The details of the event.

        Raises:
            CancelledError: The request is about to be sent, but the exchange was abandoned.
            TimeoutError: The request is about to be sent, but the deadline has passed.
        """
        self.reports_sending = True
        if event.endswith("send_request_headers.started"):
            if info["request"].method == b"CONNECT":
                self._raise_if_ended()
            else:
                self.begin_sending()
        elif event.endswith("receive_response_headers.started") and self.sent_at is not None:
            self.phase = "answer"
        elif event.endswith("connect_tcp.complete"):
            self.opened_stream = info["return_value"]
            log.debug("a connection to %s was opened", info["return_value"].get_extra_info("server_addr"))

    def may_have_been_sent(self, error: BaseException | None = None) -> bool:
        """Return whether a byte of the request may have been sent.

        Args:
            error: The exception with which the attempt ended. If None, the attempt has not ended, or it ended without
                an exception.
        """
        if self.phase in {"queue", "quota"}:
            return False
        if self.reports_sending or self.sent_at is not None:
            return self.sent_at is not None
        return not (self.trusts_connect_errors and isinstance(error, NEVER_CONNECTED))

    async def receive(self, status: int, headers: Mapping[str, str], chunks: AsyncIterable[bytes]) -> Response:
        """Read the body and return the response. Meanwhile, `partial_response` contains the part that has arrived.

        Args:
            status: The HTTP status.
            headers: The headers, with their names in lower case.
            chunks: The parts of the body.

        Returns:
            The response, with its whole body.

        Raises:
            CancelledError: The exchange was abandoned.
            TimeoutError: The deadline has passed.
            httpcore.RemoteProtocolError: The body is longer than any response of Plivo's.
        """
        self.phase = "answer"
        received_at, body = _clock.now(), bytearray()

        def response(*, complete: bool = False) -> Response:
            return Response(
                status=status,
                headers=headers,
                body=bytes(body),
                complete=complete,
                sent_at=self.sent_at,
                received_at=received_at,
            )

        self._response = response
        async for chunk in chunks:
            self._raise_if_ended()
            body += chunk
            if len(body) > LONGEST_RESPONSE:
                raise httpcore.RemoteProtocolError(f"the response is longer than {LONGEST_RESPONSE} bytes")
        return response(complete=True)

    def _raise_without_permit(self) -> None:
        self.lacked_permit = not self.permit_is_valid()
        if self.lacked_permit:
            raise TimeoutError

    def _raise_if_ended(self) -> None:
        if self.abandoned:
            raise asyncio.CancelledError
        if self.seconds_left == 0:
            raise TimeoutError
