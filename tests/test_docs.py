"""The map and the command line reference in the documentation are complete and correct."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

import plivo_record_async
from plivo_record_async.cli.root import plivo_record

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "plivo_record_async"


def commands(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, f"{path} {name}")


def test_map_names_only_existing_files_and_every_file_outside_the_command_line() -> None:
    text = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    cells = " ".join(re.findall(r"^\|[^|]*\|([^|]*)\|$", text, re.MULTILINE))
    named = set(re.findall(r"`([\w/.]+)`", cells))
    assert {name for name in named if not (PACKAGE / name).exists()} == set()
    rooms = tuple(name for name in named if name.endswith("/"))
    files = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    missing = {name for name in files - named if not name.startswith(rooms) and not name.endswith("/__init__.py")}
    of_the_command_line = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("cli/**/*.py")}
    assert missing - of_the_command_line == {"__main__.py", "_version.py"}


def test_every_public_name_is_in_the_reference() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto(?:class|data|exception|function):: (\w+)$", pages, re.MULTILINE))
    assert set(plivo_record_async.__all__) - documented == {"__version__"}


def test_every_command_has_its_help_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```console\n\$ (.+) --help$", text, re.MULTILINE)
    assert sorted(shown) == sorted(commands(plivo_record, "plivo-record"))


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/explanation/signatures.md").read_text()))
    tests = [path for folder in ("protocol", "readings") for path in (ROOT / "tests" / folder).rglob("test_*.py")]
    there = set(re.findall(r"def (test_\w+)", "".join(path.read_text() for path in tests)))
    assert len(named) > 20
    assert named <= there
