"""Draw the lifecycle of a recording: ``{lifecycle-diagram}`` is a picture, ``{lifecycle-transitions}`` a table.

Both are made from the table in ``plivo_record_async.protocol.recording.lifecycle``. This module adds only the places
of the states and the arrows. The build fails if an arrow of the table has no place, or a place has no arrow.
"""

from __future__ import annotations

from collections import defaultdict
from html import escape
from textwrap import wrap
from typing import Final

import attrs
from docutils import nodes
from docutils.statemachine import StringList
from plivo_record_async.protocol.recording.lifecycle import TABLE
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_WIDTH, _HEIGHT = 104, 30
_LINE = 14

_PLACES: Final = {
    "planned": (100, 85),
    "not_sent": (380, 85),
    "sending": (100, 195),
    "rejected": (380, 195),
    "accepted": (100, 305),
    "unknown": (275, 305),
    "unconfirmed": (100, 395),
    "absent": (275, 395),
    "started": (130, 545),
    "failed": (380, 545),
    "recorded": (260, 660),
    "transcribed": (260, 760),
}
"""The middle of each state."""


@attrs.frozen
class Frame:
    """A rectangle around states that share an arrow.

    Attributes:
        states: The states in it.
        left: Its left edge.
        top: Its upper edge.
        right: Its right edge.
        bottom: Its lower edge.
    """

    states: frozenset[str]
    left: int
    top: int
    right: int
    bottom: int


_SENT = frozenset({"accepted", "unknown", "unconfirmed", "absent"})
_UNCONFIRMED = _SENT | {"planned", "not_sent", "sending", "rejected"}
_RUNNING = _UNCONFIRMED | {"started", "failed"}
_ENDED = _RUNNING | {"recorded"}

_FRAMES: Final = {
    "ended": Frame(_ENDED, 2, 4, 466, 700),
    "running": Frame(_RUNNING, 12, 14, 456, 585),
    "unconfirmed start": Frame(_UNCONFIRMED, 22, 24, 446, 450),
    "sent": Frame(_SENT, 32, 272, 344, 430),
}
"""The largest comes first: an arrow begins at the largest frame whose states all have it."""


@attrs.frozen
class Route:
    """Where an arrow runs, and where its text stands.

    Attributes:
        line: The beginning and the end: x, y, x, y.
        text: The place of the text: x, y. If None, the middle of the arrow.
        anchor: How the text stands to its place: ``start``, ``middle`` or ``end``.
        characters: The most characters in a line of the text.
    """

    line: tuple[int, int, int, int]
    text: tuple[int, int] | None = None
    anchor: str = "middle"
    characters: int = 30


_ROUTES: Final = {
    ("planned", "sending"): Route((100, 100, 100, 178)),
    ("planned", "not_sent"): Route((152, 85, 326, 85)),
    ("not_sent", "sending"): Route((390, 100, 154, 189), (302, 133)),
    ("sending", "not_sent"): Route((115, 180, 326, 94), (205, 144)),
    ("sending", "rejected"): Route((152, 198, 326, 198), (210, 198)),
    ("sending", "accepted"): Route((85, 210, 85, 288), (85, 245)),
    ("sending", "unknown"): Route((130, 210, 235, 289), (180, 247)),
    ("unknown", "rejected"): Route((305, 290, 362, 212), (345, 250)),
    ("unknown", "not_sent"): Route((270, 290, 352, 102), (287, 238)),
    ("unknown", "accepted"): Route((223, 305, 154, 305), (188, 297)),
    ("accepted", "unconfirmed"): Route((100, 320, 100, 378)),
    ("unknown", "absent"): Route((275, 320, 275, 378)),
    ("unconfirmed", "absent"): Route((152, 395, 221, 395), (187, 419)),
    ("sent", "started"): Route((95, 430, 95, 528), (89, 480), "end", 8),
    ("unconfirmed start", "started"): Route((160, 450, 160, 528), (166, 480), "start"),
    ("unconfirmed start", "failed"): Route((400, 450, 400, 528), (394, 475), "end"),
    ("started", "failed"): Route((182, 545, 326, 545), (232, 545)),
    ("sent", "recorded"): Route((280, 430, 280, 643), (286, 505), "start"),
    ("started", "recorded"): Route((140, 560, 220, 643), (172, 612), "end"),
    ("running", "recorded"): Route((302, 585, 302, 643), (309, 610), "start"),
    ("ended", "transcribed"): Route((260, 700, 260, 743), (267, 720), "start"),
}
"""From a state or a frame to a state."""

_HEAD: Final = (
    '<defs><marker id="lifecycle-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
)
"""The head of an arrow."""

Transition = tuple[str, frozenset[str], str]
"""Evidence, the states that it changes, and the new state."""


def transitions() -> list[Transition]:
    """Return what the table of the lifecycle says, without the evidence that leaves a state as it is."""
    found: list[Transition] = []
    for kind, row in TABLE.items():
        sources: defaultdict[str, set[str]] = defaultdict(set)
        for source, target in row.items():
            if target is not None and target != source:
                sources[target].add(source)
        found += [
            (kind.replace("_", " "), frozenset(states), target)
            for target, states in sources.items()
        ]
    return found


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return the arrows of the picture: from a state or a frame to a state, each with its evidence.

    Raises:
        ValueError: The picture has no place for one of them, or a place for one that the table does not have.
    """
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, states, target in transitions():
        rest = states
        for name, frame in _FRAMES.items():
            if frame.states <= rest:
                found[name, target].append(kind)
                rest -= frame.states
        for source in _PLACES:
            if source in rest:
                found[source, target].append(kind)
    if found.keys() != _ROUTES.keys():
        raise ValueError(
            f"the picture and the table of the lifecycle differ: {sorted(found.keys() ^ _ROUTES.keys())}"
        )
    return dict(found)


def diagram() -> str:
    """Return the picture as SVG. Its colours are in ``site.css``, for light and dark pages."""
    frames = [
        f'<rect class="frame" x="{frame.left}" y="{frame.top}" width="{frame.right - frame.left}" '
        f'height="{frame.bottom - frame.top}" rx="10"/>'
        for frame in _FRAMES.values()
    ]
    described = "".join(
        f"{' or '.join(kinds)}: from {_names(source)} to {target}. "
        for (source, target), kinds in arrows().items()
    )
    return "\n".join([
        '<svg class="lifecycle" role="img" aria-labelledby="lifecycle-title lifecycle-text" viewBox="0 0 468 785">',
        '<title id="lifecycle-title">The lifecycle of a recording</title>',
        f'<desc id="lifecycle-text">{escape(described.strip())}</desc>',
        _HEAD,
        *frames,
        '<circle cx="100" cy="42" r="5"/><line x1="100" y1="42" x2="100" y2="68" marker-end="url(#lifecycle-head)"/>',
        *[_arrow(source, target, kinds) for (source, target), kinds in arrows().items()],
        *[_state(name, x, y) for name, (x, y) in _PLACES.items()],
        "</svg>",
    ])  # fmt: skip


def _names(source: str) -> str:
    return ", ".join(sorted(_FRAMES[source].states)) if source in _FRAMES else source


def _state(name: str, x: int, y: int) -> str:
    box = f'<rect x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
    return f'<g class="state" data-state="{name}">{box}<text x="{x}" y="{y + 4}">{name}</text></g>'


def _arrow(source: str, target: str, kinds: list[str]) -> str:
    route = _ROUTES[source, target]
    x1, y1, x2, y2 = route.line
    x, y = route.text or ((x1 + x2) // 2, (y1 + y2) // 2)
    evidence = ", ".join(kinds)
    lines = [line for kind in kinds for line in wrap(kind, route.characters)]
    first = y + 4 - _LINE * (len(lines) - 1) // 2
    text = "".join(
        f'<text x="{x}" y="{first + _LINE * number}" text-anchor="{route.anchor}">{line}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g class="arrow" data-from="{_names(source)}" data-to="{target}" data-evidence="{evidence}">'
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#lifecycle-head)"/>{text}</g>'
    )


class LifecycleDiagram(SphinxDirective):
    """Insert the picture."""

    def run(self) -> list[nodes.Node]:
        """Return the picture for HTML. Other formats have the table."""
        self.env.note_dependency(__file__)
        return [nodes.raw("", diagram(), format="html")]


class LifecycleTransitions(SphinxDirective):
    """Insert the table."""

    def run(self) -> list[nodes.Node]:
        """Return the table: the evidence, the states that it changes, and the new state."""
        rows = [
            f"| {kind} | {', '.join(f'`{name}`' for name in _PLACES if name in states)} | `{target}` |"
            for kind, states, target in transitions()
        ]
        lines = [
            "| Evidence | State before | State after |",
            "| --- | --- | --- |",
            *rows,
        ]
        table = nodes.container()
        self.state.nested_parse(
            StringList(lines, source=__file__), self.content_offset, table
        )
        return list(table.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the two directives."""
    app.add_directive("lifecycle-diagram", LifecycleDiagram)
    app.add_directive("lifecycle-transitions", LifecycleTransitions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
