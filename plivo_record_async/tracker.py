"""`RecordingTracker`: starts recordings and follows each of them to its transcript, across restarts and processes."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar, overload

from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError, UnknownStartError
from plivo_record_async.protocol.arguments import aware_datetime, path_segment
from plivo_record_async.protocol.callback_policy import CallbackPolicy
from plivo_record_async.protocol.callbacks.signatures import AuthTokens, as_token_list
from plivo_record_async.protocol.clocks import PlivoClock
from plivo_record_async.protocol.models import (
    ApiResponse,
    FileFormat,
    Outcome,
    RecordingEnded,
    RecordingState,
    RecordingStatus,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.models.status import STATES, as_states
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy
from plivo_record_async.settings import checked_base_url
from plivo_record_async.stores.interface import Orphan, Store
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.stores.paging import list_records
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.handle import TrackedRecording
from plivo_record_async.tracking.handling.handlers import HandleableEvent, handler_of, label_of, name_of_event_class
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.receiving.no_receiver import NoReceiver
from plivo_record_async.tracking.receiving.receiver import Receive, Receiver, Scope, Send, run_lifespan
from plivo_record_async.tracking.reconciling.reconciler import Reconciler
from plivo_record_async.tracking.starter import Starter, request_of
from plivo_record_async.tracking.tracking_clock import SystemClock, TrackingClock
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
"""How many seconds closing the tracker waits for handlers and starts, unless the caller specifies another time."""


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

    The tracker is an ASGI application. Mount it in your application at the path of ``public_url``, or serve it by
    itself, in which case it handles the ASGI lifespan. It answers a callback with 200 only after the store has
    committed it.

    Without ``public_url``, the tracker *polls*: starts are sent without a callback URL, and the tracker asks Plivo for
    the ends and the transcripts of the recordings. Nothing has to be reachable from outside.

    While the tracker is entered, it also works in the background. It asks Plivo about starts whose process died and
    about recordings whose callbacks were not received, and it runs failed handlers again.

    Several processes can share one store. A callback that one of them receives wakes the waiting calls in all of them.
    All of them should register the same handlers, because the handlers of an event run in the process that stores the
    event first.

    A tracker can be created anywhere, for example at module level. It is used in one event loop at a time, in any
    number of event loops one after another. ``async with`` blocks may be nested: the tracker is closed when the last
    block is left. A closed tracker can be entered again. Each process needs a tracker of its own.

    Args:
        client: The client that sends the requests. The tracker does not close it.
        public_url: The URL at which Plivo reaches this application, including the path at which it is mounted. If
            None, the tracker polls.
        store: The store that keeps the recordings. The tracker closes it. If None, a `MemoryStore` is used, which loses
            them when the process ends.
        policy: How often and for how long Plivo tries to deliver a callback.
        auth_tokens: The auth tokens that callbacks may be signed with. The first one also signs the callback URLs that
            the tracker issues. After an auth token has been replaced, put the new one first and keep the old one for as
            long as callbacks to URLs that were issued earlier may arrive. If None, the auth token of the client is
            used.
        tracking: The intervals and timeouts with which recordings are followed. All processes that share a store should
            use the same policy.
        clock: For tests: the clock that following uses, such as ``plivo.clock`` of a virtual emulator. If None, the
            clocks of this machine. The timeouts of calls are always in real time.

    Raises:
        ConfigurationError: ``public_url`` is not an absolute http(s) URL without a query or fragment, or there is no
            auth token.
        TypeError: An argument has the wrong type.
    """

    def __init__(
        self,
        client: RecordClient,
        public_url: str | None = None,
        *,
        store: Store | None = None,
        policy: CallbackPolicy = CallbackPolicy(),  # noqa: B008 - frozen
        auth_tokens: AuthTokens | None = None,
        tracking: TrackingPolicy = DEFAULT_TRACKING,
        clock: TrackingClock | None = None,
    ) -> None:
        _check(store, policy, tracking)
        public_url = None if public_url is None else checked_base_url("public_url", public_url)
        tokens = as_token_list(client.settings.auth_token if auth_tokens is None else auth_tokens)
        store = MemoryStore() if store is None else store
        self._client = client
        self._public_url = public_url
        # Whoever gives a clock says what time it is at Plivo too: an estimate without measurements follows the clock.
        plivo_clock = client.plivo_clock if clock is None else PlivoClock()
        clock = SystemClock() if clock is None else clock
        self._ledger = ledger = Ledger(store=store, tracking=tracking, read=clock.read, sleep=clock.sleep)
        reconciler = Reconciler(client, store, read=clock.read, plivo_clock=plivo_clock)
        self._follower = follower = Follower(ledger, reconciler, polls=public_url is None)
        self._starter = Starter(
            client=client,
            ledger=ledger,
            follower=follower,
            public_url=public_url,
            fragment=policy.fragment,
            auth_token=tokens[0],
            plivo_clock=plivo_clock,
        )
        self._receiver = (
            NoReceiver()
            if public_url is None
            else Receiver(ledger=ledger, follower=follower, public_url=public_url, auth_tokens=tokens)
        )

    def __repr__(self) -> str:
        return f"RecordingTracker({self._client!r}, public_url={self._public_url!r})"

    @property
    def store(self) -> Store:
        """The store that keeps the recordings."""
        return self._ledger.store

    @property
    def tracking(self) -> TrackingPolicy:
        """The intervals and timeouts with which recordings are followed."""
        return self._ledger.tracking

    async def __aenter__(self) -> Self:
        await self._follower.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._follower.leave(grace=_GRACE)

    async def aclose(self, *, grace: float = _GRACE) -> None:
        """Stop following recordings and close the store. Nothing that is stored is lost.

        Later calls raise `ClosedError`. Callbacks are answered with 503, so that Plivo delivers them again. Closing a
        closed tracker has no effect. A closed tracker can be entered again, in the same event loop or in another one.

        Args:
            grace: The maximum time to wait for handlers that are running and for starts that are being sent, in
                seconds. Handlers that have not ended by then run again when a tracker next follows the store.

        Raises:
            ConfigurationError: The tracker is in use in another event loop.
        """
        await self._follower.aclose(grace=grace)

    async def check(self) -> None:
        """Check that the store can commit. Call this in the readiness probe of your application.

        Raises:
            StoreError: The store cannot commit. Until it can, starts raise this error, and callbacks are answered with
                503.
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
        """Start recording a conference, and follow the recording.

        Args:
            conference_name: The name of the conference. Any text that is not empty is valid, except ``.`` and ``..``.
            file_format: The format of the file, ``mp3`` or ``wav``. If None, Plivo's default.
            transcribe: Whether to request a transcript.
            transcription_type: Plivo's name for the type of transcription. If None, Plivo's default. A tracker that
                polls sends it only if ``transcribe`` is true.
            dedupe_key: A key of yours that makes it safe to repeat the call. If the store has a start with the same
                key, nothing is sent and the handle of that start is returned. The other arguments of this call are
                ignored, and the state of that start does not matter: it may have been rejected, its outcome may be
                unknown, or it may still be in progress. Call ``status()`` to see its state. The only exception is a
                start of which nothing was sent (``not_sent``), which is sent now as it was requested the first time. If
                None, the start is a new one.
            timeout: The time limit of the whole call, in seconds. If None, the client's own timeout.

        Returns:
            The handle of the recording. Plivo has accepted the start, unless it is an earlier one with the same
            ``dedupe_key``.

        Raises:
            TypeError: An argument has the wrong type. Nothing was stored or sent.
            ValueError: An argument has an invalid value. Nothing was stored or sent.
            StoreError: The store could not write the start, so nothing was sent.
            NotSentError: Nothing was sent. It is safe to call again.
            OutcomeUnknownError: The start was sent and may have been executed. The tracker follows it: pass
                ``error.start_id`` to `get`.
            UnexpectedResponseError: Plivo's response has a success status but contains an error. The start may have
                been executed. The tracker follows it: pass ``error.start_id`` to `get`.
            ApiError: Plivo rejected the start.
            UnknownStartError: The earlier start with the same ``dedupe_key`` was pruned or forgotten during this call.
            ClosedError: The tracker or its client is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        request = StartRequest(conference_name, file_format=file_format, transcription_type=transcription_type)
        record = await self._starter.start(request, transcribe=transcribe, dedupe_key=dedupe_key, timeout=timeout)
        return self._handle_of(record)

    def start_many(
        self,
        requests: Iterable[StartT] | AsyncIterable[StartT],
        *,
        transcribe: bool = False,
        dedupe_key: Callable[[StartT], str] | None = None,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StartT, TrackedRecording], None]:
        """Start many recordings concurrently, and follow them.

        The requests are read lazily. A start that fails does not affect the others. Leaving the loop early stops the
        reading and leaves no task behind.

        Args:
            requests: An iterable or async iterable of conference names, or of `StartRequest` values without
                ``callback_url`` and ``transcription_url``, because the tracker issues these URLs.
            transcribe: Whether to request transcripts.
            dedupe_key: A function that returns the ``dedupe_key`` of an item, so that an interrupted batch can be
                repeated. If None, each start is a new one.
            concurrency: The maximum number of starts that are in progress at the same time.
            timeout: The time limit of each start, in seconds. If None, the client's own timeout. It is checked at once,
                before any item is read.

        Yields:
            One `Outcome` for each item, in the order in which they complete. Its ``result`` is a `TrackedRecording`,
            and its ``error`` is the exception that `start` would raise.

        Raises:
            TypeError: ``requests`` is not iterable or is a single string, ``concurrency`` is not an integer, or
                ``timeout`` is not a number; nothing was sent.
            ValueError: ``concurrency`` is less than 1, or ``timeout`` is out of range; nothing was sent.
        """

        async def start_item(item: StartT) -> TrackedRecording:
            self._follower.ensure_open()
            key = None if dedupe_key is None else dedupe_key(item)
            record = await self._starter.start(request_of(item), transcribe=transcribe, dedupe_key=key, timeout=timeout)
            return self._handle_of(record)

        return run_many(requests, start_item, concurrency=concurrency, timeout=timeout)

    async def get(self, start_id: str | None) -> TrackedRecording:
        """Return the handle of a start, in any process that shares the store, and also after a restart.

        Args:
            start_id: The ID of the start. The type includes None because ``OutcomeUnknownError.start_id`` is None if
                the error was raised by a client instead of a tracker.

        Returns:
            The handle of the recording.

        Raises:
            TypeError: ``start_id`` is None.
            UnknownStartError: The store has no start with this ID. The error is also a `LookupError`.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        if start_id is None:
            raise TypeError(
                "start_id must be a str, not None. The start_id of an error is None if a client raised the error. Only "
                "a tracker assigns start IDs."
            )
        self._follower.ensure_open()
        return self._handle_of(await self._ledger.get(start_id))

    def recordings(
        self,
        *,
        state: RecordingState | Iterable[RecordingState] | None = None,
        conference_name: str | None = None,
        updated_after: datetime | None = None,
    ) -> AsyncGenerator[RecordingStatus, None]:
        """Find recordings in the store, also those that other processes started and those whose ``start_id`` was lost.

        The store is read page by page, while the recordings are yielded. Each recording that does not change in the
        meantime is yielded exactly once. A recording that does change may be left out, or may be yielded twice. Plivo
        is not asked.

        Args:
            state: Yield only recordings in this state, or in one of these states. If None, the state does not matter.
            conference_name: Yield only recordings of this conference. If None, the conference does not matter.
            updated_after: Yield only recordings whose status last changed at or after this time (aware). If None, the
                time does not matter.

        Yields:
            The status of each recording, the most recently updated first. Pass its ``start_id`` to `get` to wait for
            the recording or to stop it.

        Raises:
            TypeError: An argument has the wrong type. The call itself raises it, before the first recording.
            ValueError: A state does not exist, ``state`` is empty, ``conference_name`` cannot be the name of a
                conference, or ``updated_after`` has no time zone. The call itself raises it, too.
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        return self._statuses(
            list_records(
                self._ledger.store,
                states=None if state is None else as_states(state),
                conference_name=None if conference_name is None else path_segment("conference_name", conference_name),
                updated_after=None if updated_after is None else aware_datetime("updated_after", updated_after),
            )
        )

    async def _statuses(
        self, records: AsyncGenerator[FollowedRecording, None]
    ) -> AsyncGenerator[RecordingStatus, None]:
        self._follower.ensure_open()
        async with aclosing(records):
            async for record in records:
                yield record.status

    async def counts(self) -> Mapping[RecordingState, int]:
        """Return how many recordings in the store are in each state.

        Returns:
            The number of recordings in each state, in the order of the lifecycle. It is 0 for a state in which there is
            no recording.

        Raises:
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        counts = await self._ledger.store.counts()
        return {state: counts.get(state, 0) for state in STATES}

    async def reconcile(self) -> AsyncGenerator[RecordingStatus]:
        """Ask Plivo now about every recording that is not resolved, once, and yield its status afterwards.

        A recording is not resolved if the outcome of its start, its end or its transcript is not known. The tracker
        asks about these recordings by itself too, but less and less often. This method also asks about those that the
        tracker has given up. It works whether or not the tracker polls, and takes at most a tenth of the quota, also
        together with the requests that the tracker makes by itself.

        If Plivo cannot be asked about a recording, this is logged, and the status is that of before. Leaving the loop
        early leaves no task behind.

        Yields:
            The `RecordingStatus` of each of these recordings, in the order in which the answers arrive.

        Raises:
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        async with aclosing(self._follower.reconcile_unresolved()) as records:
            async for record in records:
                yield record.status

    @overload
    def on(self, event: type[ApiResponse]) -> Callable[[ResponseHandlerT], ResponseHandlerT]: ...

    @overload
    def on(self, event: type[RecordingEnded]) -> Callable[[EndHandlerT], EndHandlerT]: ...

    @overload
    def on(self, event: type[TranscriptionEnded]) -> Callable[[TranscriptHandlerT], TranscriptHandlerT]: ...

    def on(self, event: type[HandleableEvent]) -> Callable[[Any], Any]:
        """Return a decorator that registers an async function as a handler of an event.

        The handler is called with the event, and with its `TrackedRecording` too if it takes two arguments. It runs
        after the callback of the event was acknowledged. It runs at least once for each event, and again if the process
        died before it ended. The handlers of one event run concurrently and do not affect each other.

        If a handler raises an exception, it runs again after a minute, then after two minutes, four minutes, and so on
        up to an hour, until it succeeds or 48 hours have passed. `TrackingPolicy` has these times.
        ``RecordingStatus.handler_error`` describes the handlers that have failed.

        .. code-block:: python

            from plivo_record_async import RecordingEnded, TrackedRecording


            @tracker.on(RecordingEnded)
            async def archive(ended: RecordingEnded, recording: TrackedRecording) -> None:
                print(recording.start_id, ended.record_url)

        Args:
            event: The class of the event: `ApiResponse`, `RecordingEnded` or `TranscriptionEnded`. Type checkers reject
                a handler that takes another event.

        Returns:
            A decorator for an async function, an async method, a ``functools.partial`` of one, or an object whose
            ``__call__`` is async. The decorator returns the handler unchanged.

        Raises:
            TypeError: ``event`` is not one of these classes. The decorator raises it if the handler is not async, or
                cannot be called with one or two arguments.
        """
        name = name_of_event_class(event)

        def register(function: Any) -> Any:
            self._follower.add_handler(name, handler_of(function, self._handle_of), label_of(function))
            return function

        return register

    async def forget(self, start_id: str, *, delete_recording: bool = False) -> None:
        """Erase everything that is stored about one recording: its record, transcript, orphans and dedupe key.

        Nothing of it can be read from the store's files afterwards. Calls that wait for the recording raise
        `UnknownStartError`, and its handlers do not run any more. A start that is being sent is still sent, and a
        recording that is running continues, but its later callbacks are acknowledged without being stored. To
        recognize them, the store remembers the start until `prune` is called, in a form that does not reveal its IDs.
        Forgetting a start again has no effect.

        Args:
            start_id: The ID of the start.
            delete_recording: Whether to delete Plivo's file first. If that fails, nothing is erased.

        Raises:
            UnknownStartError: The store has neither the start nor an orphan of it. If ``delete_recording`` is true, the
                store must have the start itself. Nothing was deleted or erased.
            ValueError: ``delete_recording`` is true, but the recording has not ended yet, or Plivo's ID of it is not
                known. Nothing was deleted or erased.
            PlivoRecordError: Plivo did not delete the file, so nothing was erased. It is safe to call again.
            StoreError: The store could not erase everything. It is safe to call again.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        if delete_recording:
            await self._delete_file(await self._ledger.get(start_id))
        if not await self._ledger.store.forget(start_id, now=self._ledger.now()):
            raise UnknownStartError(start_id)

    async def _delete_file(self, record: FollowedRecording) -> None:
        if record.state in _WITHOUT_A_FILE:
            return
        if record.state not in _ENDED or record.recording_id is None:
            raise ValueError(
                f"the file of start {record.start_id} cannot be deleted, because the recording is {record.state} and "
                f"its recording_id is {record.recording_id or 'not known'}. Nothing was deleted or erased. Wait until "
                "it is recorded, or call forget() without delete_recording and delete the file yourself."
            )
        with suppress(NotFoundError):  # the file was deleted earlier
            await self._client.delete_recording(record.recording_id)

    async def prune(self, *, before: datetime) -> int:
        """Delete what is stored about inactive recordings that were last updated before a time.

        A recording is inactive if nothing is left to do for it. Orphans received before that time are deleted too.
        Plivo's files are not affected.

        Args:
            before: The time (aware).

        Returns:
            The number of recordings that were deleted.

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
        """Return the orphans: callbacks with a valid signature that could not be applied to a recording.

        The ``reason`` of each orphan says why. The store keeps the latest 20 orphans of each start, and the latest
        1,000 of callbacks whose URL names no start. `prune` and `forget` delete orphans.

        Args:
            limit: The maximum number of orphans to return.

        Returns:
            The orphans, the latest first.

        Raises:
            StoreError: The store could not be read.
            ClosedError: The tracker is closed.
            ConfigurationError: The tracker is in use in another event loop.
        """
        self._follower.ensure_open()
        return await self._ledger.store.orphans(limit=limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection.

        A WebSocket is closed at once. A tracker without ``public_url`` answers every request with 404.

        Args:
            scope: The ASGI scope of the connection.
            receive: The ASGI receive function.
            send: The ASGI send function.

        Raises:
            ValueError: The connection is neither HTTP, nor a lifespan, nor a WebSocket.
        """
        match scope["type"]:
            case "http":
                await self._receiver(scope, receive, send)
            case "lifespan":
                await run_lifespan(receive, send, self)
            case "websocket":
                await send({"type": "websocket.close", "code": 1003})
            case other:
                raise ValueError(
                    f"the tracker cannot serve an ASGI connection of the type {other!r}; callbacks are HTTP requests"
                )

    def _handle_of(self, record: FollowedRecording) -> TrackedRecording:
        return TrackedRecording(
            start_id=record.start_id,
            conference_name=record.conference_name,
            ledger=self._ledger,
            client=self._client,
        )


def _check(store: object, policy: object, tracking: object) -> None:
    if isinstance(store, str | os.PathLike):
        raise TypeError(f"store must be a store, not {store!r}; use SQLiteStore({store!r}) to keep recordings there")
    for name, value, kind in (("policy", policy, CallbackPolicy), ("tracking", tracking, TrackingPolicy)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")
