"""What was measured, and what it was measured with."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from statistics import median
from typing import NamedTuple

from plivo_record_async.telemetry.loading import telemetry


class Slice(NamedTuple):
    """Some calls of one peer, with CPU and wall-clock seconds."""

    calls: int
    cpu: float
    wall: float

    def cpu_us(self) -> float:
        """CPU microseconds per call."""
        return 1e6 * self.cpu / self.calls

    def calls_per_s(self) -> float:
        """Calls per second of the clock on the wall."""
        return self.calls / self.wall


class Fault(NamedTuple):
    """What became of one start that went wrong."""

    executions: int
    told: str


Speeds = Mapping[tuple[str, int], Sequence[Slice]]
"""By peer and concurrency, round after round."""


class Results(NamedTuple):
    """Everything that one run found.

    Attributes:
        speeds: What calls cost.
        imports: CPU milliseconds of an import, round after round, by what is imported.
        extras: Optional parts that ``import plivo_record_async`` imports and its requirements do not. There should be
            none.
        memory: Peak megabytes of a batch, by how it was measured and the number of calls.
        faults: By peer and fault.
        server_us: CPU microseconds the server took for a request.
    """

    speeds: Speeds
    imports: Mapping[str, Sequence[float]]
    extras: tuple[str, ...]
    memory: Mapping[tuple[str, int], float]
    faults: Mapping[tuple[str, str], Fault]
    server_us: float

    def speed(self, peer: str, concurrency: int, figure: Callable[[Slice], float]) -> float:
        """The median of a figure."""
        return median(map(figure, self.speeds[peer, concurrency]))


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of what the rounds found; within a round, both met the same machine."""
    return median(one / other for one, other in zip(ours, theirs, strict=False))


PACKAGES = (
    *("plivo-record-async", "httpx", "httpcore", "pyreqwest", "uvloop"),
    *("plivo", "requests", "twilio", "telnyx", "aiohttp"),
)


def versions() -> str:
    """Of everything that takes part, in one line."""
    here = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}, {os.cpu_count()} CPUs"
    )
    return ", ".join([here, *(f"{name} {version(name)}" for name in (*PACKAGES, *telemetry_packages()))])


def telemetry_packages() -> list[str]:
    """Return the package of OpenTelemetry if it is installed, because each call and each callback costs more then."""
    return ["opentelemetry-api"] if telemetry().is_recording else []
