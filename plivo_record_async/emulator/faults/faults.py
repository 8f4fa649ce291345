"""The faults that are set, and which of them happens next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

import attrs

from plivo_record_async.emulator.faults.fault import API_VERBS, CALLBACK_VERBS, Fault, FaultTarget, FaultVerb

__all__ = ["FaultOn", "Faults"]

_STATUSES = (429, 500, 502, 503, 504)
_EXECUTED_FROM = 500
_LONGEST_RANDOM_DELAY = 0.5


class Faults:
    """The faults of one emulator. The first one that was set and concerns a request or a callback happens to it.

    Args:
        seed: The seed of the random faults. The same seed and the same requests lead to the same faults.
        publish: The function that is called with each fault when it is set, has happened, or was removed.
    """

    def __init__(self, *, seed: int, publish: Callable[[Fault], None]) -> None:
        self._chance = _Chance(seed)
        self._publish = publish
        self._faults: dict[int, Fault] = {}
        self._last_id = 0

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    def __len__(self) -> int:
        return len(self._faults)

    def on(self, target: FaultTarget, *, conference: str | None = None, times: int | None = None) -> FaultOn:
        """Choose what a fault happens to. The method that is called on the result says what happens.

        Args:
            target: ``start``, ``stop``, ``get``, ``list``, ``delete``, ``transcribe`` (a request for a transcript) or
                ``media``; ``api`` for every request except for a file; ``any`` for every request; ``callback`` for
                callbacks.
            conference: The name of a conference. If None, the fault happens in all.
            times: How often it happens. If None, until it is removed.
        """
        return FaultOn(self, on=target, conference=conference, times=times)

    def randomly(
        self, *, rate: float, on: FaultTarget = "any", conference: str | None = None, times: int | None = None
    ) -> Fault:
        """Let a random fault happen now and then. Chance depends on the seed of the emulator.

        Args:
            rate: How probable a fault is, from 0 to 1.
            on: As in `on`, but ``any`` includes callbacks.
            conference: The name of a conference. If None, faults happen in all.
            times: How often a fault happens. If None, until it is removed.

        Returns:
            The fault that was set.

        Raises:
            ValueError: An argument is invalid.
        """
        return self.add(Fault(on=on, conference=conference, times=times, do="randomly", rate=rate))

    def add(self, fault: Fault) -> Fault:
        """Set a fault.

        Args:
            fault: The fault.

        Returns:
            The fault with its ID.
        """
        self._last_id += 1
        fault = attrs.evolve(fault, id=self._last_id)
        self._faults[fault.id] = fault
        self._publish(fault)
        return fault

    def add_json(self, given: Mapping[str, Any]) -> Fault:
        """Set the fault that JSON describes.

        Args:
            given: ``on``, ``conference``, ``times``, ``do``, and the arguments of ``do``.

        Raises:
            ValueError: A name is unknown, or a value is invalid.
        """
        return self.add(Fault.of(given))

    def remove(self, fault_id: int) -> bool:
        """Remove a fault.

        Args:
            fault_id: The ID of the fault.

        Returns:
            Whether there was a fault with this ID.
        """
        fault = self._faults.pop(fault_id, None)
        if fault is not None:
            self._publish(attrs.evolve(fault, active=False))
        return fault is not None

    def clear(self) -> None:
        """Remove all faults."""
        for fault in self:
            self.remove(fault.id)

    def take(self, operation: str | None, conference: str | None) -> Fault | None:
        """Return the fault that happens to a request or to a callback. If None, none happens.

        Args:
            operation: The operation of a request, or ``callback``. If None, the request leads nowhere.
            conference: The conference that is concerned. If None, none is.
        """
        for fault in self._faults.values():
            if fault.concerns(operation, conference) and (fault.do != "randomly" or self._chance.hits(fault.rate)):
                self._note(fault)
                return self._random(operation) if fault.do == "randomly" else fault
        return None

    def _note(self, fault: Fault) -> None:
        left = None if fault.times is None else fault.times - 1
        fault = attrs.evolve(fault, times=left, happened=fault.happened + 1, active=left != 0)
        if fault.active:
            self._faults[fault.id] = fault
        else:
            del self._faults[fault.id]
        self._publish(fault)

    def _random(self, operation: str | None) -> Fault:
        chance = self._chance
        if operation == "callback":
            return Fault(on="callback", do=chance.choice(CALLBACK_VERBS), seconds=_LONGEST_RANDOM_DELAY * chance.draw())
        status = chance.choice(_STATUSES)
        return Fault(
            do=chance.choice(API_VERBS),
            status=status,
            executed=status >= _EXECUTED_FROM and chance.hits(0.5),
            seconds=_LONGEST_RANDOM_DELAY * chance.draw(),
        )


class FaultOn:
    """What a fault happens to. Each method sets a fault and returns it.

    All methods raise ValueError if an argument is invalid, or if this cannot happen to the target.
    """

    def __init__(self, faults: Faults, *, on: FaultTarget, conference: str | None, times: int | None) -> None:
        self._faults = faults
        self._target: dict[str, Any] = {"on": on, "conference": conference, "times": times}

    def status(self, status: int, *, executed: bool = False, retry_after: str | None = None) -> Fault:
        """Answer with an error.

        Args:
            status: The HTTP status, such as 429 or 503.
            executed: Whether the request is executed nevertheless.
            retry_after: The header ``Retry-After``: seconds, or an HTTP date. If None, the answer has none.
        """
        return self._set("status", status=status, executed=executed, retry_after=retry_after)

    def reset_before_execution(self) -> Fault:
        """Reset the connection after the request was read. The request is not executed."""
        return self._set("reset_before_execution")

    def reset_after_execution(self) -> Fault:
        """Execute the request, and reset the connection instead of answering."""
        return self._set("reset_after_execution")

    def stall(self, *, executed: bool = True) -> Fault:
        """Never answer. The connection stays open until the client closes it.

        Args:
            executed: Whether the request is executed.
        """
        return self._set("stall", executed=executed)

    def cut(self) -> Fault:
        """Execute the request, and close the connection in the middle of the answer's body."""
        return self._set("cut")

    def delay(self, seconds: float) -> Fault:
        """Execute and answer the request later, or deliver the callback later.

        Args:
            seconds: How much later, by the emulator's clock.
        """
        return self._set("delay", seconds=seconds)

    def drop(self) -> Fault:
        """Do not deliver the callback."""
        return self._set("drop")

    def duplicate(self) -> Fault:
        """Deliver the callback twice."""
        return self._set("duplicate")

    def unsigned(self) -> Fault:
        """Deliver the callback without a signature."""
        return self._set("unsigned")

    def reorder(self) -> Fault:
        """Deliver the callback after the next one of the same conference.

        If no other callback follows within a second, it is delivered then.
        """
        return self._set("reorder")

    def _set(self, do: FaultVerb, **arguments: Any) -> Fault:
        return self._faults.add(Fault(do=do, **self._target, **arguments))


class _Chance:
    """Random numbers that depend on a seed only."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def draw(self) -> float:
        """Return a number from 0 to 1, without 1."""
        self._drawn += 1
        return int.from_bytes(blake2b(f"{self._seed}:{self._drawn}".encode(), digest_size=6).digest()) / 2**48

    def hits(self, rate: float | None) -> bool:
        return self.draw() < (rate or 0.0)

    def choice(self, options: tuple[Any, ...]) -> Any:
        return options[int(self.draw() * len(options))]
