"""`RecordingTracker`: follows each recording from its start to its transcript, across restarts and processes."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar, overload

from plivo_record_async import _clock
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import NotFoundError, UnknownStartError
from plivo_record_async.protocol.arguments import aware
from plivo_record_async.protocol.callbacks.signatures import AuthTokens, listed
from plivo_record_async.protocol.models import (
    ApiResponse,
    FileFormat,
    Outcome,
    RecordingEnded,
    RecordingState,
    StartRequest,
    TranscriptionEnded,
)
from plivo_record_async.protocol.policy import CallbackPolicy
from plivo_record_async.protocol.recording.evidence import EventName
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy
from plivo_record_async.settings import checked_base_url
from plivo_record_async.stores.interface import Orphan, Store
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.tracking.follower import Follower
from plivo_record_async.tracking.handle import TrackedRecording
from plivo_record_async.tracking.handlers import HandledEvent, label_of
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.receiving.receiver import Receive, Receiver, Scope, Send, run_lifespan
from plivo_record_async.tracking.reconciler import Reconciler
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

_NAMES: dict[type[HandledEvent], EventName] = {
    ApiResponse: "ApiResponse",
    RecordingEnded: "RecordingEnded",
    TranscriptionEnded: "TranscriptionEnded",
}


_GRACE = 10.0
"""Seconds that handlers and starts may still take when the tracker is closed."""


class RecordingTracker:
    """Starts recordings and follows each to its end; the receiver of their callbacks.

    .. code-block:: python

        from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore

        client = RecordClient()
        tracker = RecordingTracker(client, public_url="https://me.example/plivo", store=SQLiteStore("recordings.db"))


        async def minutes(room: str) -> str | None:  # while the client and the tracker are entered
            recording = await tracker.start(room, transcribe=True)
            await recording.recorded(timeout=3600)
            return (await recording.transcribed(timeout=7200)).transcription

    It is an ASGI application: mounted in another one, or served by itself (it then runs its own lifespan). Callbacks
    are answered 200 only after the store has them for good. Several processes may share one store: a callback that
    reaches one of them wakes those who wait in the others. All of them should register the same handlers: an event
    is handed to the handlers of whichever learns it first, by a callback or by looking.

    While it is entered it looks after what is silent: starts whose program died, callbacks that never came, handlers
    that failed. Blocks of ``async with`` may be nested; the last one that is left closes the tracker.

    A tracker serves one event loop at a time, and any number one after another: it can be made at module level, used in
    one ``asyncio.run`` and in the next, closed, and entered again. Each process needs its own.

    Args:
        client: What sends. The tracker does not close it.
        public_url: Where Plivo reaches this application, with the path it is mounted under.
        store: Where the recordings are kept; in memory if absent. The tracker closes it.
        policy: How hard Plivo is to try to deliver.
        auth_tokens: The tokens that callbacks may be signed with; the client's own if absent. The first one also
            proves the issued URLs, so during a rotation the old one has to stay for as long as callbacks may come.
        tracking: The intervals and timeouts.

    Raises:
        ConfigurationError: ``public_url`` is not an absolute http(s) URL without query and fragment; no token.
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
        tokens = listed(client.settings.auth_token if auth_tokens is None else auth_tokens)
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
        await self._follower.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._follower.leave(grace=_GRACE)

    async def aclose(self, *, grace: float = _GRACE) -> None:
        """Stop following and close the store; nothing that is kept is lost.

        Calls that are made from now on raise `ClosedError`, and callbacks are answered 503, so that Plivo tries again.
        Closing twice is harmless. A closed tracker can be entered again, in the same event loop or another.

        Args:
            grace: Seconds that handlers, and starts whose answer is still to come, may take. Handlers that did not
                end run again when the store is next followed.
        """
        await self._follower.aclose(grace=grace)

    async def check(self) -> None:
        """Make sure that the store can commit; for readiness probes.

        It commits something that changes nothing, as each start and each callback commits something.

        Raises:
            StoreError: The store cannot commit, so starts are refused and callbacks answered 503.
            ClosedError: The tracker is closed.
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
        """Start recording a conference and follow it. Returns once Plivo has accepted the start.

        Args:
            conference_name: The conference's name; any text.
            file_format: ``mp3`` or ``wav``.
            transcribe: Ask for a transcript too.
            transcription_type: Passed on as given.
            dedupe_key: A key of yours: a second start with the same key returns the first one's handle and sends
                nothing, unless it is certain that nothing of the first was sent.
            timeout: Seconds for the call in all; the client's own if absent.

        Raises:
            ValueError: An argument that Plivo could not act on; nothing was sent.
            NotSentError: Nothing was sent; safe to call again.
            OutcomeUnknownError: It was sent and may have been executed; it is followed on under ``start_id``.
            ApiError: Plivo refused it.
            StoreError: The store could not take the start, so nothing was sent.
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
        """Start and follow many recordings concurrently, as `RecordClient.start_many` does.

        Args:
            requests: Conference names, or `StartRequest` values without URLs: those are the tracker's to give.
            transcribe: Ask for transcripts too.
            dedupe_key: Gives an item its key, so that a batch that was broken off can be run again.
            concurrency: How many starts are under way at once.
            timeout: Seconds for each start in all; the client's own if absent.

        Yields:
            One `Outcome` for each item; its ``result`` is a `TrackedRecording`.
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
        """Return the handle of a start, in whichever process and after whatever restart.

        Args:
            start_id: The ID of the start. The type includes None only because ``OutcomeUnknownError.start_id`` may be
                None; None is refused.

        Raises:
            TypeError: ``start_id`` is None.
            UnknownStartError: The store has no start with this id; it is a `LookupError` too.
            StoreError: The store could not be read.
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

    def on(self, event: type[HandledEvent]) -> Callable[[Any], Any]:
        """Run an async function for each event of a kind, after the callback was acknowledged.

        It is called with the event, and with its `TrackedRecording` too if it takes two arguments; at least once for
        each event, and again if the process died before it ended. The handlers of an event run at the same time, each
        by itself. One that raises runs again after a minute, then after two, four, and so on up to an hour, until it
        succeeds or 48 hours have passed; ``RecordingStatus.handler_error`` tells of it.

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
            TypeError: Not an event that belongs to a recording; or not an async function that can be called so.
        """
        name = _NAMES.get(event)
        if name is None:
            known = ", ".join(sorted(_NAMES.values()))
            raise TypeError(f"on() takes one of {known}, not {event!r}")

        def register(handler: Any) -> Any:
            if not _is_async(handler):
                raise TypeError(f"a handler must be an async function, not {handler!r}")
            wants_recording = _takes(handler, 2)
            if not wants_recording and not _takes(handler, 1):
                raise TypeError(f"a handler must take an event, or an event and its recording, unlike {handler!r}")

            async def run(record: FollowedRecording, happened: HandledEvent) -> None:
                await handler(*(happened, self._handle(record)) if wants_recording else (happened,))

            self._follower.add_handler(name, run, label_of(handler))
            return handler

        return register

    async def forget(self, start_id: str, *, delete_recording: bool = False) -> None:
        """Erase everything that is kept about one recording: its record, transcript, orphans and dedupe key.

        Nothing of it can be read from the store's files afterwards. Whoever waits for the recording gets
        `UnknownStartError`; handlers that have not run yet do not run. A start that is still being sent is sent, and
        a recording that is running goes on, but callbacks that come later are acknowledged without being kept: the
        store remembers until `prune` that the start was forgotten, in a form that does not tell which start it was.
        Forgetting a start again is harmless.

        Args:
            start_id: The start.
            delete_recording: Whether Plivo's file is deleted too, first. If that fails, nothing is forgotten.

        Raises:
            UnknownStartError: The store has neither the start nor an orphan of it; or, if the file is to be deleted,
                it does not have the start. Nothing was deleted.
            ValueError: The file is to be deleted, but the recording has not ended yet, or Plivo's id of it is not
                known. Nothing was deleted or forgotten.
            PlivoRecordError: Plivo did not delete the file, so nothing was forgotten. It is safe to call again.
            StoreError: The store could not erase everything. It is safe to call again.
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
        with suppress(NotFoundError):  # it has been deleted before
            await self._client.delete_recording(record.recording_id)

    async def prune(self, *, before: datetime) -> int:
        """Forget recordings that nobody has to look after any more and whose last news is older.

        Args:
            before: The time (aware).

        Returns:
            How many were forgotten.
        """
        self._follower.ensure_open()
        return await self._ledger.store.prune(aware("before", before))

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Return the callbacks that had a good signature but were not believed, the latest first.

        Each says in its ``reason`` why. Of each start, the latest 20 are kept; of callbacks whose URL names no start,
        the latest 1,000. `prune` and `forget` delete them.

        Args:
            limit: How many to return at most.

        Raises:
            StoreError: The store could not be read.
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


def _is_async(handler: object) -> bool:
    """Whether a call of it makes a coroutine."""
    if isinstance(handler, partial):
        return _is_async(handler.func)
    return callable(handler) and any(map(inspect.iscoroutinefunction, (handler, handler.__call__)))


def _takes(handler: Callable[..., object], count: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        inspect.signature(handler).bind(*range(count))
    except TypeError:
        return False
    return True
