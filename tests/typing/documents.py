"""Documents as modules for type checkers: each line of a block has the number that it has in the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import indent

import attrs
from sybil import Sybil
from sybil.example import Example
from sybil.parsers import myst, rest

ROOT = Path(__file__).parents[2]

FIXTURES = "from plivo_record_async.emulator import Emulator as _; plivo_for_examples: _"
"""What ``conftest.py`` gives to the pages."""


def _not_run(_: Example) -> None:
    """The blocks are only read here; ``conftest.py`` runs them."""


PAGES = Sybil([myst.CodeBlockParser("python", _not_run)])
FILES_ON_PAGES = Sybil([myst.CodeBlockParser("py", _not_run)])
DOCSTRINGS = Sybil([rest.CodeBlockParser("python", _not_run)])


@attrs.frozen
class Module:
    """What a document shows, or one file of it.

    Attributes:
        name: The module's name, unique among all documents.
        document: Where it stands.
        source: The Python.
    """

    name: str
    document: Path
    source: str


def modules() -> Iterator[Module]:
    """All that README, documentation and docstrings show."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        yield from modules_of_page(page)
    for path in sorted((ROOT / "plivo_record_async").rglob("*.py")):
        if blocks := _blocks(DOCSTRINGS, path):
            module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            yield Module(_name(path), path, _as_function(blocks, f"from {module} import *"))


def modules_of_page(page: Path) -> Iterator[Module]:
    """The ``python`` blocks, which build on each other, as one module, and each ``py`` block as one of its own."""
    if blocks := _blocks(PAGES, page):
        yield Module(_name(page), page, _as_function(blocks, FIXTURES))
    files: dict[str, str] = {}
    for start, source in _blocks(FILES_ON_PAGES, page):
        shown = re.match(r"# (\w+)\.py\b", source)
        assert shown is not None, f"{page}:{start}: a py block begins with the name of its file"
        name = files[shown[1]] = f"{_name(page)}_{start}"
        renamed = re.sub(
            r"^from (\w+) import",
            lambda found: f"from {files.get(found[1], found[1])} import",
            source,
            flags=re.MULTILINE,
        )
        yield Module(name, page, "\n" * (start - 1) + renamed)


def _as_function(blocks: Sequence[tuple[int, str]], header: str) -> str:
    """One async function, because ``await`` may stand outside of functions in a block."""
    lines = [header, "async def document() -> None:"]
    for start, source in blocks:
        missing = start - 1 - len(lines)
        assert missing >= 0, f"line {start} is needed for the head of the module"
        lines += [""] * missing + indent(source, "    ").splitlines()
    return "\n".join([*lines, ""])


def _blocks(sybil: Sybil, path: Path) -> Sequence[tuple[int, str]]:
    """Each block with the number of its first line."""
    examples = sybil.parse(path).examples()
    return [(example.line + example.parsed.line_offset + 1, str(example.parsed)) for example in examples]


def _name(path: Path) -> str:
    return re.sub(r"\W", "_", str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name)
