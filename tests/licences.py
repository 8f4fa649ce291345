"""The table of licences in the documentation; ``python -m tests.licences`` writes it anew from what is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["PAGE", "licence_of", "licences", "page_with", "table_in"]

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "licences.md"

HEAD = "| Package | Licence | Needed by |\n|---|---|---|\n"

SPDX = {
    "Apache License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache Software License 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""The SPDX expressions of classifiers and of titles. All packages here whose classifier is BSD have three clauses."""

BY_OTHER_VERSIONS = {
    "importlib-metadata": ("Apache-2.0", "`opentelemetry-api` before 1.42"),
    "tzdata": ("Apache-2.0", "`python-dateutil` from 4.0 on"),
    "zipp": ("MIT", "`importlib-metadata`"),
}
"""What only other versions of the packages need that are permitted too, with its licence. Another version of Python may
get other versions."""


def licence_of(installed: Distribution) -> str:
    """Return the licence of a distribution as an SPDX expression."""
    if "License-Expression" in installed.metadata:
        return installed.metadata["License-Expression"]
    classifiers = installed.metadata.get_all("Classifier") or []
    names = [name.rpartition(" :: ")[2] for name in classifiers if name.startswith("License :: OSI Approved :: ")]
    if not names:
        names = [_title(installed, file) for file in installed.metadata.get_all("License-File") or []]
    return " OR ".join(sorted({SPDX[name] for name in names}))


def _title(installed: Distribution, file: str) -> str:
    """Return the first line of the text of a licence."""
    return (installed.read_text(f"licenses/{file}") or "").strip().partition("\n")[0]


def licences() -> dict[str, tuple[str, str]]:
    """Return the licence of everything that the package and its extras install here, and what needs it."""
    found = dict[str, tuple[str, str]]()
    seen = set[tuple[str, str]]()
    extras = {*(distribution("plivo-record-async").metadata.get_all("Provides-Extra") or [])} - {"all"}
    unresolved = [*_requirements("plivo-record-async", {"", *extras})]
    while unresolved:
        needed_by, requirement = unresolved.pop(0)
        name = canonicalize_name(requirement.name)
        extras = {extra for extra in {"", *requirement.extras} if (name, extra) not in seen}
        seen |= {(name, extra) for extra in extras}
        if name != "plivo-record-async":
            found.setdefault(name, (licence_of(distribution(name)), needed_by))
        unresolved += _requirements(name, extras)
    return dict(sorted((BY_OTHER_VERSIONS | found).items()))


def _requirements(name: str, extras: set[str]) -> Iterator[tuple[str, Requirement]]:
    """Yield what a distribution with its extras needs here, with what needs it: a distribution, or an extra of ours."""
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            extra = re.search(r"extra == ['\"](\w+)['\"]", text) if name == "plivo-record-async" else None
            yield (f"the extra `{extra[1]}`" if extra else f"`{name}`"), requirement


def page_with(rows: Mapping[str, tuple[str, str]]) -> str:
    """Return the page with another table."""
    text = PAGE.read_text(encoding="utf-8")
    table = "".join(f"| `{name}` | {licence} | {needed_by} |\n" for name, (licence, needed_by) in rows.items())
    return text.partition(HEAD)[0] + HEAD + table


def table_in(text: str) -> dict[str, tuple[str, str]]:
    """Return the table of a page."""
    rows = re.findall(r"^\| `([\w.-]+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {name: (licence, needed_by) for name, licence, needed_by in rows}


if __name__ == "__main__":
    PAGE.write_text(page_with(licences()), encoding="utf-8")
