"""Deliver callbacks over HTTP, with the retries that the fragment of their URL asks for.

https://plivo.com/docs/voice/concepts/callback-configurations.md
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import attrs

from plivo_record_async.emulator.account.callbacks import Callback, DeliveryOptions, HttpCallback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.clock import RealClock, VirtualClock
from plivo_record_async.emulator.deliveries.sending import CallbackSender, DeliveryResult, in_seconds
from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History

__all__ = ["Deliverer"]

_PATIENCE = 0.5
"""Real seconds: how long `attempts_settled` waits for a slow receiver, unless another time is given."""

_LONGEST_HOLD = 1.0
"""Seconds of the clock: how long a reordered callback waits for the next one."""

_logger = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class _Held:
    """A callback that waits until the next one of its conference has been delivered.

    Attributes:
        conference_name: The conference. If None, the callback concerns none.
        followed: Whether the next callback has come.
        released: Whether the next callback was delivered or given up.
    """

    conference_name: str | None
    followed: asyncio.Event = attrs.field(factory=asyncio.Event)
    released: asyncio.Event = attrs.field(factory=asyncio.Event)


class Deliverer:
    """Deliver callbacks in background tasks, a limited number at a time.

    The clock determines the pause before the first retry. The pause doubles before each further retry. Plivo does not
    document its own pauses.

    Args:
        auth_token: The auth token that signs the callbacks.
        history: Where all attempts are noted.
        dialect_of: A function that returns the dialect of a conference: how its callbacks are signed, how often each is
            delivered, and with which delay.
        faults: What goes wrong on purpose.
        clock: The clock for the pauses between attempts and for the timeouts of a delivery.
        concurrency: How many callbacks are delivered at the same time.
    """

    def __init__(
        self,
        *,
        auth_token: str,
        history: History,
        dialect_of: Callable[[str | None], Dialect],
        faults: Faults,
        clock: RealClock | VirtualClock,
        concurrency: int = 64,
    ) -> None:
        self._auth_token = auth_token
        self._history = history
        self._dialect_of = dialect_of
        self._faults = faults
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: dict[asyncio.Task[None], Callback] = {}
        self._held: list[_Held] = []
        self._active: dict[asyncio.Task[None], asyncio.Event] = {}
        self._sender = CallbackSender(clock)
        self._last_callback_id = 0

    def send_soon(self, callback: Callback) -> None:
        """Begin to deliver a callback, without waiting for it.

        Args:
            callback: The callback.
        """
        for _ in range(self._dialect_of(callback.conference_name).copies):
            fault = self._faults.take("callback", callback.conference_name)
            for _ in range(2 if fault is not None and fault.do == "duplicate" else 1):
                self._spawn(callback, fault=fault)

    def replay(self, delivery: Delivery) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again. It is signed again, and no fault happens to it.

        Args:
            delivery: The earlier delivery.

        Returns:
            The first attempt of the new delivery.
        """
        return self._spawn(delivery.callback, replay_of=delivery.id)

    async def attempts_settled(self, *, patience: float = _PATIENCE) -> None:
        """Wait until every callback waits for the clock, or has been delivered or given up.

        Args:
            patience: The maximum time to wait, in real seconds.
        """
        try:
            async with asyncio.timeout(patience):
                while self._active:
                    await next(iter(self._active.values())).wait()
        except TimeoutError:
            self._active.clear()

    async def settled(self) -> None:
        """Wait until every callback has been delivered or given up, including those that are added meanwhile."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def drop_all(self) -> None:
        """Stop delivering all callbacks that are under way or waiting."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self, *, grace: float = 1.0) -> None:
        """Wait for attempts under way, then cancel the callbacks that were not delivered and log a warning for each.

        A callback that waits for the clock, for example before a retry, is not waited for.

        Args:
            grace: The maximum time to wait, in real seconds.
        """
        await self.attempts_settled(patience=grace)
        for callback in self._tasks.values():
            url = callback.url.partition("?")[0]
            _logger.warning("the emulator was shut down before the %s callback to %s was delivered", callback.kind, url)
        await self.drop_all()
        await self._sender.aclose()

    def _spawn(self, callback: Callback, *, fault: Fault | None = None, replay_of: int | None = None) -> Delivery:
        self._last_callback_id += 1
        delivery = Delivery(
            id=self._history.deliveries.next_id(),
            callback_id=self._last_callback_id,
            callback=callback,
            attempt=1,
            replay_of=replay_of,
            fault=fault.do if fault else None,
            time=self._clock.now(),
        )
        if fault is not None and fault.do == "drop":
            error = "a fault dropped the callback"
            return self._noted(
                attrs.evolve(delivery, state="dropped", error=error, failure="dropped", at=delivery.time)
            )
        self._noted(delivery)
        task = asyncio.create_task(self._deliver_with_fault(delivery, fault))
        self._tasks[task] = callback
        self._active[task] = asyncio.Event()
        task.add_done_callback(self._tasks.pop)
        task.add_done_callback(self._rest)
        return delivery

    async def _deliver_with_fault(self, delivery: Delivery, fault: Fault | None) -> None:
        conference_name = delivery.conference_name
        delay = self._dialect_of(conference_name).delay_s
        if delivery.replay_of is None:
            delay += delivery.callback.delay_s
        if fault is not None and fault.do == "delay":
            delay += fault.seconds or 0.0
        if delay:
            await self._resting(self._clock.sleep(delay))
        overtaken = self._overtake(conference_name)
        if fault is not None and fault.do == "reorder":
            await self._resting(self._hold(conference_name))
        await self._deliver(delivery)
        for held in overtaken:
            held.released.set()

    async def _resting(self, wait: Coroutine[Any, Any, None]) -> None:
        """Wait. While it waits, the current task counts as resting."""
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._rest(task)
        await wait
        self._active[task] = asyncio.Event()

    def _rest(self, task: asyncio.Task[None]) -> None:
        active = self._active.pop(task, None)
        if active is not None:
            active.set()

    def _overtake(self, conference_name: str | None) -> list[_Held]:
        """Remove and return the held callbacks of a conference, and tell them that its next callback has come."""
        overtaken = [held for held in self._held if held.conference_name == conference_name]
        for held in overtaken:
            self._held.remove(held)
            held.followed.set()
        return overtaken

    async def _hold(self, conference_name: str | None) -> None:
        """Wait until the next callback of the conference has been delivered, but not long if none comes."""
        held = _Held(conference_name)
        self._held.append(held)
        with suppress(TimeoutError):
            async with self._clock.timeout(_LONGEST_HOLD):
                await held.followed.wait()
        if held.followed.is_set():
            await held.released.wait()
        else:
            self._held.remove(held)

    async def _deliver(self, delivery: Delivery) -> None:
        options = DeliveryOptions.of(delivery.callback.url)
        async with self._slots:
            try:
                async with self._clock.timeout(options.total_ms / 1000):
                    while True:
                        request = self._signed(delivery)
                        delivery = self._noted(
                            attrs.evolve(delivery, state="sending", time=self._clock.now(), sent=request)
                        )
                        result = await self._sender.send(request, options)
                        pause = self._pause_after(delivery, result, options)
                        self._finished(delivery, result, pause)
                        if pause is None:
                            return
                        delivery = self._next_attempt(delivery)
                        await self._resting(self._clock.sleep(pause))
            except TimeoutError:
                error = f"no attempt succeeded within {in_seconds(options.total_ms / 1000)}, the limit for all attempts"
                self._finished(delivery, DeliveryResult(error=error, failure="total_timeout"), None)

    def _signed(self, delivery: Delivery) -> HttpCallback:
        scheme = self._dialect_of(delivery.conference_name).signatures
        return delivery.callback.signed(
            nonce=f"{uuid4().int % 10**20:020}",
            auth_token=self._auth_token,
            scheme="none" if delivery.fault == "unsigned" else scheme,
        )

    def _pause_after(self, delivery: Delivery, result: DeliveryResult, options: DeliveryOptions) -> float | None:
        """Return the seconds before the next attempt. If None, no attempt follows."""
        if not options.retries_after(result.retry_class, delivery.attempt):
            return None
        return self._clock.first_pause * float(2 ** (delivery.attempt - 1))

    def _next_attempt(self, delivery: Delivery) -> Delivery:
        return self._noted(
            Delivery(
                id=self._history.deliveries.next_id(),
                callback_id=delivery.callback_id,
                callback=delivery.callback,
                attempt=delivery.attempt + 1,
                replay_of=delivery.replay_of,
                fault=delivery.fault,
                time=self._clock.now(),
            )
        )

    def _finished(self, delivery: Delivery, result: DeliveryResult, pause: float | None) -> None:
        now = self._clock.now()
        _logger.info(
            "callback (%s) %s %s: %s",
            delivery.kind,
            delivery.callback.method,
            delivery.url.partition("?")[0],
            result.error or result.status,
        )
        self._noted(
            attrs.evolve(
                delivery,
                state="failed" if result.error else "delivered",
                status=result.status,
                response_headers=result.headers,
                raw_response_body=result.body,
                response_bytes=result.body_bytes,
                error=result.error,
                failure=result.failure,
                at=now,
                next_attempt_at=None if pause is None else now + timedelta(seconds=pause),
            )
        )

    def _noted(self, delivery: Delivery) -> Delivery:
        self._history.note_delivery(delivery)
        return delivery
