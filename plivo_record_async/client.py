"""`RecordClient`: the methods that call Plivo's API."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

from plivo_record_async import _clock
from plivo_record_async._shown_log import show_log
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.retry import RetryPolicy
from plivo_record_async.protocol.arguments import integer, plain_function, positive_number
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.media.hosts import DEFAULT_MEDIA_HOSTS, MediaHosts
from plivo_record_async.protocol.models import (
    AttemptReport,
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
    Transcription,
    TranscriptionRequested,
)
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.transport.batch import run_many
from plivo_record_async.transport.connectors.choice import adapted, open_connector
from plivo_record_async.transport.connectors.connector import NativeTransport, OtherTransport, Transport
from plivo_record_async.transport.connectors.media import MediaOpener
from plivo_record_async.transport.connectors.proxies import ProxyTypes
from plivo_record_async.transport.downloads.download import Downloads, MediaStream, ProgressCallback, RecordedFile
from plivo_record_async.transport.quota import Quota, SharedRateLimit
from plivo_record_async.transport.retrying import RetryingSender
from plivo_record_async.transport.sender import GRACE

__all__ = ["RecordClient"]

T = TypeVar("T")
StartT = TypeVar("StartT", bound=str | StartRequest)
StopT = TypeVar("StopT", bound=str | StopRequest)
FileT = TypeVar("FileT", bound=RecordedFile)


class RecordClient:
    """A client for Plivo's Conference Record API. One client serves any number of concurrent tasks.

    .. code-block:: python

        async with RecordClient() as client:
            started = await client.start_recording("standup", file_format="wav")
            await client.stop_recording("standup")

    Each call ends with exactly one outcome: a result or a typed error. A start is sent again only if it is certain that
    it was not executed, either because no byte of it left this machine or because Plivo rejected it with 429 (unless
    ``retry_503_starts`` is True). A stop is safe to repeat, so it is also sent again if its outcome is unknown.

    A client can be created anywhere, for example at module level. It is used in one event loop at a time, in any number
    of event loops one after another, and it keeps the account's quota across all of them. ``async with`` blocks may be
    nested: the client is closed when the last block is left. A closed client can be entered again.

    Args:
        auth_id: The auth ID of the account. If None, ``PLIVO_AUTH_ID`` is used.
        auth_token: The auth token of the account. If None, ``PLIVO_AUTH_TOKEN`` is used.
        base_url: The URL of the API. If None, ``PLIVO_BASE_URL`` is used, or ``https://api.plivo.com`` if that is not
            set.
        timeout: The time limit of one call, in seconds. It covers waiting for a connection, waiting for the quota, all
            attempts, and the pauses between them.
        max_retries: The maximum number of retries of one call. A call is retried only if that is safe.
        max_connections: The maximum number of requests that are in progress at the same time.
        rate_limit: The quota of the account, which the client never exceeds. With
            `plivo_record_async.stores.PostgresRateLimit`, several processes share it. If None, there is no limit.
        transport: The transport of httpx or httpx2 that sends the requests. The client closes it. If None, the client
            uses its own connections.
        proxy: The proxy for all requests: its URL, or an `httpx.Proxy`. If None, the environment variables
            ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` decide, as they do in httpx. Apart from
            `fast_transport`, a transport has its own proxy settings and cannot be combined with this argument.
        trust_env: Whether to read proxies from the environment, and the certificates to trust from ``SSL_CERT_FILE``
            or ``SSL_CERT_DIR``.
        retry_503_starts: Whether to retry a start, or a request for a transcript, after a 503 without an ``api_id``.
            Such a response does not prove that it was not executed, so the retry can cause a second recording or
            transcript.
        media_hosts: The hosts from which recorded files may be downloaded, besides the origin of ``base_url``. An entry
            is ``host``, ``host:port`` or ``https://host``, with or without the beginning of a path.
        max_download: The maximum size of a file to download, in bytes.
        on_attempt: A function that is called with an `AttemptReport` when an attempt of any call has ended. It runs in
            the event loop of the call, so it must return quickly. If it raises an exception, the exception is logged,
            and the call continues. If None, nothing is called.

    Raises:
        ConfigurationError: A credential, the URL or ``OTEL_INSTRUMENTATION_PLIVO_CAPTURE`` is missing or malformed, or
            the transport, the proxy or the certificates cannot be used. The message names the argument and the
            environment variable.
        TypeError: A numeric argument is not a number, ``rate_limit`` is not a rate limit, or ``on_attempt`` is an async
            function or cannot be called.
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
        rate_limit: RateLimit | SharedRateLimit | None = RateLimit(300, per=5.0),  # noqa: B008 - frozen
        transport: Transport | OtherTransport | None = None,
        proxy: ProxyTypes | None = None,
        trust_env: bool = True,
        retry_503_starts: bool = False,
        media_hosts: Iterable[str] = DEFAULT_MEDIA_HOSTS,
        max_download: int = 2 * 1024**3,
        on_attempt: Callable[[AttemptReport], object] | None = None,
    ) -> None:
        if not isinstance(rate_limit, RateLimit | SharedRateLimit | None):
            raise TypeError(f"rate_limit must be a RateLimit, a PostgresRateLimit or None, not {rate_limit!r}")
        self._settings = Settings.read(auth_id, auth_token, base_url)
        self._rate_limit = rate_limit
        show_log()
        telemetry()  # so that no call has to import anything
        integer("max_connections", max_connections, least=1)
        if on_attempt is not None:
            plain_function("on_attempt", on_attempt)
        environment = Environment.read() if trust_env else Environment()
        httpx_transport = adapted(transport)
        self._sender = RetryingSender(
            open_connector(self._settings, httpx_transport, proxy=proxy, environment=environment),
            api_url=self._settings.api_url,
            timeout=positive_number("timeout", timeout),
            quota=(
                rate_limit.quota_of(self._settings.auth_id)
                if isinstance(rate_limit, SharedRateLimit)
                else Quota(rate_limit)
            ),
            max_connections=max_connections,
            policy=RetryPolicy(
                max_retries=integer("max_retries", max_retries, least=0), retry_503_starts=retry_503_starts
            ),
            on_attempt=on_attempt,
        )
        self._downloads = Downloads(
            MediaOpener(
                settings=self._settings,
                hosts=MediaHosts.read(self._settings.base_url, media_hosts),
                transport=None if isinstance(httpx_transport, NativeTransport) else httpx_transport,
                proxy=proxy,
                environment=environment,
            ),
            max_size=integer("max_download", max_download, least=1),
            check_open=self._sender.check_open,
            on_attempt=on_attempt,
        )

    def __repr__(self) -> str:
        return f"RecordClient(auth_id={self._settings.auth_id!r}, base_url={self._settings.base_url!r})"

    @property
    def settings(self) -> Settings:
        """The credentials and the URL of the API. Their ``repr`` does not show the auth token."""
        return self._settings

    @property
    def timeout(self) -> float:
        """The time limit of a call that has no ``timeout`` of its own, in seconds."""
        return self._sender.timeout

    @property
    def rate_limit(self) -> RateLimit | SharedRateLimit | None:
        """The quota that the client never exceeds. If None, there is no limit."""
        return self._rate_limit

    @property
    def plivo_clock(self) -> PlivoClock:
        """An estimate of the time at Plivo, made from its responses. It is meant for code that extends the client."""
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

        Calls that wait for a connection or for the quota end at once with `NotSentError`. Requests that are in progress
        get time to finish. Later calls raise `ClosedError`. Closing a closed client has no effect, and a closed client
        can be entered again with ``async with``.

        Args:
            grace: The time for requests that are in progress, in seconds. A request that has no response by then is
                cancelled, and if a byte of it may have been sent, its outcome is unknown.

        Raises:
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
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

        This method is meant for code that extends the client.

        Args:
            request: A request that a function of ``plivo_record_async.protocol.api.endpoints`` returns.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.
            max_retries: The maximum number of retries of this call. If None, the client's ``max_retries`` applies.
            on_caller_cancelled: A function that is called if this call is cancelled after a byte may have been sent.
                Its argument is an awaitable of the result. If None, the outcome is only logged.

        Returns:
            The result that the request reads from its response.

        Raises:
            ValueError: ``timeout`` is out of range; nothing was sent.
            TypeError: ``timeout`` is not a number; nothing was sent.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: The request may have been executed: it may have been sent, and no response says whether
                it was executed.
            ApiError: Plivo answered with an error status. The subclass says which.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
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

        An option that is None is not sent, so Plivo's own default applies.
        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference. Any text is a valid name, except an empty one,
                ``.`` and ``..``.
            file_format: The format of the recording, ``mp3`` or ``wav``. If None, Plivo uses mp3.
            transcription_type: The type of the transcription, usually ``auto``. It is sent unchanged. If None, Plivo's
                default applies.
            transcription_url: The URL to which Plivo sends the transcript. If None, Plivo sends no transcript.
            transcription_method: The HTTP method for ``transcription_url``, ``GET`` or ``POST``. If None, Plivo uses
                POST.
            callback_url: The URL to which Plivo sends the asynchronous response, and a second callback when the
                recording ends. It is sent byte for byte, including its fragment, because the fragment contains Plivo's
                delivery options (`CallbackPolicy`). If None, the call is synchronous.
            callback_method: The HTTP method for ``callback_url``, ``GET`` or ``POST``. If None, Plivo uses POST.
                ``GET`` is not allowed if the name of the conference contains ``&`` or ``=``.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            A `RecordingStarted`, or a `PendingResponse` if ``callback_url`` is given.

        Raises:
            ValueError: An argument has an invalid value; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: No byte of the start left this machine; it is safe to call again.
            OutcomeUnknownError: The start may have been executed. Do not repeat it: a second start makes a
                second recording, and Plivo bills both.
            ApiError: Plivo rejected the start, so it was not executed. The status decides the subclass: for example,
                `NotFoundError` if no conference of this name is live.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error. Do not repeat the start, because it may have been executed.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
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
        """Stop recording a conference. This is safe to repeat.

        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference. Any text is a valid name, except an empty one,
                ``.`` and ``..``.
            callback_url: The URL to which Plivo sends the asynchronous response. If None, the call is synchronous.
            callback_method: The HTTP method for ``callback_url``, ``GET`` or ``POST``. If None, Plivo uses POST.
                ``GET`` is not allowed if the name of the conference contains ``&`` or ``=``.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            A `RecordingStopped`, or a `PendingResponse` if ``callback_url`` is given. If a retry gets a 404 after an
            attempt with an unknown outcome, that attempt was executed, so the stop has succeeded.

        Raises:
            ValueError: An argument has an invalid value; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: No byte of the stop left this machine; it is safe to call again.
            OutcomeUnknownError: The stop may have been executed; it is safe to call again.
            ApiError: Plivo answered with an error status: for example, `NotFoundError` if no conference of this name
                is live. After a `ServerError`, the stop may or may not have been executed.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
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
        """Start many recordings concurrently, and yield each outcome as soon as its call ends.

        .. code-block:: python

            async with RecordClient() as client:
                async for outcome in client.start_many(["sales", "support"]):
                    print(outcome.request, "failed" if outcome.error else "is recording")

        Args:
            requests: An iterable or async iterable of conference names or `StartRequest` values. It is read lazily: an
                item is read only when its call can begin, so memory use is proportional to ``concurrency``.
            concurrency: The maximum number of calls at the same time.
            timeout: The time limit of each call, in seconds. If None, the client's ``timeout`` applies. It is checked
                at once, before any item is read.

        Yields:
            One `Outcome` for each item: a `Succeeded` or a `Failed`, whose ``request`` is the item itself. A failed
            item, including an invalid one, does not stop the others. If the loop is left early, no further item is
            read, calls that have not been sent are cancelled, and the outcomes of those that have been sent are
            logged.

        Raises:
            TypeError: ``requests`` is not iterable or is a single string, ``concurrency`` is not an integer, or
                ``timeout`` is not a number; nothing was sent.
            ValueError: ``concurrency`` is less than 1, or ``timeout`` is out of range; nothing was sent.
        """

        async def start(item: StartT) -> RecordingStarted | PendingResponse:
            request = item if isinstance(item, StartRequest) else StartRequest(item)
            return await self._sender.send(endpoints.start_recording(request), timeout)

        return run_many(requests, start, concurrency=concurrency, timeout=timeout)

    def stop_many(
        self,
        requests: Iterable[StopT] | AsyncIterable[StopT],
        *,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StopT, RecordingStopped | PendingResponse], None]:
        """Stop many recordings concurrently, and yield each outcome as soon as its call ends.

        Args:
            requests: An iterable or async iterable of conference names or `StopRequest` values. It is read lazily: an
                item is read only when its call can begin, so memory use is proportional to ``concurrency``.
            concurrency: The maximum number of calls at the same time.
            timeout: The time limit of each call, in seconds. If None, the client's ``timeout`` applies. It is checked
                at once, before any item is read.

        Yields:
            One `Outcome` for each item: a `Succeeded` or a `Failed`, whose ``request`` is the item itself. A failed
            item, including an invalid one, does not stop the others. If the loop is left early, no further item is
            read, calls that have not been sent are cancelled, and the outcomes of those that have been sent are
            logged.

        Raises:
            TypeError: ``requests`` is not iterable or is a single string, ``concurrency`` is not an integer, or
                ``timeout`` is not a number; nothing was sent.
            ValueError: ``concurrency`` is less than 1, or ``timeout`` is out of range; nothing was sent.
        """

        async def stop(item: StopT) -> RecordingStopped | PendingResponse:
            request = item if isinstance(item, StopRequest) else StopRequest(item)
            return await self._sender.send(endpoints.stop_recording(request), timeout)

        return run_many(requests, stop, concurrency=concurrency, timeout=timeout)

    async def get_recording(self, recording_id: str, *, timeout: float | None = None) -> Recording:
        """Return a recording that Plivo stores.

        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            The `Recording`.

        Raises:
            ValueError: ``recording_id`` is empty, ``.`` or ``..``, or ``timeout`` is out of range; nothing was sent.
            TypeError: ``recording_id`` is not a string, or ``timeout`` is not a number; nothing was sent.
            NotFoundError: The account has no recording with this ID.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: No attempt got a usable response; it is safe to call again.
            ApiError: Plivo answered with another error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        return await self._sender.send(endpoints.get_recording(recording_id), timeout)

    def list_recordings(
        self,
        *,
        conference_name: str | None = None,
        added_after: datetime | None = None,
        added_before: datetime | None = None,
        limit: int | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Recording, None]:
        """Yield the recordings that Plivo stores, newest first.

        Plivo returns the list in pages. Each page is requested when its first recording is needed, and no recording is
        yielded twice, even if others are added in the meantime. Plivo accepts spans of at most 30 days, so a longer
        span is requested in several parts.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            conference_name: Yield only recordings of this conference. If None, yield those of all conferences and
                calls.
            added_after: Yield only recordings that were added at or after this time (aware). If None, the list begins
                7 days before ``added_before``.
            added_before: Yield only recordings that were added at or before this time (aware). If None, the list ends
                with the newest recording.
            limit: Yield at most this many recordings, and request no more pages than they need. If None, there is no
                limit.
            timeout: The time limit of the request for each page, in seconds. If None, the client's ``timeout`` applies.

        Yields:
            Each `Recording`. If a field of a recording cannot be read, its attribute is None, and ``raw`` contains the
            field as Plivo sent it.

        Raises:
            ValueError: A time is not aware, ``added_after`` is later than ``added_before``, ``limit`` is less than 1,
                or another argument has an invalid value; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: No attempt got a usable response; it is safe to call again.
            ApiError: Plivo answered with an error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        listing = Listing(
            conference_name=conference_name, added_after=added_after, added_before=added_before, now=_clock.now()
        )
        left = sys.maxsize if limit is None else integer("limit", limit, least=1)
        return self._listed(listing, left, timeout)

    async def _listed(self, listing: Listing, left: int, timeout: float | None) -> AsyncGenerator[Recording, None]:
        while left > 0 and listing.request is not None:
            recordings = listing.take(await self._sender.send(listing.request, timeout))
            for recording in recordings[:left]:
                yield recording
            left -= len(recordings)

    async def delete_recording(self, recording_id: str, *, timeout: float | None = None) -> None:
        """Delete a recording that Plivo stores. This is safe to repeat.

        If a retry gets a 404 after an attempt with an unknown outcome, that attempt was executed, so the call succeeds.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Raises:
            ValueError: ``recording_id`` is empty, ``.`` or ``..``, or ``timeout`` is out of range; nothing was sent.
            TypeError: ``recording_id`` is not a string, or ``timeout`` is not a number; nothing was sent.
            NotFoundError: The account has no recording with this ID.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: The recording may have been deleted: no attempt got a usable response. It is safe to
                call again.
            ApiError: Plivo answered with another error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        await self._sender.send(endpoints.delete_recording(recording_id), timeout)

    async def download_recording(
        self,
        recording_or_url: RecordedFile,
        path: str | PathLike[str],
        *,
        progress: ProgressCallback | None = None,
        overwrite: bool = False,
        wait: float = 60.0,
        timeout: float | None = None,
    ) -> Path:
        """Download a recorded file.

        The file is written to ``<path>.part`` and renamed when it is complete, so ``path`` never contains a partial
        file. If a connection breaks, the download is resumed. If the process is killed, the next call resumes the
        download from ``<path>.part`` and ``<path>.part.json``, provided that the server proves that the file is the
        same.

        Args:
            recording_or_url: The URL of the file, or a value that has it: a `Recording`, `RecordingStarted`,
                `RecordingEnded` or `RecordingStatus`.
            path: The path of the file to write, or an existing directory. In a directory, the name of the file is the
                last segment of the URL, with unusual characters replaced.
            progress: A function that is called at most ten times a second with the number of received bytes and the
                length of the file, which is None if it is not known. If None, progress is not reported.
            overwrite: Whether an existing file may be replaced.
            wait: The number of seconds to wait for a file that does not exist yet. Directly after the end of a
                recording, Plivo may answer 404 for its file.
            timeout: The time limit of the whole download, in seconds. If None, there is no time limit. A connection on
                which no byte arrives for 30 seconds counts as broken in any case.

        Returns:
            The path of the file.

        Raises:
            DownloadRefusedError: The URL does not belong to an allowed host, or the file is longer than
                ``max_download`` or is neither mp3 nor wav. The received bytes are deleted.
            DownloadError: The file cannot be downloaded, or another process is downloading it to this path. The
                received bytes are kept, and the same call resumes the download.
            FileExistsError: ``path`` exists, and ``overwrite`` is False.
            OSError: The file cannot be written; for example, the disk is full.
            ValueError: The value has no URL, or ``wait`` or ``timeout`` is out of range.
            TypeError: An argument has the wrong type.
            ClosedError: The client is closed; nothing was downloaded.
        """
        return await self._downloads.download(
            recording_or_url, path, progress=progress, overwrite=overwrite, wait=wait, timeout=timeout
        )

    def download_many(
        self,
        items: Iterable[FileT] | AsyncIterable[FileT],
        directory: str | PathLike[str],
        *,
        concurrency: int = 8,
        progress: ProgressCallback | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[FileT, Path], None]:
        """Download many recorded files into a directory.

        An item is read only when its download can begin, and each outcome is yielded as soon as its download ends. A
        failed download does not stop the others.

        Args:
            items: URLs, or values that have one, as for `download_recording`.
            directory: The directory. It is created if it does not exist.
            concurrency: The maximum number of downloads at the same time.
            progress: A function that is called for each file, with the arguments described at `download_recording`. If
                None, progress is not reported.
            timeout: The time limit of each download, in seconds. If None, there is no time limit. It is checked at
                once, before any item is read.

        Yields:
            One `Outcome` for each item. The ``result`` of a `Succeeded` is the path of the file. An existing file is
            never replaced: if two items have the same file name, the second one is a `Failed`.

        Raises:
            TypeError: ``items`` is not iterable or is a single string, ``concurrency`` is not an integer, or
                ``timeout`` is not a number; nothing was downloaded.
            ValueError: ``concurrency`` is less than 1, or ``timeout`` is out of range; nothing was downloaded.
            ClosedError: The client is closed; nothing was downloaded. If the client is closed in the meantime, the
                remaining items are `Failed` with this error.
        """

        async def download(item: FileT) -> Path:
            return await self._downloads.download(
                item, directory, progress=progress, timeout=timeout, into_directory=True
            )

        self._sender.check_open("download of many recordings")
        return run_many(items, download, concurrency=concurrency, timeout=timeout)

    def stream_recording(
        self, recording_or_url: RecordedFile, *, wait: float = 60.0
    ) -> AbstractAsyncContextManager[MediaStream]:
        """Open a recorded file as a stream, for example to copy it to object storage.

        .. code-block:: python

            async with RecordClient() as client:
                started = await client.start_recording("standup")
                await client.stop_recording("standup")
                async with client.stream_recording(started) as chunks:
                    print(chunks.length, chunks.content_type)
                    async for chunk in chunks:
                        print(len(chunk))

        The file is checked as by `download_recording`. If a connection breaks, the download is resumed, provided that
        the server proves that the file is the same.

        Args:
            recording_or_url: The URL of the file, or a value that has it, as for `download_recording`.
            wait: The number of seconds to wait for a file that does not exist yet.

        Returns:
            An asynchronous context manager. Its value is an asynchronous iterator of bytes with the attributes
            ``length`` and ``content_type``.

        Raises:
            DownloadRefusedError: The URL does not belong to an allowed host, or the file is longer than
                ``max_download`` or is neither mp3 nor wav.
            DownloadError: The file cannot be downloaded.
            ValueError: The value has no URL, or ``wait`` is out of range.
            TypeError: An argument has the wrong type.
            ClosedError: The client is closed; nothing was downloaded.
        """
        return self._downloads.stream(recording_or_url, wait=wait)

    async def get_transcription(self, recording_id: str, *, timeout: float | None = None) -> Transcription:
        """Return the transcript of a recording.

        Plivo makes a transcript only on request: by ``transcription_url`` or ``transcription_type`` of the start, or by
        `create_transcription`.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            The `Transcription`. While the transcription is in progress, its text is None.

        Raises:
            ValueError: ``recording_id`` is empty, ``.`` or ``..``, or ``timeout`` is out of range; nothing was sent.
            TypeError: ``recording_id`` is not a string, or ``timeout`` is not a number; nothing was sent.
            NotFoundError: The account has no transcript of a recording with this ID.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: No attempt got a usable response; it is safe to call again.
            ApiError: Plivo answered with another error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        return await self._sender.send(endpoints.get_transcription(recording_id), timeout)

    async def create_transcription(
        self, recording_id: str, *, callback_url: str | None = None, timeout: float | None = None
    ) -> TranscriptionRequested:
        """Request a transcript of a recording that has ended. Plivo bills each request.

        The call follows the rules of a start: it is sent again only if it is certain that it was not executed. The
        transcript is ready some minutes later; `get_transcription` returns it.
        https://plivo.com/docs/voice/api/recordings.md

        Args:
            recording_id: Plivo's ID of the recording.
            callback_url: The URL to which Plivo sends the transcript. It is sent byte for byte, including its fragment,
                because the fragment contains Plivo's delivery options (`CallbackPolicy`). The callback becomes a
                `TranscriptionEnded`. If None, Plivo sends no callback.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            A `TranscriptionRequested`.

        Raises:
            ValueError: ``recording_id`` is empty, ``.`` or ``..``, ``callback_url`` is not an absolute http or https
                URL, or ``timeout`` is out of range; nothing was sent.
            TypeError: An argument has the wrong type; nothing was sent.
            NotFoundError: The account has no recording with this ID.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: The request may have been executed. Do not repeat it: a second request makes a second
                transcript, and Plivo bills both. Call `get_transcription` first.
            ApiError: Plivo answered with another error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error. The request counts as executed.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        return await self._sender.send(endpoints.create_transcription(recording_id, callback_url=callback_url), timeout)

    async def get_conference(self, conference_name: str, *, timeout: float | None = None) -> Conference:
        """Return a live conference.

        https://plivo.com/docs/voice/api/conferences

        Args:
            conference_name: The name of the conference.
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            The `Conference`.

        Raises:
            ValueError: ``conference_name`` is empty, ``.`` or ``..``, or ``timeout`` is out of range; nothing was sent.
            TypeError: ``conference_name`` is not a string, or ``timeout`` is not a number; nothing was sent.
            NotFoundError: No conference of this name is live.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: No attempt got a usable response; it is safe to call again.
            ApiError: Plivo answered with another error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        return await self._sender.send(endpoints.get_conference(conference_name), timeout)

    async def list_conferences(self, *, timeout: float | None = None) -> list[str]:
        """Return the names of all live conferences.

        https://plivo.com/docs/voice/api/conferences

        Args:
            timeout: The time limit of this call, in seconds. If None, the client's ``timeout`` applies.

        Returns:
            The names, in the order in which Plivo lists them.

        Raises:
            ValueError: ``timeout`` is out of range; nothing was sent.
            TypeError: ``timeout`` is not a number; nothing was sent.
            NotSentError: No byte of the request left this machine; it is safe to call again.
            OutcomeUnknownError: No attempt got a usable response; it is safe to call again.
            ApiError: Plivo answered with an error status.
            UnexpectedResponseError: Plivo answered with a success status, but the body cannot be read or contains an
                error.
            ClosedError: The client is closed; nothing was sent.
            ConfigurationError: The client is in use in another event loop, or this process was forked while the
                client was in use.
        """
        return await self._sender.send(endpoints.list_conferences(), timeout)
