"""The documentation's map names every file there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "plivo_record_async"


def test_the_map_leads_to_files_that_exist() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `([\w/.]+)`", text)
    assert named
    assert [name for name in named if not (PACKAGE / name).exists()] == []
