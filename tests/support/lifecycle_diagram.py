"""Draw the table of the lifecycle: the diagram and the table of transitions in the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.protocol.recording.kinds import Kind
from plivo_record_async.protocol.recording.lifecycle import TABLE

__all__ = ["mermaid", "transitions"]

_MANY: Final = 5
"""From so many states on, arrows to the same state are drawn as one."""

_ANY: Final = "any_earlier"


def mermaid() -> str:
    """Return a state diagram in Mermaid's language: https://mermaid.js.org/syntax/stateDiagram.html."""
    labels: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, sources, target in _moves():
        for source in sources if len(sources) < _MANY else (_ANY,):
            labels[source, target].append(_words(kind))
    arrows = [f"    {source} --> {target}: {' / '.join(kinds)}" for (source, target), kinds in labels.items()]
    return "\n".join(
        ["stateDiagram-v2", "    direction LR", f"    {_ANY}: any earlier state", "    [*] --> planned", *arrows, ""]
    )


def transitions() -> str:
    """Return a Markdown table: the evidence, the states that it changes, and the new state."""
    rows = [
        f"| {_words(kind)} | {', '.join(f'`{source}`' for source in sources)} | `{target}` |"
        for kind, sources, target in _moves()
    ]
    return "\n".join(["| what is learned | of a recording that is | makes it |", "| --- | --- | --- |", *rows, ""])


def _moves() -> Iterator[tuple[Kind, tuple[RecordingState, ...], RecordingState]]:
    """Yield each kind of evidence, the states that it changes, and the new state."""
    for kind, row in TABLE.items():
        sources: defaultdict[RecordingState, list[RecordingState]] = defaultdict(list)
        for source, target in row.items():
            if target is not None and target != source:
                sources[target].append(source)
        for target, all_sources in sources.items():
            yield kind, tuple(all_sources), target


def _words(kind: Kind) -> str:
    return kind.replace("_", " ")
