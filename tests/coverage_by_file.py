"""Check that each file of the package is covered to 100 % of its lines by its own test file.

``python -m tests.coverage_by_file`` checks the whole package, which takes minutes; with paths of package files as
arguments it checks only those. It prints the lines that are not covered, and fails if there are any.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from coverage import Coverage

PACKAGE: Final = Path("plivo_record_async")

TESTED_BY: Final[Mapping[str, str]] = {
    "__init__.py": "test_exports.py",
    "emulator/__init__.py": "emulator/test_init.py",
    "errors/__init__.py": "test_exports.py",
    "stores/__init__.py": "stores/test_init.py",
    # The contract that every store must pass is run by the test file of each store.
    "stores/interface.py": "stores/test_memory.py",
    "testing/store_contract/__init__.py": "stores/test_memory.py",
    "testing/store_contract/erasure.py": "stores/test_memory.py",
    "testing/store_contract/event_loop.py": "stores/test_memory.py",
    "testing/store_contract/lifetime.py": "stores/test_memory.py",
    "testing/store_contract/orphans.py": "stores/test_memory.py",
    "testing/store_contract/records.py": "stores/test_memory.py",
    "testing/store_contract/samples.py": "stores/test_memory.py",
    "testing/store_contract/watching.py": "stores/test_memory.py",
}
"""The test file of each package file whose name does not follow from the package file's own."""

WITHOUT_TESTS: Final = {"_version.py"}
"""Files that have nothing to test."""

PROVEN_ELSEWHERE: Final[Mapping[str, Mapping[str, str]]] = {
    "protocol/callbacks/field_confusion.py": dict.fromkeys(
        ("find_second_reading", "_find_get_event", "_find_hidden_field", "_find_wrong_end"),
        "callbacks/test_readings.py tries all second readings of whole requests, which a single function does not see",
    ),
    "transport/connectors/pyreqwest_adapter.py": {
        "_body_when_sending": "pyreqwest calls it in a thread of its own, which coverage does not see",
    },
    "testing/store_contract/event_loop.py": {"StoreTests.store": "every test class overrides the fixture"},
}
"""For a package file, the functions with lines that another test file proves better, and the reason."""


def main(arguments: list[str]) -> int:
    """Check the given package files, or all of them; return the exit status."""
    sources = [Path(each) for each in arguments] or [*_sources()]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for report in filter(None, pool.map(_check, sources)):
            failed += 1
            print(report, flush=True)
    print(f"{len(sources) - failed} of {len(sources)} files are covered by their own tests.")
    return 1 if failed else 0


def _sources() -> Iterator[Path]:
    """Yield the package files that contain anything but a docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if str(path.relative_to(PACKAGE)) not in WITHOUT_TESTS and len(ast.parse(path.read_text()).body) > 1:
            yield path


def _test_of(source: Path) -> Path:
    """Return the test file of a package file."""
    name = source.relative_to(PACKAGE)
    default = name.with_name(f"test_{name.stem.strip('_')}.py")
    return Path("tests", TESTED_BY.get(str(name), str(default)))


def _check(source: Path) -> str:
    """Run the tests of a package file; return what is wrong, or nothing."""
    test = _test_of(source)
    with TemporaryDirectory() as folder:
        data = Path(folder, ".coverage")
        done = subprocess.run(
            [sys.executable, "-m", "coverage", "run", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
            env={**os.environ, "COVERAGE_FILE": str(data)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"{test} failed:\n{done.stdout}{done.stderr}"
        measured = Coverage(data_file=str(data))
        measured.combine([folder])
        _, _, _, missing, _ = measured.analysis2(str(source))
    exempt = {
        line for name in PROVEN_ELSEWHERE.get(str(source.relative_to(PACKAGE)), ()) for line in _lines(source, name)
    }
    uncovered = [line for line in missing if line not in exempt]
    return f"{source}: {test} does not cover lines {', '.join(map(str, uncovered))}" if uncovered else ""


def _lines(source: Path, function: str) -> range:
    """Return the lines of a function or method, which must exist."""
    *owners, name = function.split(".")
    body: list[ast.stmt] = ast.parse(source.read_text()).body
    for owner in owners:
        [scope] = [each for each in body if isinstance(each, ast.ClassDef) and each.name == owner]
        body = scope.body
    [found] = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name]
    return range(found.lineno, (found.end_lineno or found.lineno) + 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
