"""mypy and pyright, each run once over a folder of modules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

ROOT = Path(__file__).parents[2]

MYPY = (
    "--output=json",
    f"--config-file={ROOT / 'pyproject.toml'}",
    f"--cache-dir={ROOT / '.mypy_cache' / 'typing'}",  # the options differ from those that the package is checked with
    "--allow-untyped-defs",  # a recipe need not annotate what a framework passes
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--allow-untyped-decorators",
    "--disable-error-code=import-untyped",
    "--allow-subclassing-any",  # of frameworks without types
    "--disable-error-code=no-redef",  # the blocks of a page may define a name anew
    "--allow-redefinition-new",
    "--local-partial-types",
    "--no-warn-unreachable",
)
PYRIGHT = {"typeCheckingMode": "standard", "pythonVersion": "3.11", "reportRedeclaration": False}


@attrs.frozen
class Finding:
    """One error that a checker sees."""

    checker: Literal["mypy", "pyright"]
    line: int
    code: str
    message: str


def check(folder: Path) -> Mapping[str, Sequence[Finding]]:
    """Run both checkers at the same time, and return what they find in each module, by its name."""
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT), encoding="utf-8")
    # The paths are relative, because mypy repeats what it has in its cache with the paths that it was given then.
    mypy = _begin(folder, "mypy", *MYPY, *sorted(path.name for path in folder.glob("*.py")))
    pyright = _begin(folder, "pyright", "--outputjson", "--pythonpath", sys.executable)
    found: defaultdict[str, list[Finding]] = defaultdict(list)
    for path, finding in [*_of_mypy(_output(mypy)), *_of_pyright(_output(pyright))]:
        assert (folder / path).resolve().parent == folder.resolve(), f"{path}: {finding}"
        found[path.stem].append(finding)
    return found


def _begin(folder: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _output(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=600)
    assert process.returncode in {0, 1}, output + errors  # 1: there are errors; else it did not check at all
    return output


def _of_mypy(output: str) -> Iterator[tuple[Path, Finding]]:
    for line in output.splitlines():
        item: Any = json.loads(line)
        if item["severity"] == "error":
            yield Path(item["file"]), Finding("mypy", item["line"], item["code"], item["message"])


def _of_pyright(output: str) -> Iterator[tuple[Path, Finding]]:
    for item in json.loads(output)["generalDiagnostics"]:
        if item["severity"] == "error":
            line = item["range"]["start"]["line"] + 1
            yield Path(item["file"]), Finding("pyright", line, item.get("rule", "syntax"), item["message"])
