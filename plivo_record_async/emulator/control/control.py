"""Everything that can be done with an emulator, over HTTP and in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.world import Result, World
from plivo_record_async.emulator.clock import RealClock, VirtualClock
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History
from plivo_record_async.emulator.history.log import page_of

__all__ = ["Control", "Deliveries"]


class Deliveries(Protocol):
    """What delivers callbacks."""

    def send_soon(self, callback: Callback) -> None:
        """Begin to deliver a callback."""
        ...

    def replay(self, delivery: Delivery) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again."""
        ...

    async def drop_all(self) -> None:
        """Stop delivering all callbacks."""
        ...

    async def attempts_settled(self) -> None:
        """Wait until every attempt that is under way is over."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class Control:
    """Everything that can be done with an emulator, over HTTP and in Python.

    Attributes:
        world: The account.
        history: The logs and the events.
        deliveries: What delivers the callbacks.
        faults: What goes wrong on purpose.
        clock: The clock of everything that the emulator does.
    """

    world: World
    history: History
    deliveries: Deliveries
    faults: Faults
    clock: RealClock | VirtualClock

    def apply(self, result: Result) -> Mapping[str, Any]:
        """Publish what changed, begin to deliver the callbacks, and return the body of the answer."""
        self.history.note_changes(result.changed)
        for callback in result.callbacks:
            self.deliveries.send_soon(callback)
        return result.body

    def open_conference(self, name: str) -> Mapping[str, Any]:
        """Make a conference live."""
        return self.apply(self.world.open(name, now=self.clock.now()))

    def end_conference(self, name: str) -> Mapping[str, Any]:
        """End a conference and begin to deliver the callbacks.

        Raises:
            RefusedError: 404, no conference of this name is live.
        """
        return self.apply(self.world.end(name, now=self.clock.now()))

    def replay(self, delivery_id: int) -> Delivery:
        """Begin to deliver the callback of an earlier delivery again.

        Raises:
            RefusedError: 404, there is no such delivery in the log.
        """
        delivery = self.history.deliveries.get(delivery_id)
        if delivery is None:
            raise RefusedError(404, f"there is no delivery {delivery_id} in the log")
        return self.deliveries.replay(delivery)

    async def reset(self) -> None:
        """Forget everything that happened: conferences, recordings, faults, and the logs. Callbacks are dropped."""
        await self.deliveries.drop_all()
        self.world.clear()
        self.faults.clear()
        self.history.clear()

    def set_dialect(self, dialect: Dialect, conference_name: str | None = None) -> None:
        """Set the dialect of a conference. If the name is None, that of everything else is set."""
        if conference_name is None:
            self.world.dialect = dialect
        else:
            self.world.dialects[conference_name] = dialect

    async def advance(self, seconds: float) -> None:
        """Move a virtual clock on.

        Raises:
            ValueError: The clock is not virtual, the time is negative, or the clock would go beyond the year 8999.
        """
        if not isinstance(self.clock, VirtualClock):
            raise ValueError(f"the clock is {self.clock.mode}: only a virtual clock can be advanced")  # noqa: TRY004
        await self.clock.advance(seconds, self.deliveries.attempts_settled)
        self.history.events.publish("clock", self.clock)

    def state(self, limit: int | None = None) -> dict[str, Any]:
        """Return the state as JSON values: what has happened, the faults, the quota and the clock.

        Args:
            limit: How many conferences, recordings and deliveries are included, the latest ones. If None, all.
        """
        conferences = page_of(self.world.conferences.values(), lambda each: each.name, limit=limit, before=None)
        recordings = page_of(self.world.recordings.values(), lambda each: each.recording_id, limit=limit, before=None)
        finished = [each for each in self.history.deliveries.entries() if each.at]
        deliveries = page_of(finished, lambda each: str(each.id), limit=limit, before=None)
        quota = self.world.quota
        return {
            "conferences": {
                each.name: {"executed_starts": each.executed_starts, "recording": each.last_running is not None}
                for each in conferences
            },
            "recordings": [each.to_dict() for each in recordings],
            "deliveries": [each.to_dict() for each in deliveries],
            "faults": [each.to_dict() for each in self.faults],
            "quota": None if quota is None else quota.to_dict(self.clock.now()),
            "clock": self.clock.to_dict(),
        }
