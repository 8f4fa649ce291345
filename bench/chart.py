"""The chart: what a call costs each peer, a dot for each concurrency, as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from bench.peers import PEERS
from bench.results import Results, Slice

COLOURS = {1: "#a6cee3", 50: "#5b9bd0", 300: "#1f5fa8", 1000: "#08224f"}
WIDTH, LEFT, RIGHT = 900, 350, 30
TOP, ROW, BOTTOM = 74, 34, 40
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Milliseconds."""


def chart(results: Results) -> str:
    """A row for each peer, cheapest at 50 first; the scale is logarithmic."""
    peers = sorted(PEERS, key=lambda peer: results.speed(peer, 50, Slice.cpu_us))
    height = TOP + ROW * len(peers) + BOTTOM
    shown = [results.speed(peer, concurrency, Slice.cpu_us) / 1000 for peer, concurrency in results.speeds]
    scale = Scale(min(shown), max(shown))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        'font-family="sans-serif" font-size="14">',
        "<title>CPU milliseconds per call</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        '<text x="16" y="28" font-size="16" font-weight="bold" fill="#222222">CPU per call, in milliseconds</text>',
        *legend(),
        *axis(scale, height),
    ]
    for number, peer in enumerate(peers):
        lines += row(results, scale, peer, TOP + ROW * number + ROW / 2)
    return "\n".join([*lines, "</svg>", ""])


class Scale:
    """From milliseconds to where they stand."""

    def __init__(self, least: float, most: float) -> None:
        self.ticks = [
            tick for tick, after in zip(TICKS, (*TICKS[1:], math.inf), strict=True) if after > least and tick / 2 < most
        ]
        self._from, self._to = math.log(min(least, self.ticks[0])), math.log(max(most, self.ticks[-1]))

    def __call__(self, milliseconds: float) -> float:
        share = (math.log(milliseconds) - self._from) / (self._to - self._from)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def legend() -> Iterator[str]:
    yield f'<text x="{LEFT}" y="54" fill="#555555">calls at once:</text>'
    for number, (concurrency, colour) in enumerate(COLOURS.items()):
        x = LEFT + 110 + 80 * number
        yield f'<circle cx="{x}" cy="49" r="6" fill="{colour}"/>'
        yield f'<text x="{x + 12}" y="54" fill="#555555">{concurrency}</text>'


def axis(scale: Scale, height: float) -> Iterator[str]:
    for tick in scale.ticks:
        x = scale(tick)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - BOTTOM}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="{height - BOTTOM + 20}" text-anchor="middle" fill="#555555">{tick:g}</text>'


def row(results: Results, scale: Scale, peer: str, y: float) -> Iterator[str]:
    weight = "bold" if PEERS[peer].place.startswith("ours") else "normal"
    label = escape(PEERS[peer].label)
    yield (
        f'<text x="{LEFT - 16}" y="{y + 5}" text-anchor="end" font-size="13" font-weight="{weight}" fill="#222222">'
        f"{label}</text>"
    )
    dots = [
        (scale(results.speed(peer, concurrency, Slice.cpu_us) / 1000), colour)
        for concurrency, colour in COLOURS.items()
        if (peer, concurrency) in results.speeds
    ]
    spots = [x for x, _ in dots]
    yield f'<line x1="{min(spots):.1f}" y1="{y}" x2="{max(spots):.1f}" y2="{y}" stroke="#bbbbbb" stroke-width="2"/>'
    for x, colour in dots:
        yield f'<circle cx="{x:.1f}" cy="{y}" r="6" fill="{colour}" stroke="#ffffff"/>'
