"""Runs the attacks, one after another, each against a receiver of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple

from bench.followed.measure import told
from bench.hostile.load import GENUINE_A_SECOND
from bench.hostile.requests import KINDS
from bench.processes import output, say

SERVERS = ("h11", "httptools")
QUIET = "nothing"
WARM_UP_S = 2


class Attack(NamedTuple):
    """What one kind of requests did.

    Attributes:
        server: uvicorn's HTTP implementation.
        kind: What was sent besides the genuine callbacks.
        latencies: Seconds from when each genuine callback was due to its answer.
        statuses: How the genuine callbacks were answered.
        hostile: How the others were.
        memory: Bytes by which the receiver's resident memory grew, at most.
        cpu: CPU seconds that the receiver spent.
        orphans: How many orphans the attack left.
        seconds: How long it took.
        floor: CPU seconds that an application which only refuses needed for the same.
    """

    server: str
    kind: str
    latencies: Sequence[float]
    statuses: Mapping[str, int]
    hostile: Mapping[str, int]
    memory: int
    cpu: float
    orphans: int
    seconds: float
    floor: float

    def percentile_ms(self, percent: int) -> float:
        return 1e3 * quantiles(self.latencies, n=100)[percent - 1]


def measure(seconds: float) -> list[Attack]:
    return [attack(server, kind, seconds) for server in SERVERS for kind in (-1, *range(len(KINDS)))]


def attack(server: str, kind: int, seconds: float) -> Attack:
    name = QUIET if kind < 0 else KINDS[kind].name
    say(f"{server}: {name}")
    warm = GENUINE_A_SECOND * WARM_UP_S
    with told("bench.hostile.receiver", server, warm + round(GENUINE_A_SECOND * seconds)) as url:
        output([*LOAD, url, "-1", str(WARM_UP_S), "0"])
        found = output([*LOAD, url, str(kind), str(seconds), str(warm)])
    with told("bench.hostile.receiver", server, 0) as url:
        floor = output([*LOAD, url, str(kind), str(seconds), "0"])["cpu"]
    return Attack(server=server, kind=name, seconds=seconds, floor=floor, **found)


LOAD = (sys.executable, "-m", "bench.hostile.load")
