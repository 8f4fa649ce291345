"""The events of the model of a shared quota, as data: a walk is a list of events, made at random or by hypothesis."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from hypothesis import strategies as st

from tests.support.shared_quota_model import LONGEST_TRANSIT, Machine, Process, World

__all__ = ["WALKS", "Event", "play", "random_walk"]

Event = tuple[str, int, int]
"""The name of the event, the process that it happens to, and its variant. The numbers are used modulo what is there."""

_DURATIONS = [0.01, 0.5, 1.0, 1.9, 4.0, 5.0, 8.0, 12.0]
_TRANSITS = [0.0, 0.1, LONGEST_TRANSIT]
_RATES = [0.9999, 1.0, 1.0001]
_STEPS = [-3600.0, -10.0, 10.0, 3600.0]
_MOST_PROCESSES = 3
_WEIGHTS = [0, 0, 0, 1, 3]
_ALWAYS = {"pass_time", "renew", "take_and_send_all", "finish_all"}


def play(world: World, walk: Iterable[Event]) -> None:
    """Let events happen in a world.

    Raises:
        QuotaExceededError: A window contained more requests than allowed.
    """
    for name, who, variant in walk:
        _EVENTS[name](world, who, variant)


def random_walk(seed: int, length: int) -> Iterator[Event]:
    """Yield events at random. Each walk prefers some events and leaves others out, so that different mistakes show.

    https://users.cs.utah.edu/~regehr/papers/swarm12.pdf
    """
    chance = random.Random(seed)
    names = list(_EVENTS)
    weights = [chance.choice(_WEIGHTS) + (name in _ALWAYS) for name in names]
    variants = chance.sample(range(24), chance.choice([3, 6, 12, 24]))
    yield from [("join", 0, chance.randrange(24))] * 2
    for name in chance.choices(names, weights, k=length):
        yield name, chance.randrange(12), chance.choice(variants)


def _pass_time(world: World, _: int, variant: int) -> None:
    world.now += _DURATIONS[variant % len(_DURATIONS)]


def _join(world: World, _: int, variant: int) -> None:
    if len(world.processes) < _MOST_PROCESSES:
        machine = Machine(rate=_RATES[variant % len(_RATES)], offset=1000.0 * variant)
        world.join(machine, limit=max(1, world.limit - variant % 2))


def _suspend(world: World, who: int, _: int) -> None:
    for process in _one_of(world, who):
        process.suspended = True


def _resume(world: World, who: int, _: int) -> None:
    for process in _one_of(world, who, suspended=True):
        process.suspended = False


def _kill(world: World, who: int, _: int) -> None:
    for process in _one_of(world, who):
        world.kill(process)


def _release(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who, pending=False):
        world.release(process, committed=variant % 2 == 0)


def _renew(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who, pending=False):
        process.waiting = variant % 4
        world.renew(process)


def _renew_all(world: World, who: int, variant: int) -> None:
    """Let all processes but one renew, also while time passes, so that the lease of the one may end."""
    spared = _one_of(world, who)
    for _ in range(1 + variant % 14):
        for process in world.processes:
            if process.pending is None and not process.suspended and process not in spared:
                process.waiting = variant % 4
                world.renew(process)
        world.now += 1.0


def _lose_renewal(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who, pending=False):
        world.begin_renewal(process)
        if variant % 2:
            world.commit(process)
        world.lose(process)


def _begin_renewal(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who, pending=False):
        process.waiting = variant % 4
        world.begin_renewal(process)


def _commit_or_answer(world: World, who: int, _: int) -> None:
    for process in _one_of(world, who, pending=True):
        if process.pending is not None and process.pending.share is None:
            world.commit(process)
        else:
            world.answer(process)


def _take(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who):
        for _ in range(1 + variant % 3):
            world.take(process)


def _send_all(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who):
        for attempt in [each for each in process.attempts if each.arrives is None]:
            world.send(process, attempt, transit=_TRANSITS[variant % len(_TRANSITS)])


def _take_and_send_all(world: World, who: int, variant: int) -> None:
    for process in _one_of(world, who):
        while (attempt := world.take(process)) and world.send(
            process, attempt, transit=_TRANSITS[variant % len(_TRANSITS)]
        ):
            pass


def _finish_all(world: World, who: int, _: int) -> None:
    for process in _one_of(world, who):
        for attempt in [each for each in process.attempts if each.arrives is not None and each.arrives <= world.now]:
            world.finish(process, attempt)


def _set_wall_clock(world: World, who: int, variant: int) -> None:
    """Set a wall clock. Nothing can show a pause of a virtual machine if its wall clock is set back in the meantime."""
    for process in _one_of(world, who):
        if process.machine.stopped == 0:
            process.machine.wall_error += _STEPS[variant % len(_STEPS)]


def _pause_virtual_machine(world: World, who: int, variant: int) -> None:
    """Pause a machine: its steady clock stands still, and its wall clock is right afterwards."""
    for process in _one_of(world, who):
        if process.machine.wall_error == 0:
            seconds = _DURATIONS[variant % len(_DURATIONS)]
            world.now += seconds
            process.machine.stopped += seconds


_EVENTS: dict[str, Callable[[World, int, int], None]] = {
    "pass_time": _pass_time,
    "join": _join,
    "kill": _kill,
    "release": _release,
    "renew": _renew,
    "renew_all": _renew_all,
    "lose_renewal": _lose_renewal,
    "begin_renewal": _begin_renewal,
    "commit_or_answer": _commit_or_answer,
    "take": _take,
    "send_all": _send_all,
    "take_and_send_all": _take_and_send_all,
    "finish_all": _finish_all,
    "suspend": _suspend,
    "resume": _resume,
    "set_wall_clock": _set_wall_clock,
    "pause_virtual_machine": _pause_virtual_machine,
}

WALKS = st.lists(st.tuples(st.sampled_from(list(_EVENTS)), st.integers(0, 11), st.integers(0, 23)), max_size=80)
"""Walks that hypothesis makes, and makes shorter if one of them fails."""


def _one_of(world: World, who: int, *, pending: bool | None = None, suspended: bool = False) -> list[Process]:
    """Return one of the processes that an event can happen to, or none."""
    fitting = [
        each
        for each in world.processes
        if each.suspended == suspended and (pending is None or (each.pending is not None) == pending)
    ]
    return [fitting[who % len(fitting)]] if fitting else []
