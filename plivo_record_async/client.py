"""`RecordClient`: the methods that call Plivo's API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar, overload

from plivo_record_async import _clock
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.retry import RetryPolicy
from plivo_record_async.protocol.arguments import integer, positive_number
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.models import (
    Conference,
    FileFormat,
    HttpMethod,
    Outcome,
    PendingResponse,
    RateLimit,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
)
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.batch import run_many
from plivo_record_async.transport.connectors.choice import open_connector
from plivo_record_async.transport.connectors.connector import Transport
from plivo_record_async.transport.connectors.proxies import ProxyTypes
from plivo_record_async.transport.retrying import RetryingSender
from plivo_record_async.transport.sender import GRACE

__all__ = ["RecordClient"]

T = TypeVar("T")
StartT = TypeVar("StartT", bound=str | StartRequest)
StopT = TypeVar("StopT", bound=str | StopRequest)


class RecordClient:
    """Calls Plivo's Conference Record API. One client serves any number of concurrent tasks.

    .. code-block:: python

        async with RecordClient() as client:
            started = await client.start_recording("standup", file_format="wav")
            await client.stop_recording("standup")

    Each call has one outcome. A start is sent again only if it is certain that it was not executed: no byte of it was
    sent, or Plivo refused it (429). A stop is harmless to repeat, so it is also sent again if its outcome is unknown.

    A client serves one event loop at a time, and any number one after another: it can be made at module level, used
    in one ``asyncio.run`` and in the next, closed, and entered again. The account's quota is kept across all of them.
    Blocks of ``async with`` may be nested; leaving the last one closes the client.

    Args:
        auth_id: The account's auth ID. If None, ``PLIVO_AUTH_ID`` is used.
        auth_token: The account's auth token. If None, ``PLIVO_AUTH_TOKEN`` is used.
        base_url: The address of the API. If None, ``PLIVO_BASE_URL`` is used, or else ``https://api.plivo.com``.
        timeout: Seconds for one call in total: waiting for its turn, attempts, and the waits between them.
        max_retries: The most retries of one call. Only what is safe is retried.
        max_connections: The most requests that are sent or answered at the same time.
        rate_limit: The account's quota, which is kept exactly. If None, there is no limit.
        transport: An httpx transport, which the client closes. If None, the client uses connections of its own.
        proxy: The URL of a proxy, or an `httpx.Proxy`. If None, the environment decides by the rules of httpx
            (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``). A transport other than
            `fast_transport` has its own proxies, so it cannot be combined with this argument.
        trust_env: Whether the environment may name proxies and, with ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``,
            certificates to trust.
        retry_503_starts: Whether a start is sent again after a 503 without an ``api_id``. Nothing proves that Plivo
            had not executed it, so this is off by default.

    Raises:
        ConfigurationError: A credential or the address is missing or malformed, or the transport, the proxy or the
            certificates cannot be used. The message names it.
        TypeError: A numeric argument is not a number, or ``rate_limit`` is no `RateLimit`.
        ValueError: A numeric argument is out of range.
    """

    def __init__(
        self,
        auth_id: str | None = None,
        auth_token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        max_connections: int = 32,
        rate_limit: RateLimit | None = RateLimit(300, per=5.0),  # noqa: B008 - frozen
        transport: Transport | None = None,
        proxy: ProxyTypes | None = None,
        trust_env: bool = True,
        retry_503_starts: bool = False,
    ) -> None:
        if not isinstance(rate_limit, RateLimit | None):
            raise TypeError(f"rate_limit must be a RateLimit or None, not {rate_limit!r}")
        self._settings = Settings.read(auth_id, auth_token, base_url)
        self._rate_limit = rate_limit
        integer("max_connections", max_connections, least=1)
        self._sender = RetryingSender(
            open_connector(
                self._settings,
                transport,
                proxy=proxy,
                environment=Environment.read() if trust_env else Environment(),
            ),
            timeout=positive_number("timeout", timeout),
            rate_limit=rate_limit,
            max_connections=max_connections,
            policy=RetryPolicy(
                max_retries=integer("max_retries", max_retries, least=0), retry_503_starts=retry_503_starts
            ),
        )

    def __repr__(self) -> str:
        return f"RecordClient(auth_id={self._settings.auth_id!r}, base_url={self._settings.base_url!r})"

    @property
    def settings(self) -> Settings:
        """The credentials and the address in use. Their representation does not show the auth token."""
        return self._settings

    @property
    def timeout(self) -> float:
        """Seconds for one call in total, unless the call has its own timeout."""
        return self._sender.timeout

    @property
    def rate_limit(self) -> RateLimit | None:
        """The quota that is kept. If None, there is no limit."""
        return self._rate_limit

    @property
    def plivo_clock(self) -> PlivoClock:
        """Plivo's clock, as its responses report it. It is for code that builds on a client."""
        return self._sender.plivo_clock

    async def __aenter__(self) -> Self:
        await self._sender.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sender.leave()

    async def aclose(self, *, grace: float = GRACE) -> None:
        """Close the client, its connections and its transport.

        Calls that wait for their turn end at once with `NotSentError`. Requests that are being sent or answered may
        finish first. Later calls raise `ClosedError`. Closing twice is harmless, and a closed client can be entered
        again with ``async with``.

        Args:
            grace: Seconds to wait for requests that are being sent or answered. Requests without an answer are then
                cancelled, and their outcome is unknown.

        Raises:
            ConfigurationError: The client is in use in another event loop or process.
        """
        await self._sender.aclose(grace=grace)

    async def call(
        self,
        request: Request[T],
        *,
        timeout: float | None = None,
        max_retries: int | None = None,
        on_caller_cancelled: Callable[[Awaitable[T]], None] | None = None,
    ) -> T:
        """Send the request of any endpoint, with the guarantees of the other methods.

        It is for code that builds on a client.

        Args:
            request: A request of ``plivo_record_async.protocol.api.endpoints``.
            timeout: Seconds for this call in total. If None, the client's timeout applies.
            max_retries: The most retries of this call. If None, the client's limit applies.
            on_caller_cancelled: Called with the pending result if this call is cancelled after something was sent. If
                None, the result is only logged.

        Returns:
            The result that the request reads from its response.

        Raises:
            NotSentError: Nothing was sent; it is safe to call again.
            OutcomeUnknownError: The request was sent, or may have been, and may have been executed.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        return await self._sender.send(
            request, timeout, max_retries=max_retries, on_caller_cancelled=on_caller_cancelled
        )

    @overload
    async def start_recording(
        self,
        conference_name: str,
        *,
        file_format: FileFormat | None = None,
        transcription_type: str | None = None,
        transcription_url: str | None = None,
        transcription_method: HttpMethod | None = None,
        callback_url: None = None,
        callback_method: None = None,
        timeout: float | None = None,
    ) -> RecordingStarted: ...

    @overload
    async def start_recording(
        self,
        conference_name: str,
        *,
        file_format: FileFormat | None = None,
        transcription_type: str | None = None,
        transcription_url: str | None = None,
        transcription_method: HttpMethod | None = None,
        callback_url: str,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> PendingResponse: ...

    @overload
    async def start_recording(
        self,
        conference_name: str,
        *,
        file_format: FileFormat | None = None,
        transcription_type: str | None = None,
        transcription_url: str | None = None,
        transcription_method: HttpMethod | None = None,
        callback_url: str | None,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> RecordingStarted | PendingResponse: ...

    async def start_recording(
        self,
        conference_name: str,
        *,
        file_format: FileFormat | None = None,
        transcription_type: str | None = None,
        transcription_url: str | None = None,
        transcription_method: HttpMethod | None = None,
        callback_url: str | None = None,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> RecordingStarted | PendingResponse:
        """Start recording a conference.

        Only the arguments that are given are sent; Plivo's defaults apply to the others (mp3, POST).
        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference; any text.
            file_format: ``mp3`` or ``wav``. If None, Plivo chooses mp3.
            transcription_type: The type of transcription, usually ``auto``. If None, there is no transcription.
            transcription_url: The URL to which Plivo sends the transcript. If None, it sends none.
            transcription_method: ``GET`` or ``POST``. If None, Plivo uses POST.
            callback_url: The URL to which Plivo sends the asynchronous response, and later the end of the recording.
                It switches to asynchronous mode, and is sent byte for byte, including its fragment. If None, the call
                is synchronous.
            callback_method: ``GET`` or ``POST``. If None, Plivo uses POST.
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Returns:
            `RecordingStarted`, or `PendingResponse` if ``callback_url`` was given.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: Nothing was sent; it is safe to call again.
            OutcomeUnknownError: The start was sent, or may have been, and may have been executed. It is not repeated.
            ApiError: Plivo refused the start.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        request = StartRequest(
            conference_name,
            file_format=file_format,
            transcription_type=transcription_type,
            transcription_url=transcription_url,
            transcription_method=transcription_method,
            callback_url=callback_url,
            callback_method=callback_method,
        )
        return await self._sender.send(endpoints.start_recording(request), timeout)

    @overload
    async def stop_recording(
        self,
        conference_name: str,
        *,
        callback_url: None = None,
        callback_method: None = None,
        timeout: float | None = None,
    ) -> RecordingStopped: ...

    @overload
    async def stop_recording(
        self,
        conference_name: str,
        *,
        callback_url: str,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> PendingResponse: ...

    @overload
    async def stop_recording(
        self,
        conference_name: str,
        *,
        callback_url: str | None,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> RecordingStopped | PendingResponse: ...

    async def stop_recording(
        self,
        conference_name: str,
        *,
        callback_url: str | None = None,
        callback_method: HttpMethod | None = None,
        timeout: float | None = None,
    ) -> RecordingStopped | PendingResponse:
        """Stop recording a conference. It is harmless to repeat.

        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference; any text.
            callback_url: The URL to which Plivo sends the asynchronous response. It switches to asynchronous mode. If
                None, the call is synchronous.
            callback_method: ``GET`` or ``POST``. If None, Plivo uses POST.
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Returns:
            `RecordingStopped`, or `PendingResponse` if ``callback_url`` was given. A 404 that follows an attempt
            with an unknown outcome means that the attempt was executed, so it is returned as a success.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer that says whether the stop was executed.
            ApiError: Plivo refused the stop, for example with `NotFoundError` if no such conference is live.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        request = StopRequest(conference_name, callback_url=callback_url, callback_method=callback_method)
        return await self._sender.send(endpoints.stop_recording(request), timeout)

    def start_many(
        self,
        requests: Iterable[StartT] | AsyncIterable[StartT],
        *,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StartT, RecordingStarted | PendingResponse], None]:
        """Start many recordings concurrently, and yield their outcomes as the calls finish.

        .. code-block:: python

            async with RecordClient() as client:
                async for outcome in client.start_many(["sales", "support"]):
                    print(outcome.request, outcome.result if outcome.error is None else outcome.error)

        Args:
            requests: Conference names or `StartRequest` values. The iterable or async iterable is read only when a
                call can begin, so memory stays O(concurrency).
            concurrency: The most calls at the same time.
            timeout: Seconds for each call in total. If None, the client's timeout applies.

        Yields:
            One `Outcome` for each item; its ``request`` is the item itself. An item that fails, even an invalid one,
            does not stop the others. Leaving the loop early stops reading and cancels the calls that have begun.

        Raises:
            TypeError: ``requests`` cannot be iterated or is a single text, or ``concurrency`` is not an ``int``.
            ValueError: ``concurrency`` is less than 1.
        """

        async def start(item: StartT) -> RecordingStarted | PendingResponse:
            request = item if isinstance(item, StartRequest) else StartRequest(item)
            return await self._sender.send(endpoints.start_recording(request), timeout)

        return run_many(requests, start, concurrency=concurrency)

    def stop_many(
        self,
        requests: Iterable[StopT] | AsyncIterable[StopT],
        *,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StopT, RecordingStopped | PendingResponse], None]:
        """Stop many recordings concurrently, and yield their outcomes as the calls finish.

        Args:
            requests: Conference names or `StopRequest` values. The iterable or async iterable is read only when a call
                can begin, so memory stays O(concurrency).
            concurrency: The most calls at the same time.
            timeout: Seconds for each call in total. If None, the client's timeout applies.

        Yields:
            One `Outcome` for each item; its ``request`` is the item itself. An item that fails, even an invalid one,
            does not stop the others. Leaving the loop early stops reading and cancels the calls that have begun.

        Raises:
            TypeError: ``requests`` cannot be iterated or is a single text, or ``concurrency`` is not an ``int``.
            ValueError: ``concurrency`` is less than 1.
        """

        async def stop(item: StopT) -> RecordingStopped | PendingResponse:
            request = item if isinstance(item, StopRequest) else StopRequest(item)
            return await self._sender.send(endpoints.stop_recording(request), timeout)

        return run_many(requests, stop, concurrency=concurrency)

    async def get_recording(self, recording_id: str, *, timeout: float | None = None) -> Recording:
        """Return one recording that Plivo keeps.

        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Raises:
            NotFoundError: The account has no recording with this ID.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        return await self._sender.send(endpoints.get_recording(recording_id), timeout)

    def list_recordings(
        self,
        *,
        conference_name: str | None = None,
        added_after: datetime | None = None,
        added_before: datetime | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Recording, None]:
        """List the recordings that Plivo keeps, newest first.

        Each page is requested when its first recording is consumed. A span of more than 30 days, which Plivo refuses,
        is requested in several parts. A recording with a field that cannot be read is listed too: the attribute is
        None, and ``raw`` holds the field. A recording that moves to a later page because others are added is listed
        once.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            conference_name: Only recordings of this conference. If None, of all conferences and calls.
            added_after: Only recordings added at or after this time (aware). If None, 7 days before ``added_before``.
            added_before: Only recordings added at or before this time (aware). If None, there is no limit.
            timeout: Seconds for each page in total. If None, the client's timeout applies.

        Yields:
            Each `Recording`.

        Raises:
            ValueError: A time is not aware, or ``added_after`` is later than ``added_before``; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        listing = Listing(
            conference_name=conference_name, added_after=added_after, added_before=added_before, now=_clock.now()
        )
        return self._listed(listing, timeout)

    async def _listed(self, listing: Listing, timeout: float | None) -> AsyncGenerator[Recording, None]:
        while listing.request is not None:
            for recording in listing.take(await self._sender.send(listing.request, timeout)):
                yield recording

    async def delete_recording(self, recording_id: str, *, timeout: float | None = None) -> None:
        """Delete a recording that Plivo keeps. It is harmless to repeat.

        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Raises:
            NotFoundError: The account has no recording with this ID.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        await self._sender.send(endpoints.delete_recording(recording_id), timeout)

    async def get_conference(self, conference_name: str, *, timeout: float | None = None) -> Conference:
        """Return a live conference.

        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference.
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Raises:
            NotFoundError: No conference of this name is live.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        return await self._sender.send(endpoints.get_conference(conference_name), timeout)

    async def list_conferences(self, *, timeout: float | None = None) -> list[str]:
        """Return the names of all live conferences.

        https://plivo.com/docs/voice/api/conferences

        Args:
            timeout: Seconds for this call in total. If None, the client's timeout applies.

        Raises:
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo answered with an error.
            UnexpectedResponseError: Plivo answered with a success status, and its answer cannot be read or carries an
                error.
            ClosedError: The client is closed.
            ConfigurationError: The client is in use in another event loop or process.
        """
        return await self._sender.send(endpoints.list_conferences(), timeout)
