"""`RecordingTracker`: follows each recording from its start to its transcript, across restarts and processes."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar, overload

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError, UnknownStartError
from plivo_record_async.protocol.arguments import aware_datetime
from plivo_record_async.protocol.callback_policy import CallbackPolicy
from plivo_record_async.protocol.callbacks.signatures import AuthTokens, as_token_list
from plivo_record_async.protocol.models import (
    ApiResponse,
    FileFormat,
    Outcome,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy
from plivo_record_async.settings import checked_base_url
from plivo_record_async.stores.interface import Orphan, Store
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.handle import TrackedRecording
from plivo_record_async.tracking.handling.handlers import HandleableEvent, handler_of, label_of, name_of_event_class
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.receiving.receiver import Receive, Receiver, Scope, Send, run_lifespan
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.starter import Starter
from plivo_record_async.transport.batch import run_many

__all__ = ["RecordingTracker"]

StartT = TypeVar("StartT", bound=str | StartRequest)
EventT = TypeVar("EventT")
HandlerOf: TypeAlias = Callable[[EventT], Awaitable[object]] | Callable[[EventT, TrackedRecording], Awaitable[object]]
ResponseHandlerT = TypeVar("ResponseHandlerT", bound=HandlerOf[ApiResponse])
EndHandlerT = TypeVar("EndHandlerT", bound=HandlerOf[RecordingEnded])
TranscriptHandlerT = TypeVar("TranscriptHandlerT", bound=HandlerOf[TranscriptionEnded])

_ENDED: Final[frozenset[RecordingState]] = frozenset({"recorded", "transcribed"})
_WITHOUT_A_FILE: Final[frozenset[RecordingState]] = frozenset({"not_sent", "rejected", "failed", "absent"})

_GRACE: Final = 10.0
"""The seconds that handlers and starts may still take when the tracker is closed."""


class RecordingTracker:
    """Starts recordings, receives their callbacks, and follows each recording to its transcript.

    .. code-block:: python

        from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore

        client = RecordClient()
        store = SQLiteStore("recordings.db")
        tracker = RecordingTracker(client, public_url="https://me.example/plivo", store=store)


        async def minutes(room: str) -> str | None:  # the client and the tracker are open
            recording = await tracker.start(room, transcribe=True)
            await recording.recorded(timeout=3600)
            return (await recording.transcribed(timeout=7200)).transcription

    The tracker is an ASGI application. It may be mounted in another one, or served by itself, in which case it handles
    the lifespan. A callback is answered with 200 only after the store has committed it.

    Several processes may share one store. A callback that reaches one of them wakes the waiting calls in the others.
    All of them should register the same handlers, because the handlers of an event run in the process that first
    stores the event.

    While it is entered, the tracker also processes what does not come by itself: starts whose process died, callbacks
    that did not arrive, and handlers that failed. Blocks of ``async with`` may be nested. The last one to be left
    closes the tracker.

    A tracker serves one event loop at a time, and any number one after another. It may be made at module level, used
    in one ``asyncio.run`` and in the next, closed, and entered again. Each process needs its own.

    Args:
        client: The client that sends. The tracker does not close it.
        public_url: The URL of this application as Plivo reaches it, with the path it is mounted under.
        store: Where the recordings are kept. If None, in memory. The tracker closes it.
        policy: How hard Plivo tries to deliver callbacks.
        auth_tokens: The auth tokens that callbacks may be signed with. If None, the token of the client. The first one
            also proves the issued URLs, so after a rotation the old token has to stay for as long as callbacks to
            earlier URLs may come.
        tracking: The intervals and timeouts of following. All processes that share a store should use the same.

    Raises:
        ConfigurationError: ``public_url`` is not an absolute http(s) URL without query and fragment, or there is no
            auth token.
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        client: RecordClient,
        *,
        public_url: str,
        store: Store | None = None,
        policy: CallbackPolicy = CallbackPolicy(),  # noqa: B008 - frozen
        auth_tokens: AuthTokens | None = None,
        tracking: TrackingPolicy = DEFAULT_TRACKING,
    ) -> None:
        _check(store, policy, tracking)
        public_url = checked_base_url("public_url", public_url)
        tokens = as_token_list(client.settings.auth_token if auth_tokens is None else auth_tokens)
        store = MemoryStore() if store is None else store
        self._client = client
        self._public_url = public_url
        self._ledger = ledger = Ledger(store=store, tracking=tracking)
        self._follower = follower = Follower(ledger, Reconciler(client, store))
        self._starter = Starter(
            client=client,
            ledger=ledger,
            follower=follower,
            public_url=public_url,
            fragment=policy.fragment,
            auth_token=tokens[0],
        )
        self._receiver = Receiver(ledger=ledger, follower=follower, public_url=public_url, auth_tokens=tokens)

    def __repr__(self) -> str:
        return f"RecordingTracker({self._client!r}, public_url={self._public_url!r})"

    async def __aenter__(self) -> Self:
        await self._follower.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._follower.leave(grace=_GRACE)

    async def aclose(self, *, grace: float = _GRACE) -> None:
        """Stop following and close the store. Nothing that is stored is lost.

        Later calls raise `ClosedError`, and callbacks are answered with 503, so that Plivo sends them again. Closing
        twice is harmless. A closed tracker may be entered again, in the same event loop or another.

        Args:
            grace: The most seconds to wait for handlers, and for starts that have not been answered. Handlers that
                have not ended by then run again when a tracker next follows the store.

        Raises:
            ConfigurationError: The tracker is in use in another event loop.
        """
        await self._follower.aclose(grace=grace)

    async def check(self) -> None:
        """Check that the store can commit, for readiness probes.

        Raises:
            StoreError: The store cannot commit, so starts are refused and callbacks answered with 503.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        await self._ledger.store.check()

    async def start(
        self,
        conference_name: str,
        *,
        file_format: FileFormat | None = None,
        transcribe: bool = False,
        transcription_type: str | None = None,
        dedupe_key: str | None = None,
        timeout: float | None = None,
    ) -> TrackedRecording:
        """Start recording a conference and follow the recording.

        Args:
            conference_name: The name of the conference. Any text is a legal name.
            file_format: ``mp3`` or ``wav``. If None, Plivo's default.
            transcribe: Whether to request a transcript.
            transcription_type: The type of the transcription, which is passed on as given. If None, Plivo's default.
            dedupe_key: A key of yours, so that the start may be repeated. If the store has a start with the same key,
                nothing is sent and the handle of that start is returned, whatever the other arguments are and whatever
                its state is. It may be refused, unknown or still being sent; see ``status()``. The one exception is
                a start of which nothing was sent (``not_sent``): it is sent now, as it was requested the first time.
                If None, the start is a new one.
            timeout: Seconds for the whole call. If None, the client's own timeout.

        Returns:
            The handle of the recording. Plivo has accepted the start, unless it is an earlier one with the same
            ``dedupe_key``.

        Raises:
            TypeError: An argument has the wrong type. Nothing was stored or sent.
            ValueError: Plivo could not act on an argument. Nothing was stored or sent.
            StoreError: The store could not write the start, so nothing was sent.
            NotSentError: Nothing was sent. It is safe to call again.
            OutcomeUnknownError: The start was sent and may have been executed. It is followed as ``start_id``.
            UnexpectedResponseError: Plivo answered with a success status and an error. The start may have been
                executed, and it is followed as ``start_id``.
            ApiError: Plivo refused the start.
            UnknownStartError: The earlier start with the same ``dedupe_key`` was forgotten during this call.
            ClosedError: The tracker or its client is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        request = StartRequest(conference_name, file_format=file_format, transcription_type=transcription_type)
        record = await self._starter.start(request, transcribe=transcribe, dedupe_key=dedupe_key, timeout=timeout)
        return self._handle(record)

    def start_many(
        self,
        requests: Iterable[StartT] | AsyncIterable[StartT],
        *,
        transcribe: bool = False,
        dedupe_key: Callable[[StartT], str] | None = None,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StartT, TrackedRecording], None]:
        """Start and follow many recordings concurrently.

        The requests are read lazily. A start that fails does not stop the others. Leaving the loop early stops reading
        and leaves no task behind.

        Args:
            requests: An iterable or async iterable of conference names, or of `StartRequest` values without
                ``callback_url`` and ``transcription_url``, which the tracker issues.
            transcribe: Whether to request transcripts.
            dedupe_key: A function that returns the ``dedupe_key`` of an item, so that a batch that was interrupted can
                be repeated. If None, all starts are new ones.
            concurrency: How many starts run at the same time.
            timeout: Seconds for each start. If None, the client's own timeout.

        Yields:
            One `Outcome` for each item, as they complete. Its ``result`` is a `TrackedRecording`, and its ``error`` is
            what `start` would raise.

        Raises:
            TypeError: ``concurrency`` is not an int.
            ValueError: ``concurrency`` is less than 1.
        """

        async def start(item: StartT) -> TrackedRecording:
            self._follower.ensure_open()
            key = None if dedupe_key is None else dedupe_key(item)
            record = await self._starter.start(
                _request_of(item), transcribe=transcribe, dedupe_key=key, timeout=timeout
            )
            return self._handle(record)

        return run_many(requests, start, concurrency=concurrency)

    async def get(self, start_id: str | None) -> TrackedRecording:
        """Return the handle of a start, in any process that shares the store, and after a restart.

        Args:
            start_id: The id of the start. The type includes None because ``OutcomeUnknownError.start_id`` is None if a
                client raised the error.

        Returns:
            The handle.

        Raises:
            TypeError: ``start_id`` is None.
            UnknownStartError: The store has no start with this id. It is a `LookupError` too.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        if start_id is None:
            raise TypeError(
                "start_id is None: the error that it was taken from was raised by a client, not by a tracker"
            )
        self._follower.ensure_open()
        return self._handle(await self._ledger.get(start_id))

    @overload
    def on(self, event: type[ApiResponse]) -> Callable[[ResponseHandlerT], ResponseHandlerT]: ...

    @overload
    def on(self, event: type[RecordingEnded]) -> Callable[[EndHandlerT], EndHandlerT]: ...

    @overload
    def on(self, event: type[TranscriptionEnded]) -> Callable[[TranscriptHandlerT], TranscriptHandlerT]: ...

    def on(self, event: type[HandleableEvent]) -> Callable[[Any], Any]:
        """Run an async function for each event of a kind, after its callback was acknowledged.

        The function is called with the event, and with its `TrackedRecording` too if it takes two arguments. It runs at
        least once for each event, and again if the process died before it ended. The handlers of an event run at the
        same time, independently of each other. A handler that raises runs again after a minute, then after two, four,
        and so on up to an hour, until it succeeds or 48 hours have passed (`TrackingPolicy` has these times).
        ``RecordingStatus.handler_error`` says which handlers have failed.

        .. code-block:: python

            from plivo_record_async import RecordingEnded, TrackedRecording


            @tracker.on(RecordingEnded)
            async def archive(ended: RecordingEnded, recording: TrackedRecording) -> None:
                print(recording.start_id, ended.record_url)

        Args:
            event: `ApiResponse`, `RecordingEnded` or `TranscriptionEnded`. Type checkers refuse a handler that takes
                another event.

        Returns:
            A decorator for an async function, a method, a ``functools.partial`` of one, or an object whose
            ``__call__`` is async. The decorator returns the handler unchanged.

        Raises:
            TypeError: ``event`` is not one of these events, or the handler is not an async function that takes one or
                two arguments.
        """
        name = name_of_event_class(event)

        def register(function: Any) -> Any:
            self._follower.add_handler(name, handler_of(function, self._handle), label_of(function))
            return function

        return register

    async def forget(self, start_id: str, *, delete_recording: bool = False) -> None:
        """Erase everything that is stored about one recording: its record, transcript, orphans and dedupe key.

        Nothing of it can be read from the store's files afterwards. Calls that wait for the recording raise
        `UnknownStartError`, and handlers that have not run do not run. A start that is being sent is still sent, and a
        recording that is running goes on, but later callbacks are acknowledged without being stored. For that, the
        store remembers until `prune` that the start was forgotten, in a form that does not reveal which start it was.
        Forgetting a start twice is harmless.

        Args:
            start_id: The id of the start.
            delete_recording: Whether to delete Plivo's file first. If that fails, nothing is forgotten.

        Raises:
            UnknownStartError: The store has neither the start nor an orphan of it, or, if the file is to be deleted,
                it does not have the start. Nothing was deleted.
            ValueError: The file is to be deleted, but the recording has not ended yet, or Plivo's ID of it is not
                known. Nothing was deleted or forgotten.
            PlivoRecordError: Plivo did not delete the file, so nothing was forgotten. It is safe to call again.
            StoreError: The store could not erase everything. It is safe to call again.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        if delete_recording:
            await self._delete_file(await self._ledger.get(start_id))
        if not await self._ledger.store.forget(start_id, now=_clock.now()):
            raise UnknownStartError(start_id)

    async def _delete_file(self, record: FollowedRecording) -> None:
        if record.state in _WITHOUT_A_FILE:
            return
        if record.state not in _ENDED or record.recording_id is None:
            raise ValueError(
                f"the file of start {record.start_id} cannot be deleted, because the recording is {record.state} and "
                f"its recording_id is {record.recording_id or 'not known'}. Nothing was deleted or forgotten. Wait "
                "until it is recorded, or forget it without delete_recording and delete the file yourself."
            )
        with suppress(NotFoundError):  # the file was deleted before
            await self._client.delete_recording(record.recording_id)

    async def prune(self, *, before: datetime) -> int:
        """Delete inactive recordings last updated before a time.

        A recording is inactive if nothing is left to do for it. Orphans received before the time are deleted too.

        Args:
            before: The time (aware).

        Returns:
            How many recordings were deleted.

        Raises:
            TypeError: ``before`` is not a ``datetime``.
            ValueError: ``before`` has no time zone.
            StoreError: The store could not delete them.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        return await self._ledger.store.prune(aware_datetime("before", before))

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the callbacks that had a valid signature but could not be applied to a recording, the latest first.

        The ``reason`` of each says why. Of each start, the latest 20 are kept. Of callbacks whose URL names no start,
        the latest 1,000 are kept. `prune` and `forget` delete them.

        Args:
            limit: The most orphans to return.

        Returns:
            The orphans.

        Raises:
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        return await self._ledger.store.orphans(limit=limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        match scope["type"]:
            case "http":
                await self._receiver(scope, receive, send)
            case "lifespan":
                await run_lifespan(receive, send, self)
            case "websocket":
                await send({"type": "websocket.close", "code": 1003})
            case other:
                raise ValueError(f"Plivo calls back over HTTP; this is {other!r}")

    def _handle(self, record: FollowedRecording) -> TrackedRecording:
        return TrackedRecording(
            start_id=record.start_id,
            conference_name=record.conference_name,
            ledger=self._ledger,
            client=self._client,
        )


def _check(store: object, policy: object, tracking: object) -> None:
    if isinstance(store, str | os.PathLike):
        raise TypeError(f"store must be a store, not {store!r}; SQLiteStore({store!r}) keeps recordings in that file")
    for name, value, kind in (("policy", policy, CallbackPolicy), ("tracking", tracking, TrackingPolicy)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")


def _request_of(item: str | StartRequest) -> StartRequest:
    if not isinstance(item, StartRequest):
        return StartRequest(item)
    if item.callback_url is not None or item.transcription_url is not None:
        raise ValueError("callback_url and transcription_url are the tracker's to give; use transcribe=True")
    return item
