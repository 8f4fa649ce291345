"""``python -m bench.telemetry`` measures what telemetry costs, and writes the table into the documentation.

``--quick`` measures in fewer rounds, and only prints. Each kind of telemetry runs in a process of its own, and the
processes take turns.
"""
# ruff: noqa: PLC0415 - each process imports only its own kind of telemetry

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.processes import Server, Turns, running_server, say

PAGE = Path(__file__).parents[1] / "docs/explanation/benchmarks-telemetry.md"
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end of measured -->)", re.DOTALL)

KINDS = {
    "without": "without the extra `otel`",
    "api": "with the extra, without an SDK",
    "sdk": "with the SDK and exporters that do nothing",
}
CLIENTS = {"ours": "the default client", "fast": "`fast_transport()`"}
CONCURRENCY = 50
LIMIT = 1.15
"""The most CPU time of a call with the SDK, compared with the same call without the extra."""

HOOKS = 20_000
"""How often the calls of one start to telemetry are repeated, to measure what they cost without the extra."""


def set_up(kind: str) -> None:
    """Prepare the process for one kind of telemetry, before the package is imported."""
    if kind == "without":
        sys.modules["opentelemetry"] = None  # type: ignore[assignment]
    if kind == "sdk":
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

        class NoExporter(SpanExporter):
            def export(self, _: object) -> SpanExportResult:
                return SpanExportResult.SUCCESS

        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(NoExporter(), max_queue_size=2**16))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))


def hooks() -> float:
    """CPU microseconds of everything that one start passes to telemetry, without the extra."""
    set_up("without")
    from plivo_record_async.protocol.api.endpoints import start_recording
    from plivo_record_async.protocol.api.response import Response
    from plivo_record_async.protocol.models import StartRequest
    from plivo_record_async.telemetry.loading import telemetry
    from plivo_record_async.telemetry.names import Attribute
    from plivo_record_async.transport.attempt_spans import AttemptSpans

    request, response = start_recording(StartRequest("standup")), Response(status=202)
    spans = AttemptSpans("https://api.plivo.com/v1/Account/MA")
    began = time.process_time()
    for _ in range(HOOKS):
        with telemetry().span("plivo.recording.start", {Attribute.CONFERENCE_NAME: "standup"}) as span:
            telemetry().measure("plivo.quota.wait.duration", 0.0, {})
            with spans.begin(request, 1) as attempt:
                pass
            spans.end(attempt, response)
            about = {Attribute.OPERATION: "x", Attribute.OUTCOME: "x", Attribute.ERROR_TYPE: None}
            telemetry().measure("plivo.client.operation.duration", 0.0, about)
            telemetry().count("plivo.client.outcomes", about)
            span.set({Attribute.ATTEMPTS: 1})
            span.set({Attribute.OUTCOME: "x", Attribute.API_ID: "x"})
    return 1e6 * (time.process_time() - began) / HOOKS


@contextmanager
def running(kind: str, peer: str, server: Server, seconds: float) -> Iterator[Turns]:
    command = [sys.executable, "-m", "bench.telemetry", "child", kind, peer, server.url, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Turns(process)


def measure(rounds: int, seconds: float) -> dict[tuple[str, str], list[float]]:
    """CPU microseconds of a call in each round, for each client and kind of telemetry."""
    found: dict[tuple[str, str], list[float]] = {(peer, kind): [] for peer in CLIENTS for kind in KINDS}
    with running_server() as server, ExitStack() as stack:
        children = {(peer, kind): stack.enter_context(running(kind, peer, server, seconds)) for peer, kind in found}
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for member, values in found.items():
                values.append(cpu_us(children[member].take()))
    return found


def cpu_us(taken: dict[str, Any]) -> float:
    return 1e6 * float(taken["cpu"]) / float(taken["calls"])


def report(found: dict[tuple[str, str], list[float]], each: float) -> str:
    lines = ["", "| client | telemetry | CPU time per call | ratio | bar |", "| --- | --- | --- | --- | --- |"]
    for (peer, kind), values in found.items():
        ratios = [mine / base for mine, base in zip(values, found[peer, "without"], strict=True)]
        bar = f"at most {LIMIT}" if kind == "sdk" else ""
        ratio = "" if kind == "without" else f"{median(ratios):.2f}"
        lines.append(f"| {CLIENTS[peer]} | {KINDS[kind]} | {median(values):.0f} µs | {ratio} | {bar} |")
    share = each / median(found["ours", "without"])
    lines += [
        "",
        f"Without the extra, everything that a start passes to telemetry takes {each:.1f} µs, {share:.1%} of a call.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.telemetry", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little and only print")
    quick: bool = parser.parse_args().quick
    each = json.loads(subprocess.check_output([sys.executable, "-m", "bench.telemetry", "hooks"]))
    text = report(measure(*((3, 0.2) if quick else (15, 0.4))), each)
    print(text)
    if not quick:
        PAGE.write_text(MEASURED.sub(lambda _: f"{text}\n\n", PAGE.read_text()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["child", kind, peer, url, seconds]:
            set_up(kind)
            from bench.child import run, speed

            run(speed(peer, url, CONCURRENCY, float(seconds)))
        case ["hooks"]:
            print(hooks())
        case _:
            main()
