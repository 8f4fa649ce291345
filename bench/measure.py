"""Runs all measurements, each in a process of its own."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench import speeds
from bench.peers import SDKS
from bench.processes import Server, child, output, running_server, say
from bench.results import Fault, Results

FAULTS = ("503", "stall", "reset")

IMPORTS = {
    "plivo_record_async": "plivo_record_async",
    "httpx, cattrs": "httpx, cattrs",
    "plivo": "plivo",
    "twilio": "twilio.rest, twilio.http.async_http_client",
    "telnyx": "telnyx",
}
IMPORT = """
import sys, time
began = time.process_time()
import {}
took = time.process_time() - began
import json
print(json.dumps({{"cpu": took, "modules": list(sys.modules)}}))
"""
OPTIONAL = (
    *(
        "plivo_record_async.emulator",
        "plivo_record_async.cli",
        "plivo_record_async.testing.plugin",
        "plivo_record_async.transport.connectors.pyreqwest_adapter",
    ),
    *("pyreqwest", "starlette", "uvicorn", "click", "rich", "sqlite3", "pytest"),
)


class Plan(NamedTuple):
    """How much to measure.

    Attributes:
        groups: Who is compared with whom.
        seconds: CPU seconds of one slice.
        imports: How often each import is measured.
        batches: The calls of a small and of a big batch.
    """

    groups: Sequence[speeds.Group]
    seconds: float
    imports: int
    batches: tuple[int, int]


FULL = Plan(groups=speeds.FULL, seconds=0.4, imports=7, batches=(1_000, 100_000))
QUICK = Plan(groups=speeds.QUICK, seconds=0.1, imports=1, batches=(500, 5_000))


def measure(plan: Plan) -> Results:
    with running_server() as server:
        found = speeds.measure_speeds(server, plan.groups, plan.seconds)
        state = server.state()
        imports, extras = measure_imports(plan.imports)
        return Results(
            speeds=found,
            imports=imports,
            extras=extras,
            memory=measure_memory(server, plan.batches),
            faults=measure_faults(server),
            server_us=1e6 * state["cpu"] / state["answers"],
        )


def measure_imports(repeats: int) -> tuple[dict[str, list[float]], tuple[str, ...]]:
    """CPU milliseconds of each import, and the optional parts that ours imports and its requirements do not.

    httpx imports click and rich if they are installed.
    """
    compile_dir(Path(__file__).parents[1] / "plivo_record_async", quiet=1)  # as an installer has done with the others
    found: defaultdict[str, list[float]] = defaultdict(list)
    modules: defaultdict[str, set[str]] = defaultdict(set)
    for number in range(repeats):
        say(f"round {number + 1} of {repeats}: imports")
        for name, imported in IMPORTS.items():
            run = output([sys.executable, "-c", IMPORT.format(imported)])
            found[name].append(1e3 * run["cpu"])
            modules[name] |= {*run["modules"]}
    ours = modules["plivo_record_async"] - modules["httpx, cattrs"]
    return found, tuple(sorted({*OPTIONAL} & ours))


def measure_memory(server: Server, batches: Sequence[int]) -> dict[tuple[str, int], float]:
    keys = [(kept, calls) for calls in batches for kept in ("process", "traced")]
    say(f"memory of batches of {' and '.join(f'{calls:,}' for calls in batches)}")
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda key: child("memory", server.url, key[1], key[0]), keys)
        return {key: run["megabytes"] for key, run in zip(keys, found, strict=True)}


def measure_faults(server: Server) -> dict[tuple[str, str], Fault]:
    """One start of each SDK that meets each fault."""
    keys = [(peer, fault) for peer in SDKS for fault in FAULTS]
    names = [f"fault-{fault}-{peer}" for peer, fault in keys]
    say("starts that go wrong")
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda key, name: child("fault", key[0], server.url, name), keys, names))
    executions = server.state()["executions"]
    return {
        key: Fault(executions=executions[name], told=run["told"])
        for key, name, run in zip(keys, names, found, strict=True)
    }
