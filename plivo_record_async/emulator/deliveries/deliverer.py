"""Deliver callbacks over HTTP, with the retries that the fragment of their URL asks for.

https://plivo.com/docs/voice/concepts/callback-configurations.md
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

import attrs

from plivo_record_async import _clock
from plivo_record_async.emulator.account.callbacks import Callback, DeliveryOptions, HttpCallback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.deliveries.sending import CallbackSender, DeliveryResult
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History

__all__ = ["Deliverer"]

_logger = logging.getLogger(__name__)


class Deliverer:
    """Deliver callbacks in background tasks, a limited number at a time.

    Args:
        auth_token: The auth token that signs the callbacks.
        history: Where all attempts are noted.
        dialect: How callbacks are signed, how often each is delivered, and with which delay.
        concurrency: How many callbacks are delivered at the same time.
        first_pause: Seconds before the first retry. The pause doubles before each further retry. Plivo does not
            document its own pauses.
    """

    def __init__(
        self,
        *,
        auth_token: str,
        history: History,
        dialect: Dialect,
        concurrency: int = 64,
        first_pause: float = 0.1,
    ) -> None:
        self._auth_token = auth_token
        self._history = history
        self._dialect = dialect
        self._slots = asyncio.Semaphore(concurrency)
        self._first_pause = first_pause
        self._tasks: dict[asyncio.Task[None], Callback] = {}
        self._sender = CallbackSender()
        self._last_callback_id = 0

    def send_soon(self, callback: Callback) -> None:
        """Begin to deliver a callback, without waiting for it.

        Args:
            callback: The callback.
        """
        for _ in range(self._dialect.copies):
            self._spawn(callback)

    def replay(self, delivery: Delivery) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again. It is signed again.

        Args:
            delivery: The earlier delivery.

        Returns:
            The first attempt of the new delivery.
        """
        return self._spawn(delivery.callback, replay_of=delivery.id)

    async def settled(self) -> None:
        """Wait until every callback was delivered or given up, including those that are added meanwhile."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def drop_all(self) -> None:
        """Stop delivering all callbacks that are under way or waiting."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self, *, grace: float = 1.0) -> None:
        """Wait for callbacks under way, then cancel the others and log a warning.

        Args:
            grace: The most seconds to wait.
        """
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=grace)
        for callback in self._tasks.values():
            _logger.warning(
                "the emulator was shut down before the %s callback to %s was delivered", callback.kind, callback.url
            )
        await self.drop_all()
        await self._sender.aclose()

    def _spawn(self, callback: Callback, *, replay_of: int | None = None) -> Delivery:
        self._last_callback_id += 1
        delivery = self._noted(
            Delivery(
                id=self._history.deliveries.next_id(),
                callback_id=self._last_callback_id,
                callback=callback,
                attempt=1,
                replay_of=replay_of,
                time=_clock.now(),
            )
        )
        task = asyncio.create_task(self._deliver(delivery))
        self._tasks[task] = callback
        task.add_done_callback(self._tasks.pop)
        return delivery

    async def _deliver(self, delivery: Delivery) -> None:
        options = DeliveryOptions.of(delivery.callback.url)
        await asyncio.sleep(self._dialect.delay_s)
        async with self._slots:
            try:
                async with asyncio.timeout(options.total_ms / 1000):
                    while True:
                        request = self._signed(delivery.callback)
                        delivery = self._noted(attrs.evolve(delivery, state="sending", time=_clock.now(), sent=request))
                        result = await self._sender.send(request, options)
                        pause = self._pause_after(delivery, result, options)
                        self._finished(delivery, result, pause)
                        if pause is None:
                            return
                        delivery = self._next_attempt(delivery)
                        await asyncio.sleep(pause)
            except TimeoutError:
                over = DeliveryResult(error=f"given up: all {options.total_ms} ms (tt) are over")
                self._finished(delivery, over, None)

    def _signed(self, callback: Callback) -> HttpCallback:
        nonce = f"{uuid4().int % 10**20:020}"
        return callback.signed(nonce=nonce, auth_token=self._auth_token, scheme=self._dialect.signatures)

    def _pause_after(self, delivery: Delivery, result: DeliveryResult, options: DeliveryOptions) -> float | None:
        """Return the seconds before the next attempt. If None, no attempt follows."""
        if not options.retries_after(result.failure, delivery.attempt):
            return None
        return self._first_pause * float(2 ** (delivery.attempt - 1))

    def _next_attempt(self, delivery: Delivery) -> Delivery:
        return self._noted(
            Delivery(
                id=self._history.deliveries.next_id(),
                callback_id=delivery.callback_id,
                callback=delivery.callback,
                attempt=delivery.attempt + 1,
                replay_of=delivery.replay_of,
                time=_clock.now(),
            )
        )

    def _finished(self, delivery: Delivery, result: DeliveryResult, pause: float | None) -> None:
        now = _clock.now()
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
                at=now,
                next_attempt_at=None if pause is None else now + timedelta(seconds=pause),
            )
        )

    def _noted(self, delivery: Delivery) -> Delivery:
        self._history.note_delivery(delivery)
        return delivery
