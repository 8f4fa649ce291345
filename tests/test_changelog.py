"""The changelog has one section for each version, in the form that the workflow of releases expects."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import Version

from plivo_record_async import __version__

TEXT = (Path(__file__).parents[1] / "docs" / "changelog.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
SUBSECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_each_version_has_one_section_and_the_newest_is_the_first() -> None:
    matches = [re.fullmatch(r"(\d+\.\d+\.\d+) \((unreleased|\d{4}-\d{2}-\d{2})\)", title) for title in SECTIONS]
    assert None not in matches, SECTIONS
    versions = [Version(match[1]) for match in matches if match]
    assert versions == sorted(set(versions), reverse=True)
    assert versions[0] == Version(__version__)
    assert not any("unreleased" in title for title in SECTIONS[1:])


def test_subsections_are_those_of_keep_a_changelog_in_one_order() -> None:
    for section in re.split(r"^## .+$", TEXT, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert kinds == [kind for kind in SUBSECTIONS if kind in kinds]


def test_every_entry_is_an_item_of_a_list_that_ends_as_a_sentence() -> None:
    entries = re.findall(r"^- (.+(?:\n  .+)*)$", TEXT, re.MULTILINE)
    assert len(entries) > 50
    assert [entry for entry in entries if not entry.endswith((".", ":"))] == []
