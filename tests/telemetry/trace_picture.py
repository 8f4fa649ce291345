"""Draw the traces of one recording for the documentation: ``python -m tests.telemetry.trace_picture``.

The spans are those that the SDK of OpenTelemetry exports while an emulator calls a tracker.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from plivo_record_async import RecordClient, RecordingEnded, RecordingTracker, TrackedRecording
from plivo_record_async.emulator import Emulator
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.telemetry import recorded_telemetry, span_id

__all__ = ["PICTURE", "draw", "record"]

PICTURE = Path(__file__).parents[2] / "docs" / "_static" / "trace.svg"

WIDTH, ROW, NAMES, BARS, NOTES = 1040, 30, 16, 300, 560
SHOWN = (
    "plivo.outcome",
    "http.response.status_code",
    "plivo.event",
    "plivo.callback.result",
    "code.function.name",
)
"""The attributes that the picture shows."""


async def archive(_: RecordingEnded, recording: TrackedRecording) -> None:
    """Download the file, as a handler of a program may do."""
    with tempfile.TemporaryDirectory() as directory:
        await recording.download(directory)


async def tell_story() -> None:
    """Record a conference, from its start to the handler of its end."""
    with free_listener() as listener:
        async with (
            Emulator() as plivo,
            RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        ):
            tracker = RecordingTracker(client, public_url=f"{url_of(listener)}/plivo")
            tracker.on(RecordingEnded)(archive)
            async with serving(tracker, listener=listener):
                await tracker.start("standup")
                await plivo.callbacks_settled()
                await plivo.end_conference("standup")
                await plivo.callbacks_settled()
                await tracker.aclose()


def record() -> list[ReadableSpan]:
    """Return the spans of the story, in the order in which they began."""
    recording = recorded_telemetry()
    recorded = next(recording)
    asyncio.run(tell_story())
    spans = sorted(recorded.spans(), key=lambda span: span.start_time or 0)
    assert next(recording, None) is None
    return spans


def draw(spans: Sequence[ReadableSpan]) -> str:
    """Return a picture of the spans: one block for each trace, and a dashed line for each link."""
    lines: list[str] = []
    places: dict[int, int] = {}
    top = 44
    for trace in traces_of(spans):
        began = min(span.start_time or 0 for span in trace)
        total = max(span.end_time or 0 for span in trace) - began
        height = 30 + ROW * len(trace)
        lines.append(f'<rect class="trace" x="8" y="{top}" width="{WIDTH - 16}" height="{height}" rx="6"/>')
        lines.append(f'<text class="dim" x="{NAMES}" y="{top + 20}">{heading_of(trace[0])}</text>')
        for number, span in enumerate(trace):
            y = top + 46 + ROW * number
            places[span_id(span)] = y - 5
            lines += row_of(span, y, began, total)
        top += height + 16
    lines += [line for span in spans for line in links_of(span, places)]
    style = (
        "text{font:13px sans-serif;fill:#222}.dim{fill:#666}.trace{fill:#fff;stroke:#ccc}.bar{fill:#3b6fb6}"
        ".link{fill:none;stroke:#b3541e;stroke-width:1.5;stroke-dasharray:5 4}"
    )
    title = '<text x="16" y="28" font-weight="bold">One recording: the start, its callbacks and the handler</text>'
    legend = (
        f'<path class="link" d="M{NOTES} 24 H{NOTES + 40}"/><text class="dim" x="{NOTES + 48}" y="28">span link</text>'
    )
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}">',
        f'<style>{style}</style><rect width="{WIDTH}" height="{top}" fill="#f7f7f7"/>',
        title,
        legend,
        *lines,
        "</svg>\n",
    ])  # fmt: skip


def traces_of(spans: Sequence[ReadableSpan]) -> list[list[ReadableSpan]]:
    """Return the spans of each trace, in the order in which they began."""
    traces: dict[int, list[ReadableSpan]] = {}
    for span in spans:
        context: Any = span.context
        traces.setdefault(context.trace_id, []).append(span)
    return list(traces.values())


def heading_of(root: ReadableSpan) -> str:
    return "Trace of a callback, in any process" if root.links else "Trace of the start"


def row_of(span: ReadableSpan, y: int, began: int, total: int) -> Iterator[str]:
    """Yield the name, the bar and the attributes of a span."""
    start, end = span.start_time or 0, span.end_time or 0
    room = NOTES - BARS - 90
    left, width = BARS + room * (start - began) / total, max(3.0, room * (end - start) / total)
    indent = NAMES + (22 if span.parent else 4)
    yield f'<text x="{indent}" y="{y}">{escape(span.name)}</text>'
    yield f'<rect class="bar" x="{left:.0f}" y="{y - 11}" width="{width:.0f}" height="13" rx="2"/>'
    yield f'<text class="dim" x="{left + width + 6:.0f}" y="{y}">{(end - start) / 1e6:.1f} ms</text>'
    attributes = dict(span.attributes or {})
    notes = [f"{name} = {str(attributes[name]).rpartition('.')[2]}" for name in SHOWN if name in attributes]
    yield f'<text class="dim" x="{NOTES}" y="{y}">{escape(", ".join(notes))}</text>'


def links_of(span: ReadableSpan, places: dict[int, int]) -> Iterator[str]:
    """Yield the line from a callback to the start to which it is linked."""
    if span.parent is None:
        for link in span.links:
            y, target = places[span_id(span)], places[link.context.span_id]
            x = BARS - 62 + 14 * list(places).index(span_id(span))
            yield f'<path class="link" d="M{x - 12} {y} H{x} V{target} H{x - 12}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(record()))
