"""`RecordingTracker`: follows each recording from its start to its transcript, across restarts and processes."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeVar

import attrs

from plivo_record_async import _clock
from plivo_record_async._batch import run_many
from plivo_record_async._ledger import HandledEvent, Ledger
from plivo_record_async._reconciler import Reconciler
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import (
    CallbackRejectedError,
    ConfigurationError,
    OutcomeUnknownError,
    PlivoRecordError,
    StoreError,
    UnexpectedResponseError,
)
from plivo_record_async.interfaces import Orphan, Store
from plivo_record_async.protocol import endpoints
from plivo_record_async.protocol.callbacks import parse_callback
from plivo_record_async.protocol.evidence import CallbackName, Evidence, SendingBegan, StartNotSent
from plivo_record_async.protocol.followed import FollowedRecording
from plivo_record_async.protocol.lifecycle import apply, plan
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    FileFormat,
    Outcome,
    RecordingEnded,
    StartRequest,
    TranscriptionEnded,
    UnknownCallback,
)
from plivo_record_async.protocol.outcomes import Started, evidence_of_answer, evidence_of_error
from plivo_record_async.protocol.policy import CallbackPolicy
from plivo_record_async.protocol.signatures import AuthTokens
from plivo_record_async.protocol.tokens import PLACES, Place, issue_url, read_start_id
from plivo_record_async.receiver import Callback, Receive, Scope, Send, receive_callback, run_lifespan
from plivo_record_async.settings import address
from plivo_record_async.stores.memory import MemoryStore
from plivo_record_async.tracked import TrackedRecording

__all__ = ["RecordingTracker"]

log = logging.getLogger("plivo_record_async")

StartT = TypeVar("StartT", bound=str | StartRequest)
HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[object]])

_NAMES: dict[type[HandledEvent], CallbackName] = {
    ApiResponse: "ApiResponse",
    RecordingEnded: "RecordingEnded",
    TranscriptionEnded: "TranscriptionEnded",
}


class RecordingTracker:
    """Starts recordings and follows each to its end; the receiver of their callbacks.

    ::

        tracker = RecordingTracker(client, public_url="https://me.example/plivo", store=SQLiteStore("recordings.db"))
        app.mount("/plivo", tracker)
        async with tracker:
            recording = await tracker.start("standup", transcribe=True)
            ended = await recording.recorded(timeout=3600)

    It is an ASGI application: mounted in another one, or served by itself (it then runs its own lifespan). Callbacks
    are answered 200 only after the store has them for good. Several processes may share one store: a callback that
    reaches one of them wakes those who wait in the others.

    Args:
        client: What sends. The tracker does not close it.
        public_url: Where Plivo reaches this application, with the path it is mounted under.
        store: Where the recordings are kept; in memory if absent. The tracker closes it.
        policy: How hard Plivo is to try to deliver.
        auth_tokens: The tokens that callbacks may be signed with; the client's own if absent. The first one also
            proves the issued URLs, so during a rotation the old one has to stay for as long as callbacks may come.

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
    ) -> None:
        tokens = client.settings.auth_token if auth_tokens is None else auth_tokens
        self._client = client
        self._public_url = address("public_url", public_url)
        self._policy = policy
        self._auth_tokens = (tokens,) if isinstance(tokens, str) else tuple(tokens)
        if not self._auth_tokens or not all(self._auth_tokens):
            raise ConfigurationError("auth_tokens must hold at least one auth token, and no empty one")
        store = MemoryStore() if store is None else store
        self._ledger = Ledger(store, Reconciler(client, store).look)
        self._runner: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"RecordingTracker({self._client!r}, public_url={self._public_url!r})"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("this tracker is running already")
        self._runner = asyncio.create_task(self._ledger.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self, *, grace: float = 10.0) -> None:
        """Stop looking after the recordings and close the store; nothing that is kept is lost.

        Args:
            grace: Seconds that handlers and late answers may still take. Handlers that did not end run again when
                the store is next followed.
        """
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner
            self._runner = None
        await self._ledger.aclose(grace=grace)

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
        request = StartRequest(conference_name, file_format=file_format, transcription_type=transcription_type)
        return await self._start(request, transcribe=transcribe, dedupe_key=dedupe_key, timeout=timeout)

    def start_many(
        self,
        requests: Iterable[StartT] | AsyncIterable[StartT],
        *,
        transcribe: bool = False,
        concurrency: int = 32,
        timeout: float | None = None,
    ) -> AsyncGenerator[Outcome[StartT, TrackedRecording], None]:
        """Start and follow many recordings concurrently, as `RecordClient.start_many` does.

        Args:
            requests: Conference names, or `StartRequest` values without URLs: those are the tracker's to give.
            transcribe: Ask for transcripts too.
            concurrency: How many starts are under way at once.
            timeout: Seconds for each start in all; the client's own if absent.

        Yields:
            One `Outcome` for each item; its ``result`` is a `TrackedRecording`.
        """

        async def start(item: StartT) -> TrackedRecording:
            request = item if isinstance(item, StartRequest) else StartRequest(item)
            return await self._start(request, transcribe=transcribe, timeout=timeout)

        return run_many(requests, start, concurrency=concurrency)

    async def get(self, start_id: str) -> TrackedRecording:
        """The handle of a start, in whichever process and after whatever restart.

        Raises:
            LookupError: The store keeps no such start.
            StoreError: The store could not be read.
        """
        return self._handle(await self._ledger.get(start_id))

    def on(self, event: type[HandledEvent]) -> Callable[[HandlerT], HandlerT]:
        """Run an async function for each event of a kind, after the callback was acknowledged.

        It is called with the event, and with its `TrackedRecording` too if it takes two arguments; at least once for
        each event, again if it raised, and again if the process died before it ended.

        ::

            @tracker.on(RecordingEnded)
            async def archive(ended, recording): ...

        Raises:
            TypeError: Not an event that belongs to a recording, or not an async function.
        """
        name = _NAMES.get(event)
        if name is None:
            known = ", ".join(sorted(_NAMES.values()))
            raise TypeError(f"on() takes one of {known}, not {event!r}")

        def register(handler: HandlerT) -> HandlerT:
            function: object = handler
            if not inspect.iscoroutinefunction(function):
                raise TypeError(f"a handler must be an async function, not {handler!r}")
            wants_recording = len(inspect.signature(handler).parameters) > 1

            async def run(record: FollowedRecording, happened: HandledEvent) -> None:
                await handler(*(happened, self._handle(record)) if wants_recording else (happened,))

            self._ledger.add_handler(name, run)
            return handler

        return register

    async def prune(self, *, before: datetime) -> int:
        """Forget recordings that nobody has to look after any more and whose last news is older.

        Args:
            before: The time (aware).

        Returns:
            How many were forgotten.
        """
        return await self._ledger.store.prune(before)

    async def orphans(self, *, limit: int = 100) -> Sequence[Orphan]:
        """Verified callbacks that belong to no followed recording, the latest first."""
        return await self._ledger.store.orphans(limit=limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        match scope["type"]:
            case "http":
                await receive_callback(scope, receive, send, self._take)
            case "lifespan":
                await run_lifespan(receive, send, self)
            case _:
                await send({"type": "websocket.close", "code": 1003})

    # Starting

    async def _start(
        self,
        request: StartRequest,
        *,
        transcribe: bool,
        dedupe_key: str | None = None,
        timeout: float | None,
    ) -> TrackedRecording:
        if request.callback_url is not None or request.transcription_url is not None:
            raise ValueError("callback_url and transcription_url are the tracker's to give; use transcribe=True")
        start_id = _clock.new_id()
        request = attrs.evolve(
            request,
            callback_url=self._issue("recording", start_id),
            transcription_url=self._issue("transcription", start_id) if transcribe else None,
        )
        now, terms = _clock.now(), self._ledger.terms
        planned = plan(start_id, request, now, dedupe_key=dedupe_key, terms=terms)
        sending, _ = apply(planned, SendingBegan(), now, terms)
        record = await self._ledger.store.create(sending)
        if record.start_id != start_id:  # the dedupe key is taken
            if record.state != "not_sent":
                return self._handle(record)
            record = await self._ledger.learn(record, SendingBegan())
        return self._handle(await self._send(record, timeout))

    async def _send(self, record: FollowedRecording, timeout: float | None) -> FollowedRecording:
        """Send a start that is stored as being sent, and store what comes of it, whoever goes away meanwhile."""
        late: list[Awaitable[Started]] = []
        self._ledger.sending.add(record.start_id)
        try:
            answer = await self._client.call(
                endpoints.start_recording(record.request), timeout=timeout, late=late.append
            )
        except asyncio.CancelledError:
            self._ledger.soon(self._finish(record, late))
            raise
        except UnexpectedResponseError as error:
            evidence: Evidence = evidence_of_error(error)
        except PlivoRecordError as error:
            if isinstance(error, OutcomeUnknownError):
                error.start_id = record.start_id
            await self._ledger.learn(record, evidence_of_error(error))
            raise
        else:
            evidence = evidence_of_answer(answer)
        finally:
            self._ledger.sending.discard(record.start_id)
        return await self._ledger.learn(record, evidence)

    async def _finish(self, record: FollowedRecording, late: list[Awaitable[Started]]) -> None:
        """Store what became of a start whose caller was cancelled."""
        evidence: Evidence = StartNotSent(words="cancelled before anything was sent")
        for answer in late:
            try:
                evidence = evidence_of_answer(await answer)
            except PlivoRecordError as error:
                evidence = evidence_of_error(error)
        try:
            await self._ledger.learn(record, evidence)
        except (LookupError, StoreError):
            log.exception("could not store what became of start %s; it will be looked for", record.start_id)

    def _issue(self, place: Place, start_id: str) -> str:
        return self._policy.apply(issue_url(self._public_url, place, start_id, self._auth_tokens[0]))

    def _handle(self, record: FollowedRecording) -> TrackedRecording:
        return TrackedRecording(
            start_id=record.start_id,
            conference_name=record.conference_name,
            ledger=self._ledger,
            client=self._client,
        )

    # Receiving

    async def _take(self, callback: Callback) -> int:
        """Verify and store one callback; the status is what Plivo is to be told."""
        if callback.place not in PLACES:
            return HTTPStatus.NOT_FOUND
        url = f"{self._public_url}/{callback.place}" + (f"?{callback.query}" if callback.query else "")
        try:
            start_id = read_start_id(callback.place, callback.query, self._auth_tokens)
            event = parse_callback(callback.method, url, callback.headers, callback.body, auth_tokens=self._auth_tokens)
            await self._keep(start_id, event)
        except CallbackRejectedError as error:
            log.warning("a callback was refused with %s: %s", error.status, error)
            return error.status
        except StoreError:
            log.exception("a callback could not be stored; Plivo is told to try again")
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.OK

    async def _keep(self, start_id: str | None, event: CallbackEvent) -> None:
        store = self._ledger.store
        if not isinstance(event, UnknownCallback):
            record = await (self._named_by(event) if start_id is None else store.get(start_id))
            if record is not None:
                with suppress(LookupError):  # pruned at this very moment: an orphan then
                    await self._ledger.learn(record, event)
                    return
        await store.keep_orphan(Orphan(received_at=_clock.now(), event=event))

    async def _named_by(self, event: HandledEvent) -> FollowedRecording | None:
        """The recording that an event without a token names by one of Plivo's ids."""
        if not isinstance(event, ApiResponse) and event.recording_id is not None:
            return await self._ledger.store.find("recording_id", event.recording_id)
        if not isinstance(event, TranscriptionEnded) and event.api_id is not None:
            return await self._ledger.store.find("api_id", event.api_id)
        return None
