"""The files that the page about other SDKs shows, as it shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["write_file"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "other-sdks.md"


def write_file(name: str, folder: Path) -> Path:
    """Write one of the page's blocks, whose first line is a comment with the name of a file, into a folder."""
    pattern = rf"^```\w+\n((?://|#) {re.escape(name)}\n.*?)^```$"
    found = re.search(pattern, PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, f"{PAGE} has no block that begins with the comment {name}"
    path = folder / Path(name).name
    path.write_text(found[1], encoding="utf-8")
    return path
