"""The table of the lifecycle, drawn: the documentation's diagram and its table of transitions come from here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.evidence import Kind
from plivo_record_async.protocol.recording.lifecycle import TABLE

__all__ = ["mermaid", "transitions"]

_MANY: Final = 5
"""From so many states on, arrows to the same state are drawn as one."""

_ANY: Final = "any_earlier"


def mermaid() -> str:
    """A state diagram in Mermaid's language: https://mermaid.js.org/syntax/stateDiagram.html."""
    labels: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, sources, target in _moves():
        for source in sources if len(sources) < _MANY else (_ANY,):
            labels[source, target].append(_spoken(kind))
    arrows = [f"    {source} --> {target}: {' / '.join(kinds)}" for (source, target), kinds in labels.items()]
    return "\n".join(
        ["stateDiagram-v2", "    direction LR", f"    {_ANY}: any earlier state", "    [*] --> planned", *arrows, ""]
    )


def transitions() -> str:
    """A table in Markdown: what is learned, in which states it leads on, and where."""
    rows = [
        f"| {_spoken(kind)} | {', '.join(f'`{source}`' for source in sources)} | `{target}` |"
        for kind, sources, target in _moves()
    ]
    return "\n".join(["| what is learned | of a recording that is | makes it |", "| --- | --- | --- |", *rows, ""])


def _moves() -> Iterator[tuple[Kind, tuple[RecordingState, ...], RecordingState]]:
    """Each kind of evidence, the states it leads on from, and the one it leads to."""
    for kind, row in TABLE.items():
        sources: defaultdict[RecordingState, list[RecordingState]] = defaultdict(list)
        for source, target in row.items():
            if target is not None and target != source:
                sources[target].append(source)
        for target, its_sources in sources.items():
            yield kind, tuple(its_sources), target


def _spoken(kind: Kind) -> str:
    return kind.replace("_", " ")
