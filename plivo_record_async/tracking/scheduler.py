"""Follows the recordings of one ledger: takes up those that are due, asks about silent ones, runs handlers.

Everything that goes on in the background is owned here. What must come to its end, such as a user's handler, is
waited for when the tracker closes; what can be done again at any time, such as a look at Plivo, is dropped.

Records that are due stay in the store until they are taken up, so however many there are, memory holds a few. To take
one up is to store that its time has come: of several processes that try, one succeeds. Those that only wait for Plivo
to be asked are taken up as fast as Plivo may be asked, and hold up no others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import attrs

from plivo_record_async import _clock
from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError, StoreError, UnknownStartError
from plivo_record_async.protocol.recording.evidence import (
    EventHandled,
    EventName,
    Evidence,
    HandlersEnded,
    SendingContinued,
    event_name,
)
from plivo_record_async.protocol.recording.handler_runs import HandlerRun
from plivo_record_async.protocol.recording.lifecycle import Effect, GiveUp, HandOver, Reconcile
from plivo_record_async.protocol.recording.record import FollowedRecording, is_due, lacks_end
from plivo_record_async.tracking.handlers import EventRuns, HandledEvent, Handler, Handlers, error_of, label_of
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.reconciler import Reconciler

__all__ = ["Follower"]

LOOKERS = 4
"""How many silent recordings are asked about at the same time."""

BATCH = 25
"""How many records are taken up together: with more, the event loop would not get to callbacks for milliseconds."""

MOST = 1000
"""How many handlers may be running, and recordings be waiting to be asked about, when due records bring more of them.
What is beyond stays in the store and comes due again."""

ASK_PAUSE = 60.0
"""Seconds between two questions about one recording that callbacks give rise to. Outsiders may cause them."""

log = logging.getLogger("plivo_record_async")


Tasks = set[asyncio.Task[None]]
Taken = tuple[FollowedRecording, Sequence[Effect]]


@attrs.define(eq=False)
class _Work:
    """What goes on in one event loop. None of it is of use in another.

    Attributes:
        entered: How many ``async with`` blocks have entered the tracker and not left it.
        handling: The events whose handlers are running, by start and name.
        sending: The starts that are being sent.
        all_sent: Whether there are none.
        silent: A queue in which each start waits once; whether to ask about it although all is known.
        asked: The starts that were asked about in the last `ASK_PAUSE` seconds; whether to ask again after them.
        lookers: How many are asking.
        to_finish: What must come to its end.
        to_drop: What can be done again at any time.
    """

    entered: int = 0
    handling: dict[tuple[str, EventName], EventRuns] = attrs.field(factory=dict[tuple[str, EventName], EventRuns])
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
        self._handlers = Handlers()
        self._binding = LoopBinding("this tracker")
        self._work = _Work()
        self._closed = False

    @property
    def _here(self) -> _Work:
        """What goes on in the running event loop.

        Raises:
            ConfigurationError: The tracker is in use in another event loop, or was before this process was forked.
        """
        if not self._closed and self._binding.bind():
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

    def add_handler(self, name: EventName, handler: Handler, label: str | None = None) -> None:
        """Run ``handler`` for each event of that name that is stored from now on.

        Args:
            name: The event.
            handler: What runs.
            label: What it is called in records and logs. If None, the name of its function or class.
        """
        self._handlers.add(name, handler, label or label_of(handler))
        self._ledger.handled = self._handlers.events

    async def open(self) -> None:
        """Start processing due records. Works again after `aclose`, and in a new event loop once the old one has ended.

        It may be called several times, and the store is left open until `aclose` was called as often.

        Raises:
            StoreError: The store cannot be read.
            ConfigurationError: It is in use in another event loop, or was before this process was forked.
        """
        if self._binding.bind():
            self._work = _Work()
        work = self._work
        work.entered += 1
        if work.entered == 1:
            try:
                await self._ledger.store.open()
                await self._ledger.store.due(_clock.now(), limit=1, silent=False)
            except BaseException:
                work.entered = 0
                raise
            self._closed = False
            for action in (self._renew_leases, self._take_up_the_due, self._ask_about_the_silent):
                self._spawn(self._repeat(action), work.to_drop)

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
        work = _Work() if self._binding.is_forked else self._here
        try:
            await _cancelled(_others(work.to_drop))
            await _settled(work, grace)
            await _cancelled(_others(work.to_finish))
        finally:
            self._closed = True
            await self._ledger.store.aclose()
            if not self._binding.is_forked:
                self._binding.unbind()

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
                log.exception(
                    "the outcome of start %s could not be stored, because the store is closed; Plivo is asked for it "
                    "when the store is open again",
                    record.start_id,
                )
                return
            except StoreError:
                log.exception(
                    "the outcome of start %s could not be stored; that is tried again in a moment", record.start_id
                )
            else:
                return
            await asyncio.sleep(self._ledger.tracking.poll_interval.total_seconds())

    def act(self, record: FollowedRecording, effects: Sequence[Effect], *, again: bool = False) -> None:
        """Begin to do what follows from a change that is stored.

        Args:
            record: The record after the change.
            effects: What follows.
            again: Whether it comes due again if it is not done now, and is to be left to that where much is going on.
        """
        work = self._here
        for effect in effects:
            match effect:
                case HandOver():
                    if not (again and len(work.to_finish) >= MOST):
                        self._hand_over(record, effect)
                case GiveUp(run=run):
                    self._give_up(record, run)
                case Reconcile():
                    if not (again and len(work.silent) >= MOST):
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

    # What comes due

    async def _repeat(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something every tick, whatever goes wrong. The same trouble is logged once."""
        trouble = ""
        while True:
            try:
                await action()
            except Exception as error:
                if repr(error) != trouble:
                    log.exception("following the recordings failed; it is tried again in a moment")
                trouble = repr(error)
            else:
                trouble = ""
            await asyncio.sleep(self._ledger.tracking.poll_interval.total_seconds())

    async def _take_up_the_due(self) -> None:
        async def act(taken: Sequence[Taken]) -> None:
            for record, effects in taken:
                self.act(record, effects, again=True)

        await self._take_up(act, silent=False, batch=BATCH)

    async def _ask_about_the_silent(self) -> None:
        async def look(taken: Sequence[Taken]) -> None:
            start_ids = [record.start_id for record, effects in taken if Reconcile() in effects]
            await asyncio.gather(*(self._look_at(start_id, although_known=False) for start_id in start_ids))

        await self._take_up(look, silent=True, batch=LOOKERS)

    async def _take_up(self, act: Callable[[Sequence[Taken]], Awaitable[None]], *, silent: bool, batch: int) -> None:
        """Process due records in batches until none is left that this process can process."""
        errors: dict[str, Exception] = {}
        while True:
            due = await self._ledger.store.due(self._ledger.due_time(), limit=batch + len(errors), silent=silent)
            left = [record for record in due if record.start_id not in errors]
            ends = await asyncio.gather(*map(self._ledger.take_up, left), return_exceptions=True)
            errors |= {
                record.start_id: end for record, end in zip(left, ends, strict=True) if isinstance(end, Exception)
            }
            await act([end for end in ends if isinstance(end, tuple)])
            if len(left) < batch or 2 * ends.count(None) > len(left):  # the others are another process's work
                break
        if errors:
            raise ExceptionGroup("some recordings that came due could not be taken up", list(errors.values()))

    async def _renew_leases(self) -> None:
        half_time = _clock.now() + self._ledger.tracking.lease / 2
        sending = self._here.sending
        for start_id, record in tuple(sending.items()):
            if is_due(record, half_time):
                with suppress(UnknownStartError):  # forgotten meanwhile; its answer will find nothing to be kept in
                    renewed = await self.learn(record, SendingContinued())
                    if start_id in sending:
                        sending[start_id] = renewed

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
            evidence = await self._reconciler.look(record, self._ledger.tracking)
            if evidence is not None:
                await self.learn(record, evidence)
        except UnknownStartError:
            return  # forgotten meanwhile
        except Exception:
            log.exception("Plivo could not be asked about start %s; it is asked again later", start_id)

    # Handlers

    def _hand_over(self, record: FollowedRecording, effect: HandOver) -> None:
        """Begin to run the handlers of an event that are not running and not to be skipped."""
        name, work = event_name(effect.event), self._here
        handlers = self._handlers.of(name)
        if not handlers:
            self._leave_to_others(record, name)
            return
        runs = work.handling.setdefault((record.start_id, name), EventRuns())
        known = [run for run in record.handler_runs if run.event == name]
        runs.done.update(run.handler for run in known if run.due_at is None)
        runs.noted = bool(known)
        overdue = runs.running.keys() - effect.skip
        idle = handlers.keys() - runs.running.keys() - runs.done - effect.skip
        for label in filter(idle.__contains__, handlers):  # in the order in which they were registered
            runs.running[label] = self._spawn(self._run(work, record, effect.event, label), work.to_finish)
        if overdue and not known:
            runs.noted = True
            self.soon(self.learn_surely(record, HandlersEnded(name=name, running=frozenset(runs.running))))
        if not runs.running:
            del work.handling[record.start_id, name]
            if handlers.keys() <= runs.done:  # the others were of an earlier version of the program
                self.soon(self.learn_surely(record, EventHandled(name=name)))

    async def _run(self, work: _Work, record: FollowedRecording, event: HandledEvent, label: str) -> None:
        """Run one handler, and store what comes of it as far as it matters."""
        name = event_name(event)
        key: tuple[str, EventName] = (record.start_id, name)
        handlers, runs = self._handlers.of(name), work.handling[key]
        try:
            error = await error_of(handlers[label], record, event)
        finally:
            del runs.running[label]
            if not runs.running:
                del work.handling[key]
        if error is not None:
            words = "handler %s of %s failed for start %s; it is run again after a pause"
            log.error(words, label, name, record.start_id, exc_info=error)
        evidence = runs.ended(name, handlers, label, error)
        if evidence is not None:
            await self.learn_surely(record, evidence)

    def _give_up(self, record: FollowedRecording, run: HandlerRun) -> None:
        log.error("start %s: %s", record.start_id, run)
        runs = self._here.handling.get((record.start_id, run.event))
        if runs is not None and run.handler in runs.running:
            runs.running[run.handler].cancel()

    def _leave_to_others(self, record: FollowedRecording, name: EventName) -> None:
        """Another process may have the handlers that this one lacks, but not for ever."""
        waited = _clock.now() - record.updated_at
        if waited > self._ledger.tracking.give_up_after:
            log.warning(
                "start %s: no process has run handlers for its %s for %s; that event is given up",
                record.start_id,
                name,
                waited,
            )
            self.soon(self.learn_surely(record, EventHandled(name=name)))

    # Tasks

    def _spawn(self, work: Coroutine[Any, Any, None], owner: Tasks) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        owner.add(task)
        task.add_done_callback(owner.discard)
        return task


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
