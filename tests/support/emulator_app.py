"""The emulator's application without a server, which keeps the callbacks instead of delivering them."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.app import EmulatorApp
from plivo_record_async.emulator.clock import RealClock
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History

__all__ = ["KeptCallbacks", "app_around"]


@attrs.define
class KeptCallbacks:
    """Keeps callbacks instead of delivering them."""

    history: History
    callbacks: list[Callback]

    def send_soon(self, callback: Callback) -> None:
        self.callbacks.append(callback)
        self.note(callback)

    def replay(self, delivery: Delivery) -> Delivery:
        self.callbacks.append(delivery.callback)
        return self.note(delivery.callback, replay_of=delivery.id)

    async def drop_all(self) -> None:
        self.callbacks.clear()

    async def attempts_settled(self) -> None: ...

    def note(self, callback: Callback, *, replay_of: int | None = None) -> Delivery:
        number = self.history.deliveries.next_id()
        delivery = Delivery(
            id=number,
            callback_id=number,
            callback=callback,
            attempt=1,
            replay_of=replay_of,
            state="delivered",
            time=datetime.now(UTC),
            status=200,
            at=datetime.now(UTC),
        )
        self.history.note_delivery(delivery)
        return delivery


def app_around(world: World, callbacks: list[Callback], *, auth_token: str, keep: int = 100) -> EmulatorApp:
    """The application of this account. What it would deliver is added to the callbacks."""
    history = History(keep)
    deliveries = KeptCallbacks(history, callbacks)
    faults = Faults(seed=0, publish=history.note_fault)
    control = Control(world=world, history=history, deliveries=deliveries, faults=faults, clock=RealClock())
    return EmulatorApp(control=control, auth_token=auth_token)
