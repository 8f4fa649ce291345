"""Looks after the followed recordings of one ledger: what is due, what is silent, whom to tell.

Everything that goes on in the background is owned here. What must come to its end, such as a user's handler, is
waited for when the tracker closes; what can be done again at any time, such as a look at Plivo, is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import attrs

from plivo_record_async import _clock
from plivo_record_async._home import Home
from plivo_record_async._ledger import Ledger
from plivo_record_async._reconciler import Reconciler
from plivo_record_async.errors import ClosedError, StoreError, UnknownStartError
from plivo_record_async.protocol.evidence import (
    CallbackName,
    CameDue,
    EventHandled,
    Evidence,
    SendingContinued,
    event_name,
)
from plivo_record_async.protocol.followed import FollowedRecording, is_due, lacks_end
from plivo_record_async.protocol.lifecycle import Effect, HandOver
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded

__all__ = ["Follower", "HandledEvent", "Handler"]

HandledEvent = ApiResponse | RecordingEnded | TranscriptionEnded
Handler = Callable[[FollowedRecording, HandledEvent], Awaitable[object]]

LOOKERS = 4
"""How many silent recordings are asked about at the same time."""

ASK_PAUSE = 60.0
"""Seconds between two questions about one recording that callbacks give rise to. Outsiders may cause them."""

log = logging.getLogger("plivo_record_async")


Tasks = set[asyncio.Task[None]]


@attrs.define(eq=False)
class _Work:
    """What goes on in one event loop. None of it is of use in another.

    Attributes:
        entered: How many ``async with`` blocks have entered the tracker and not left it.
        handling: The events whose handlers are running.
        sending: The starts that are being sent.
        all_sent: Whether there are none.
        silent: A queue in which each start waits once; whether to ask about it although all is known.
        asked: The starts that were asked about in the last `ASK_PAUSE` seconds; whether to ask again after them.
        lookers: How many are asking.
        to_finish: What must come to its end.
        to_drop: What can be done again at any time.
    """

    entered: int = 0
    handling: set[tuple[str, CallbackName]] = attrs.field(factory=set[tuple[str, CallbackName]])
    sending: dict[str, FollowedRecording] = attrs.field(factory=dict[str, FollowedRecording])
    all_sent: asyncio.Event = attrs.field(factory=asyncio.Event)
    silent: dict[str, bool] = attrs.field(factory=dict[str, bool])
    asked: dict[str, bool] = attrs.field(factory=dict[str, bool])
    lookers: int = 0
    to_finish: Tasks = attrs.field(factory=set[asyncio.Task[None]])
    to_drop: Tasks = attrs.field(factory=set[asyncio.Task[None]])

    def __attrs_post_init__(self) -> None:
        self.all_sent.set()


class Follower:
    """Learns, and does what follows from it, in one event loop after another.

    Args:
        ledger: The records.
        reconciler: Asks Plivo about silent ones.
    """

    def __init__(self, ledger: Ledger, reconciler: Reconciler) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._handlers: dict[CallbackName, list[Handler]] = {}
        self._home = Home("this tracker")
        self._work = _Work()
        self._closed = False

    @property
    def _here(self) -> _Work:
        """What goes on in the running event loop.

        Raises:
            ConfigurationError: The tracker is in use in another event loop, or was before this process was forked.
        """
        if not self._closed and self._home.claim():
            self._work = _Work()
        return self._work

    def ensure_open(self) -> None:
        """Refuse calls on a closed tracker, and from another event loop than the one in which it is in use.

        Raises:
            ClosedError: It is closed.
            ConfigurationError: It is in use in another event loop, or was before this process was forked.
        """
        if self._closed:
            raise ClosedError("this tracker is closed; enter it again with `async with` to go on using it")
        _ = self._here

    def add_handler(self, name: CallbackName, handler: Handler) -> None:
        """Run ``handler`` for each event of that name that is stored from now on."""
        self._handlers.setdefault(name, []).append(handler)
        self._ledger.terms = attrs.evolve(self._ledger.terms, handled=frozenset(self._handlers))

    async def open(self) -> None:
        """Begin to look after what is due, also after `aclose` and after another event loop has ended.

        It may be called several times, and the store is left open until `aclose` was called as often.

        Raises:
            StoreError: The store cannot be read.
            ConfigurationError: It is in use in another event loop, or was before this process was forked.
        """
        if self._home.claim():
            self._work = _Work()
        work = self._work
        if work.entered == 0:
            await self._ledger.store.open()
            await self._ledger.store.due(_clock.now(), limit=1)
            self._closed = False
            self._spawn(self._keep_looking(), work.to_drop)
        work.entered += 1

    async def leave(self, *, grace: float) -> None:
        """Close, if it was left as often as it was opened; harmless if it is closed already."""
        if self._closed:
            return
        self._here.entered -= 1
        if self._here.entered == 0:
            await self.aclose(grace=grace)

    async def aclose(self, *, grace: float) -> None:
        """Drop the looking; wait up to ``grace`` seconds for starts and handlers; close the store.

        What is left to do stands in the store.

        Raises:
            ConfigurationError: It is in use in another event loop.
        """
        work = _Work() if self._home.is_forked else self._here
        try:
            await _cancelled(_others(work.to_drop))
            await _settled(work, grace)
            await _cancelled(_others(work.to_finish))
        finally:
            self._closed = True
            await self._ledger.store.aclose()
            if not self._home.is_forked:
                self._home.leave()

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background that must come to its end."""
        self._spawn(work, self._here.to_finish)

    # Learning

    async def learn(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Take in one piece of evidence, and begin to do what follows from it; as `Ledger.learn` otherwise."""
        learned, effects = await self._ledger.learn(record, evidence)
        self.act(learned, effects)
        return learned

    async def learn_surely(self, record: FollowedRecording, evidence: Evidence) -> None:
        """Take in evidence that comes once only, as soon as the store can; it may be down for a while."""
        while True:
            try:
                await self.learn(record, evidence)
            except UnknownStartError:
                return  # pruned, or never stored: there is nothing left to tell
            except ClosedError:
                log.exception("what became of start %s could not be stored", record.start_id)
                return
            except StoreError:
                log.exception(
                    "what became of start %s could not be stored; its store will be asked again", record.start_id
                )
            else:
                return
            await asyncio.sleep(self._ledger.terms.tick.total_seconds())

    def act(self, record: FollowedRecording, effects: Sequence[Effect]) -> None:
        """Begin to do what follows from a change that is stored."""
        for effect in effects:
            if isinstance(effect, HandOver):
                self.soon(self._hand_over(record, effect.event))
            else:
                self._look_soon(record.start_id, although_known=False)

    def ask(self, start_id: str) -> None:
        """Ask Plivo about a recording because a callback of it was not believed.

        Each recording is asked about at most once in `ASK_PAUSE` seconds. What comes sooner is asked when they are
        over, once.
        """
        work = self._here
        if start_id in work.asked:
            work.asked[start_id] = True
            return
        work.asked[start_id] = False
        asyncio.get_running_loop().call_later(ASK_PAUSE, self._end_pause, work, start_id)
        self._look_soon(start_id, although_known=True)

    def _end_pause(self, work: _Work, start_id: str) -> None:
        ask_again = work.asked.pop(start_id)
        if ask_again and not self._closed:
            self.ask(start_id)

    def sending(self, record: FollowedRecording) -> AbstractContextManager[None]:
        """Keep the lease of a start while it is being sent. Closing waits for it."""
        work = self._here
        return _Sending(record, work.sending, work.all_sent)

    # Looking after

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self._renew_leases()
                await self._look_after_the_due()
            except Exception:
                log.exception("looking after the followed recordings failed; it is tried again")
            await asyncio.sleep(self._ledger.terms.tick.total_seconds())

    async def _look_after_the_due(self) -> None:
        due = await self._ledger.store.due(_clock.now())
        ends = await asyncio.gather(*map(self._come_due, due), return_exceptions=True)
        if errors := [end for end in ends if isinstance(end, Exception)]:
            raise ExceptionGroup("some recordings that came due could not be looked after", errors)

    async def _renew_leases(self) -> None:
        half_time = _clock.now() + self._ledger.terms.lease / 2
        sending = self._here.sending
        for start_id, record in tuple(sending.items()):
            if is_due(record, half_time):
                with suppress(UnknownStartError):  # forgotten meanwhile; its answer will find nothing to be kept in
                    renewed = await self.learn(record, SendingContinued())
                    if start_id in sending:
                        sending[start_id] = renewed

    async def _come_due(self, record: FollowedRecording) -> None:
        with suppress(UnknownStartError):  # pruned meanwhile
            await self.learn(record, CameDue())

    def _look_soon(self, start_id: str, *, although_known: bool) -> None:
        work = self._here
        work.silent[start_id] = although_known or work.silent.get(start_id, False)
        if work.lookers < LOOKERS:
            work.lookers += 1
            self._spawn(self._look_at_the_silent(work), work.to_drop)

    async def _look_at_the_silent(self, work: _Work) -> None:
        try:
            while work.silent:
                start_id = next(iter(work.silent))
                await self._look_at(start_id, although_known=work.silent.pop(start_id))
        finally:
            work.lookers -= 1

    async def _look_at(self, start_id: str, *, although_known: bool) -> None:
        """Ask Plivo about a recording, if it lacks its end, or although it does not."""
        try:
            record = await self._ledger.get(start_id)  # it may have waited long, and come to its end meanwhile
            if not (although_known or lacks_end(record)):
                return
            evidence = await self._reconciler.look(record, self._ledger.terms)
            if evidence is not None:
                await self.learn(record, evidence)
        except UnknownStartError:
            return  # forgotten meanwhile
        except Exception:
            log.exception("start %s could not be looked after; it comes due again", start_id)

    # Telling

    async def _hand_over(self, record: FollowedRecording, event: HandledEvent) -> None:
        """Run the handlers of an event, each whatever the others do; if one fails, the event comes due again."""
        name = event_name(event)
        key: tuple[str, CallbackName] = (record.start_id, name)
        handling = self._here.handling
        handlers = self._handlers.get(name, ())
        if key in handling or (not handlers and not self._is_given_up(record, name)):
            return
        handling.add(key)
        try:
            if all([await self._runs(handler, record, event) for handler in handlers]):
                await self.learn_surely(record, EventHandled(name=name))
        finally:
            handling.discard(key)

    async def _runs(self, handler: Handler, record: FollowedRecording, event: HandledEvent) -> bool:
        """Whether a handler runs to its end."""
        try:
            await handler(record, event)
        except Exception:
            log.exception("a handler of %s failed for start %s; it is run again", event_name(event), record.start_id)
            return False
        return True

    def _is_given_up(self, record: FollowedRecording, name: CallbackName) -> bool:
        """Another process may have the handlers that this one lacks, but not for ever."""
        waited = _clock.now() - record.updated_at
        if waited <= self._ledger.terms.follow:
            return False
        log.warning("start %s: nobody has handled its %s for %s; it is given up", record.start_id, name, waited)
        return True

    # Tasks

    def _spawn(self, work: Coroutine[Any, Any, None], owner: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        owner.add(task)
        task.add_done_callback(owner.discard)


def _others(tasks: Tasks) -> Collection[asyncio.Task[None]]:
    """All but the one that asks: a handler may close the tracker, and is not waited for then."""
    return tasks - {task for task in [asyncio.current_task()] if task}


async def _settled(work: _Work, grace: float) -> None:
    """What ends may begin something else that must end too."""
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            while _others(work.to_finish) or work.sending:
                await work.all_sent.wait()
                if others := _others(work.to_finish):
                    await asyncio.wait(others)


class _Sending:
    """While it is entered a start is among those that are being sent."""

    def __init__(
        self, record: FollowedRecording, sending: dict[str, FollowedRecording], all_sent: asyncio.Event
    ) -> None:
        self._record = record
        self._sending = sending
        self._all_sent = all_sent

    def __enter__(self) -> None:
        self._sending[self._record.start_id] = self._record
        self._all_sent.clear()

    def __exit__(self, *_: object) -> None:
        del self._sending[self._record.start_id]
        if not self._sending:
            self._all_sent.set()


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
