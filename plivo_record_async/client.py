"""`RecordClient`: what users await."""

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
from plivo_record_async.protocol.arguments import positive, whole
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
    """Plivo's Conference Record API. One client serves any number of concurrent tasks.

    .. code-block:: python

        async with RecordClient() as client:
            started = await client.start_recording("standup", file_format="wav")
            await client.stop_recording("standup")

    Each call ends in one known outcome. A start is never sent twice unless it is certain that the first one was
    not executed: no byte of it left, or Plivo refused it (429). A stop does no harm twice and is repeated when its
    outcome is unknown.

    A client serves one event loop at a time, and any number one after another: it can be made at module level, used
    in one ``asyncio.run`` and in the next, closed, and entered again. The account's quota is kept across all of them.
    Blocks of ``async with`` may be nested; the last one that is left closes the client.

    Args:
        auth_id: The account's id; ``PLIVO_AUTH_ID`` if absent.
        auth_token: The account's token; ``PLIVO_AUTH_TOKEN`` if absent.
        base_url: The API's address; ``PLIVO_BASE_URL``, or ``https://api.plivo.com``, if absent.
        timeout: Seconds for one call in all: queueing, attempts, waits between them.
        max_retries: How many times one call is sent again at the most, where that is safe.
        max_connections: How many requests are under way at once at the most.
        rate_limit: The account's quota, kept exactly; ``None`` switches it off.
        transport: An httpx transport to send with, which the client closes. If None, the client uses connections of
            its own.
        proxy: The URL of a proxy, or an `httpx.Proxy`. If None, the environment decides by the rules of httpx
            (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``). A transport other than
            `fast_transport` has its own proxies, so it cannot be combined with this.
        trust_env: Whether the environment may name proxies, and with ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` the
            certificates to trust.
        retry_503_starts: Send a start again after a 503 without an ``api_id``. Off, because nothing proves that
            Plivo had not executed it.

    Raises:
        ConfigurationError: A credential or the address is missing or misshapen, or the transport, the proxy or the
            certificates cannot be used; the message names what it is.
        TypeError: A number is not a number.
        ValueError: A number is out of range.
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
        whole("max_connections", max_connections, least=1)
        self._sender = RetryingSender(
            open_connector(
                self._settings,
                transport,
                proxy=proxy,
                environment=Environment.read() if trust_env else Environment(),
            ),
            timeout=positive("timeout", timeout),
            rate_limit=rate_limit,
            max_connections=max_connections,
            policy=RetryPolicy(
                max_retries=whole("max_retries", max_retries, least=0), retry_503_starts=retry_503_starts
            ),
        )

    def __repr__(self) -> str:
        return f"RecordClient(auth_id={self._settings.auth_id!r}, base_url={self._settings.base_url!r})"

    @property
    def settings(self) -> Settings:
        """The account, its key and the address in use; the key is not shown."""
        return self._settings

    @property
    def timeout(self) -> float:
        """Seconds for one call in all, where the call itself does not say."""
        return self._sender.timeout

    @property
    def rate_limit(self) -> RateLimit | None:
        """The quota that is kept."""
        return self._rate_limit

    @property
    def plivo_clock(self) -> PlivoClock:
        """Plivo's clock, as its answers tell; for what builds on a client."""
        return self._sender.plivo_clock

    async def __aenter__(self) -> Self:
        await self._sender.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sender.leave()

    async def aclose(self, *, grace: float = GRACE) -> None:
        """Close the client: refuse new calls, wait for requests under way, close the connections and the transport.

        Calls that wait for their turn end at once with `NotSentError`, and calls that are made from now on with
        `ClosedError`. Closing twice is harmless. A closed client can be entered again with ``async with``.

        Args:
            grace: Seconds that requests under way may still take. What has no answer then is cancelled, and its
                outcome is unknown.

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
        on_abandoned: Callable[[Awaitable[T]], None] | None = None,
    ) -> T:
        """Send the request of any endpoint, with every guarantee of the other calls; for what builds on a client.

        Args:
            request: One of ``plivo_record_async.protocol.api.endpoints``.
            timeout: Seconds for this call in all; the client's own if absent.
            max_retries: How many times it is sent again at the most. If None, as often as the client may.
            on_abandoned: Is called with the pending result if this call is cancelled after something was sent. If
                None, the result is only logged.
        """
        return await self._sender.send(request, timeout, max_retries=max_retries, on_abandoned=on_abandoned)

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

        Only what is given is sent; Plivo's own defaults apply to the rest (mp3, POST).
        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The conference's name; any text.
            file_format: ``mp3`` or ``wav``.
            transcription_type: Passed on as given, usually ``auto``.
            transcription_url: Where Plivo sends the transcript.
            transcription_method: ``GET`` or ``POST``.
            callback_url: Switches to asynchronous mode: Plivo answers with an ``api_id`` only, and calls this address
                with the rest, and again when the recording ends. Sent byte for byte, fragment included.
            callback_method: ``GET`` or ``POST``.
            timeout: Seconds for this call in all; the client's own if absent.

        Returns:
            `RecordingStarted`, or `PendingResponse` if ``callback_url`` was given.

        Raises:
            ValueError: An argument that Plivo could not act on; nothing was sent.
            TypeError: An argument of the wrong type; nothing was sent.
            NotSentError: Nothing was sent; safe to call again.
            OutcomeUnknownError: It was sent and may have been executed; not repeated.
            ApiError: Plivo refused it.
            UnexpectedResponseError: Plivo accepted it in words that make no sense.
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
        """Stop recording a conference; harmless to repeat.

        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The conference's name; any text.
            callback_url: Switches to asynchronous mode, as with `start_recording`.
            callback_method: ``GET`` or ``POST``.
            timeout: Seconds for this call in all; the client's own if absent.

        Returns:
            `RecordingStopped`, or `PendingResponse` if ``callback_url`` was given. A 404 that follows an attempt
            with an unknown outcome means that the attempt was executed, and counts as stopped.

        Raises:
            ValueError: An argument that Plivo could not act on; nothing was sent.
            TypeError: An argument of the wrong type; nothing was sent.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it; `NotFoundError` if no such conference is live.
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
        """Start many recordings concurrently; outcomes come as they finish.

        .. code-block:: python

            async with RecordClient() as client:
                async for outcome in client.start_many(["sales", "support"]):
                    print(outcome.request, outcome.result if outcome.error is None else outcome.error)

        Args:
            requests: Conference names or `StartRequest` values, from an iterable or async iterable that is read only
                as far as there is room: memory stays O(concurrency).
            concurrency: How many calls are under way at once.
            timeout: Seconds for each call in all; the client's own if absent.

        Yields:
            One `Outcome` for each item; its ``request`` is the very item that was given. An item that fails, a
            wrong one too, never stops the others. Leaving the loop early stops reading and leaves no task behind.

        Raises:
            TypeError: ``requests`` cannot be iterated, or is a single text.
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
        """Stop many recordings concurrently; everything is as with `start_many`.

        Args:
            requests: Conference names or `StopRequest` values.
            concurrency: How many calls are under way at once.
            timeout: Seconds for each call in all; the client's own if absent.

        Yields:
            One `Outcome` for each item.

        Raises:
            TypeError: ``requests`` cannot be iterated, or is a single text.
            ValueError: ``concurrency`` is less than 1.
        """

        async def stop(item: StopT) -> RecordingStopped | PendingResponse:
            request = item if isinstance(item, StopRequest) else StopRequest(item)
            return await self._sender.send(endpoints.stop_recording(request), timeout)

        return run_many(requests, stop, concurrency=concurrency)

    async def get_recording(self, recording_id: str, *, timeout: float | None = None) -> Recording:
        """Look at one recording that Plivo keeps.

        https://plivo.com/docs/voice/api/recordings.md

        Raises:
            NotFoundError: There is none of this id.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it.
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

        Each page is asked for when its first recording is taken. A span of more than 30 days, which Plivo refuses, is
        asked for in several parts. A recording of which Plivo says something that cannot be read is listed all the
        same: that attribute of it is None, and ``raw`` holds what was said. A recording that moves to a later page,
        because others are added meanwhile, is listed once.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            conference_name: Only those of this conference. If None, those of all conferences, and of calls.
            added_after: Only those added at or after this time (aware). If None, 7 days before ``added_before``.
            added_before: Only those added at or before this time (aware). If None, all that are there.
            timeout: Seconds for each page in all. If None, the client's own timeout.

        Yields:
            Each `Recording`.

        Raises:
            ValueError: A time is not aware, or ``added_after`` is later than ``added_before``; nothing was sent.
            NotSentError: A page was not asked for.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it.
            UnexpectedResponseError: A page as a whole cannot be read.
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
        """Delete a recording that Plivo keeps; harmless to repeat.

        https://plivo.com/docs/voice/api/recordings.md

        Raises:
            NotFoundError: There is none of this id.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it.
        """
        await self._sender.send(endpoints.delete_recording(recording_id), timeout)

    async def get_conference(self, conference_name: str, *, timeout: float | None = None) -> Conference:
        """Look at a conference that is live.

        https://plivo.com/docs/voice/api/conferences

        Raises:
            NotFoundError: None of this name is live.
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it.
        """
        return await self._sender.send(endpoints.get_conference(conference_name), timeout)

    async def list_conferences(self, *, timeout: float | None = None) -> list[str]:
        """Bring the names of the conferences that are live.

        https://plivo.com/docs/voice/api/conferences

        Raises:
            NotSentError: Nothing was sent.
            OutcomeUnknownError: No attempt got an answer.
            ApiError: Plivo refused it.
        """
        return await self._sender.send(endpoints.list_conferences(), timeout)
