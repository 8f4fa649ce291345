"""The diagram of the lifecycle agrees with its table, and the documentation contains the current one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plivo_record_async.protocol.recording.lifecycle import TABLE
from tests.support.lifecycle_diagram import mermaid, transitions
from tests.support.samples.recordings import STATES

PAGES = Path(__file__).parents[2] / "docs" / "explanation"

ARROWS = {
    (kind.replace("_", " "), source, target)
    for kind, row in TABLE.items()
    for source, target in row.items()
    if target is not None and target != source
}


@pytest.mark.parametrize(
    ("page", "drawn"), [("lifecycle.mmd", mermaid()), ("lifecycle_transitions.inc", transitions())]
)
def test_diagram_in_the_documentation_is_current(page: str, drawn: str) -> None:
    how = 'python -c "from tests.support.lifecycle_diagram import *; print(mermaid(), transitions())"'
    assert (PAGES / page).read_text() == drawn, f"write docs/explanation/{page} anew: {how}"


def test_the_table_in_the_documentation_has_every_arrow() -> None:
    drawn = {
        (kind, source, target)
        for kind, sources, target in re.findall(r"^\| ([a-z ]+) \| (.*) \| `(\w+)` \|$", transitions(), re.MULTILINE)
        for source in re.findall(r"\w+", sources)
    }
    assert drawn == ARROWS


def test_the_diagram_has_every_arrow_or_one_that_stands_for_many() -> None:
    drawn = {
        (kind, source, target)
        for source, target, kinds in re.findall(r"^    (\w+) --> (\w+): (.*)$", mermaid(), re.MULTILINE)
        for kind in kinds.split(" / ")
    }
    merged = {(kind, target) for kind, source, target in drawn if source == "any_earlier"}
    assert {arrow for arrow in ARROWS if (arrow[0], arrow[2]) not in merged} == {a for a in drawn if a[1] in STATES}
    assert merged <= {(kind, target) for kind, _, target in ARROWS}
