"""Make a virtual environment with only what a user would have installed, from links to what is installed here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import plivo_record_async

__all__ = ["make_environment"]


def make_environment(folder: Path, requirements: Iterable[str]) -> Path:
    """Make a virtual environment with links to the requirements and all that they require; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in _closure(requirements):
        for path in _top_level(distribution(name)):
            link = packages / path.name
            if not link.exists():  # several distributions may share a namespace package
                link.symlink_to(path)
    return folder / "bin" / "python"


def _closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of the required distributions and of all that they require."""
    found = set[tuple[str, str]]()
    unresolved = [Requirement(each) for each in requirements]
    while unresolved:
        requirement = unresolved.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for known, extra in found if known == name}:
            found.add((name, extra))
            needs = map(Requirement, distribution(name).requires or ())
            unresolved += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def _top_level(installed: Distribution) -> Iterator[Path]:
    """Yield what a distribution installed in site-packages; this package is wherever it was imported from."""
    if installed.name == "plivo-record-async":
        yield Path(plivo_record_async.__file__).parent
    names = {path.parts[0] for path in installed.files or () if path.parts[0] not in {"..", "__pycache__"}}
    for name in sorted(names):
        if not name.endswith(".pth"):
            yield Path(str(installed.locate_file(name)))
