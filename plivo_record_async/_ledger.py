"""Evidence in, stored record and its effects out; the only way in which a followed recording changes.

The record and the new evidence go into the pure lifecycle; what comes out is stored if nobody was faster, and only
then its effects are carried out. So two processes may learn of one recording at the same time, and nothing is
acknowledged before it is stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs

from plivo_record_async import _clock
from plivo_record_async.errors import PlivoRecordError, StoreError
from plivo_record_async.interfaces import Store
from plivo_record_async.protocol.evidence import (
    CallbackName,
    CameDue,
    EventHandled,
    Evidence,
    SendingContinued,
    event_name,
)
from plivo_record_async.protocol.followed import FollowedRecording, Terms
from plivo_record_async.protocol.lifecycle import Effect, HandOver, apply
from plivo_record_async.protocol.models import ApiResponse, RecordingEnded, TranscriptionEnded

__all__ = ["HandledEvent", "Handler", "Ledger"]

HandledEvent = ApiResponse | RecordingEnded | TranscriptionEnded
Handler = Callable[[FollowedRecording, HandledEvent], Awaitable[object]]
Look = Callable[[FollowedRecording, Terms], Awaitable[Evidence | None]]

log = logging.getLogger("plivo_record_async")

TICK = 1.0
"""Seconds between two looks at what is due."""


class Ledger:
    """Changes the records of a store, and looks after those that are due.

    Args:
        store: Where they are kept.
        look: Asks Plivo about a silent recording.
    """

    def __init__(self, store: Store, look: Look) -> None:
        self.store = store
        self.sending: set[str] = set()
        self._look = look
        self._terms = Terms()
        self._handlers: dict[CallbackName, list[Handler]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def terms(self) -> Terms:
        """How long what is waited for, and what has handlers."""
        return self._terms

    def add_handler(self, name: CallbackName, handler: Handler) -> None:
        """Run ``handler`` for each event of that name that is stored from now on."""
        self._handlers.setdefault(name, []).append(handler)
        self._terms = attrs.evolve(self._terms, handled=frozenset(self._handlers))

    async def get(self, start_id: str) -> FollowedRecording:
        """The record as it is now.

        Raises:
            LookupError: The store has none, or none any more.
            StoreError: The store could not be read.
        """
        record = await self.store.get(start_id)
        if record is None:
            raise LookupError(f"the store keeps no start with the id {start_id!r}; it may have been pruned")
        return record

    async def learn(self, record: FollowedRecording, evidence: Evidence) -> FollowedRecording:
        """Take in one piece of evidence.

        Returns:
            The record as it is stored now, with or without a change.

        Raises:
            LookupError: The record was pruned meanwhile.
            StoreError: It could not be stored, so nothing was learned.
        """
        while True:
            changed, effects = apply(record, evidence, _clock.now(), self._terms)
            if changed is record:
                return record
            stored = await self.store.replace(changed)
            if stored is not None:
                for effect in effects:
                    self.soon(self._carry_out(stored, effect))
                return stored
            record = await self.get(record.start_id)

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background; `aclose` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Keep the leases of what is being sent, and look after what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(TICK)
            try:
                if loop.time() - renewed > self._terms.lease.total_seconds() / 2:
                    renewed = loop.time()
                    await self._renew_leases()
                for record in await self.store.due(_clock.now()):
                    await self.learn(record, CameDue())
            except (LookupError, StoreError):
                log.exception("looking after the followed recordings failed; trying again in %s s", TICK)

    async def aclose(self, *, grace: float) -> None:
        """Wait up to ``grace`` seconds for what goes on in the background; the store keeps what is left to do."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.store.aclose()

    async def _renew_leases(self) -> None:
        for start_id in tuple(self.sending):
            await self.learn(await self.get(start_id), SendingContinued())

    async def _carry_out(self, record: FollowedRecording, effect: Effect) -> None:
        try:
            if isinstance(effect, HandOver):
                await self._hand_over(record, effect.event)
            elif (evidence := await self._look(record, self._terms)) is not None:
                await self.learn(record, evidence)
        except (LookupError, PlivoRecordError):
            log.exception("could not look after start %s; it comes due again", record.start_id)

    async def _hand_over(self, record: FollowedRecording, event: HandledEvent) -> None:
        name = event_name(event)
        for handler in self._handlers.get(name, ()):
            try:
                await handler(record, event)
            except Exception:
                log.exception("a handler of %s failed for start %s; it is run again", name, record.start_id)
                return
        await self.learn(record, EventHandled(name=name))
