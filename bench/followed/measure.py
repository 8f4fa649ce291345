"""Runs the measurements, in turns, and takes the medians."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from typing import NamedTuple

from bench.processes import Turns, output, pipe, say
from bench.results import Slice

RECEIVERS = ("body", "memory", "sqlite", "postgres")
STARTERS = ("plain", "memory", "sqlite")
PACED = ("body", "sqlite", "postgres")
"""What the route takes is what this machine takes, whatever is done with a callback."""

RATE = 500
"""Callbacks a second, where they come at an even pace."""


class Plan(NamedTuple):
    """How much to measure.

    Attributes:
        rounds: How often everybody has a turn.
        starts: Starts of which two callbacks each come in a turn.
        paced: The same where callbacks come at an even pace.
        turns: The rounds of starting. Many short turns find the same ratio again and again where few long ones, with
            two threads each on a machine that is shared, do not.
        seconds: CPU seconds that a turn of starting takes, about.
        calls: Callbacks that are verified in a round.
    """

    rounds: int
    starts: int
    paced: int
    turns: int
    seconds: float
    calls: int


FULL = Plan(rounds=11, starts=500, paced=750, turns=41, seconds=0.08, calls=2000)
QUICK = Plan(rounds=3, starts=100, paced=250, turns=5, seconds=0.08, calls=200)


class Results(NamedTuple):
    """Everything that one run found, round after round.

    Attributes:
        callbacks: What callbacks cost each receiver.
        latencies: Seconds from when a callback was due to its answer, of each callback, by receiver.
        starts: What starts cost, with and without a tracker.
        verifications: CPU microseconds of one callback, by who verifies it.
    """

    callbacks: Mapping[str, Sequence[Slice]]
    latencies: Mapping[str, Sequence[Sequence[float]]]
    starts: Mapping[str, Sequence[Slice]]
    verifications: Mapping[str, Sequence[float]]

    def callback(self, receiver: str, figure: Callable[[Slice], float]) -> float:
        return median(map(figure, self.callbacks[receiver]))

    def start(self, starter: str, figure: Callable[[Slice], float]) -> float:
        return median(map(figure, self.starts[starter]))

    def latency_ms(self, receiver: str, percent: int) -> float:
        """The median over the rounds of a percentile."""
        return median(1e3 * quantiles(latencies, n=100)[percent - 1] for latencies in self.latencies[receiver])


def measure(plan: Plan) -> Results:
    return Results(
        callbacks=measure_callbacks(plan),
        latencies=measure_latencies(plan),
        starts=measure_starts(plan),
        verifications=measure_verification(plan),
    )


def measure_callbacks(plan: Plan) -> dict[str, list[Slice]]:
    say("callbacks, as fast as they go")
    with ExitStack() as stack:
        known = plan.starts * (plan.rounds + 1)
        urls = [stack.enter_context(told("bench.followed.receiver", kind, known, "one")) for kind in RECEIVERS]
        found = output(command("bench.followed.load", "flat-out", plan.rounds, plan.starts, *urls))
    return {kind: [Slice(**turn) for turn in turns] for kind, turns in zip(RECEIVERS, found, strict=True)}


def measure_latencies(plan: Plan) -> dict[str, list[list[float]]]:
    say(f"callbacks, {RATE} a second")
    with ExitStack() as stack:
        known = plan.paced * (plan.rounds + 1)
        urls = [stack.enter_context(told("bench.followed.receiver", kind, known, "any")) for kind in PACED]
        found = output(command("bench.followed.load", "paced", plan.rounds, plan.paced, RATE, *urls))
    return dict(zip(PACED, found, strict=True))


def measure_starts(plan: Plan) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {kind: [] for kind in STARTERS}
    with ExitStack() as stack:
        url = stack.enter_context(told("bench.followed.spawning"))
        starters = {kind: stack.enter_context(starter(kind, url, plan.seconds)) for kind in STARTERS}
        for number in range(plan.turns):
            say(f"starts, round {number + 1} of {plan.turns}")
            for kind, turns in starters.items():
                found[kind].append(Slice(**turns.take()))
    return found


def measure_verification(plan: Plan) -> Mapping[str, Sequence[float]]:
    say("verification")
    found: Mapping[str, Sequence[float]] = output(command("bench.followed.verification", plan.rounds, plan.calls))
    return found


@contextmanager
def told(module: str, *arguments: object) -> Iterator[str]:
    """The URL that a server prints once it can be called."""
    with subprocess.Popen(command(module, *arguments), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield pipe(process.stdout).readline().strip()
        finally:
            process.terminate()


@contextmanager
def starter(kind: str, url: str, seconds: float) -> Iterator[Turns]:
    process = subprocess.Popen(
        command("bench.followed.starts", kind, url, seconds), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield Turns(process)


def command(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]
