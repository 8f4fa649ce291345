"""What a call costs: all peers are there at once and take turns, so whatever else the machine does meets them all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from bench.peers import PEERS
from bench.processes import Server, running_peer, say
from bench.results import Slice, Speeds

SLOW = ((5.0, 1), (1.0, 3))
"""CPU seconds of a slice, and the rounds after which who takes as long is left out."""


class Group(NamedTuple):
    """Who takes turns, each with its concurrency; only figures of one group are compared."""

    members: Sequence[tuple[str, int]]
    rounds: int


def at(concurrency: int, rounds: int, *others: tuple[str, int]) -> Group:
    return Group([*((peer, concurrency) for peer in PEERS), *others], rounds)


FULL = (at(1, 3), at(50, 11), at(300, 11), at(1000, 3, ("ours", 10), ("fast", 10)))
QUICK = (at(50, 3),)


def measure_speeds(server: Server, groups: Sequence[Group], seconds: float) -> Speeds:
    return {member: slices for group in groups for member, slices in measure_group(server, group, seconds).items()}


def measure_group(server: Server, group: Group, seconds: float) -> Speeds:
    found: dict[tuple[str, int], list[Slice]] = {member: [] for member in group.members}
    with ExitStack() as stack:
        peers = {
            member: stack.enter_context(running_peer(member[0], server, member[1], seconds)) for member in group.members
        }
        for number in range(group.rounds):
            say(f"round {number + 1} of {group.rounds}, {group.members[0][1]} calls at once")
            for member, slices in found.items():
                if not has_enough(slices):
                    slices.append(Slice(**peers[member].take()))
    return found


def has_enough(slices: Sequence[Slice]) -> bool:
    return any(len(slices) >= rounds and slices[-1].cpu > seconds for seconds, rounds in SLOW)
