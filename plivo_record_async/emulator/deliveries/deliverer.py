"""Deliver callbacks over HTTP, with the retries that the fragment of their URL asks for.

https://plivo.com/docs/voice/concepts/callback-configurations.md
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

import attrs
import httpx

from plivo_record_async import _clock
from plivo_record_async.emulator.account.callbacks import Callback, CallbackKind, DeliveryOptions, HttpCallback
from plivo_record_async.emulator.account.dialect import Dialect

__all__ = ["Deliverer", "DeliveryAttempt"]

_logger = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class DeliveryAttempt:
    """One attempt to deliver one callback.

    Attributes:
        kind: What the callback reports.
        api_id: The ID of the request that the callback belongs to.
        method: The HTTP method.
        url: The URL that was called: without the fragment, with the fields of a GET.
        fields: The fields of the callback.
        attempt: 1 for the first attempt, 2 for its first retry.
        status: The HTTP status of the answer. If None, there was no answer.
        error: What went wrong, in words; if None, the receiver answered 2xx.
        at: When the attempt was over (aware, UTC).
    """

    kind: CallbackKind
    api_id: str
    method: str
    url: str
    fields: dict[str, str]
    attempt: int
    status: int | None
    error: str | None
    at: datetime


@attrs.frozen
class _DeliveryResult:
    """The result of an attempt. ``failure`` is the class of failure as in ``DeliveryOptions.retry_on``."""

    status: int | None = None
    error: str | None = None
    failure: str | None = None


class Deliverer:
    """Deliver callbacks in background tasks, a limited number at a time.

    Args:
        auth_token: The auth token that signs the callbacks.
        report: The function that is called with each attempt.
        dialect: How callbacks are signed, how often each is delivered, and with which delay.
        concurrency: How many callbacks are delivered at the same time.
        first_pause: Seconds before the first retry. The pause doubles before each further retry. Plivo does not
            document its own pauses.
    """

    def __init__(
        self,
        *,
        auth_token: str,
        report: Callable[[DeliveryAttempt], None],
        dialect: Dialect,
        concurrency: int = 64,
        first_pause: float = 0.1,
    ) -> None:
        self._auth_token = auth_token
        self._report = report
        self._dialect = dialect
        self._slots = asyncio.Semaphore(concurrency)
        self._first_pause = first_pause
        self._tasks: dict[asyncio.Task[None], Callback] = {}
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def send_soon(self, callback: Callback) -> None:
        """Begin to deliver a callback, without waiting for it."""
        for _ in range(self._dialect.copies):
            task = asyncio.create_task(self._deliver(callback))
            self._tasks[task] = callback
            task.add_done_callback(self._tasks.pop)

    async def settled(self) -> None:
        """Wait until every callback was delivered or given up, including those that are added meanwhile."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self, *, grace: float = 1.0) -> None:
        """Wait up to ``grace`` seconds for callbacks under way, then cancel the others and log a warning."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=grace)
        dropped = dict(self._tasks)
        for task, callback in dropped.items():
            _logger.warning(
                "the emulator was shut down before the %s callback to %s was delivered", callback.kind, callback.url
            )
            task.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _deliver(self, callback: Callback) -> None:
        options = DeliveryOptions.of(callback.url)
        attempt = 1
        await asyncio.sleep(self._dialect.delay_s)
        async with self._slots:
            request = self._signed(callback)
            try:
                async with asyncio.timeout(options.total_ms / 1000):
                    while True:
                        result = await self._attempt(request, options)
                        self._note(callback, request, attempt, result)
                        if not options.retries_after(result.failure, attempt):
                            return
                        await asyncio.sleep(self._first_pause * 2 ** (attempt - 1))
                        attempt += 1
                        request = self._signed(callback)
            except TimeoutError:
                over = _DeliveryResult(error=f"given up: all {options.total_ms} ms (tt) are over")
                self._note(callback, request, attempt, over)

    async def _attempt(self, request: HttpCallback, options: DeliveryOptions) -> _DeliveryResult:
        timeout = httpx.Timeout(options.read_ms / 1000, connect=options.connect_ms / 1000, pool=None)
        client = self._client(tls=request.url.lower().startswith("https:"))
        try:
            async with client.stream(
                request.method, request.url, headers=request.headers, content=request.content, timeout=timeout
            ) as response:
                return await _answered(response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return _unanswered(error)

    def _signed(self, callback: Callback) -> HttpCallback:
        return callback.signed(
            nonce=f"{uuid4().int % 10**20:020}", auth_token=self._auth_token, scheme=self._dialect.signatures
        )

    def _client(self, *, tls: bool) -> httpx.AsyncClient:
        """Return the client for plain or TLS connections. Only the latter reads certificates.

        A connection serves one callback, so that ``ct`` applies to each of them. The client honours SSL_CERT_FILE and
        uses no proxy.
        """
        if tls not in self._clients:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            self._clients[tls] = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(verify=tls, limits=limits),
                headers={"Connection": "close", "User-Agent": "plivo-record-emulator"},
            )
        return self._clients[tls]

    def _note(self, callback: Callback, request: HttpCallback, attempt: int, result: _DeliveryResult) -> None:
        _logger.info(
            "callback (%s) %s %s: %s",
            callback.kind,
            request.method,
            request.url.partition("?")[0],
            result.error or result.status,
        )
        self._report(
            DeliveryAttempt(
                kind=callback.kind,
                api_id=callback.api_id,
                method=request.method,
                url=request.url,
                fields=dict(callback.fields),
                attempt=attempt,
                status=result.status,
                error=result.error,
                at=_clock.now(),
            )
        )


async def _answered(response: httpx.Response) -> _DeliveryResult:
    """Read an answer. If it breaks off, Plivo does not retry."""
    status = response.status_code
    try:
        async for _ in response.aiter_raw():
            continue
    except httpx.HTTPError as error:
        return _DeliveryResult(status=status, error=f"the answer broke off: {error!r}")
    if response.is_success:
        return _DeliveryResult(status=status)
    return _DeliveryResult(status=status, error=f"answered {status}", failure=f"{status // 100}xx")


def _unanswered(error: Exception) -> _DeliveryResult:
    """Return the result without an answer: ``ct`` if the connection failed, ``rt`` if it timed out or was lost."""
    failure = None
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        failure = "ct"
    elif isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError):
        failure = "rt"
    return _DeliveryResult(error=f"no answer: {error!r}", failure=failure)
