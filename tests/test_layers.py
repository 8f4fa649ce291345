"""One source file, one test file, same path."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "plivo_record_async"
WITHOUT_TESTS = {
    "_version.py",
    "stores/interface.py",
}  # a number, and what testing/store_contract asks of every store
TESTS_FOR_USERS = Path("testing", "store_contract")  # the tests of each store run them


def test_every_source_file_has_its_test_file() -> None:
    sources = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    missing = {
        source.as_posix()
        for source in sources
        if source.parent != TESTS_FOR_USERS
        and not (ROOT / "tests" / source.parent / f"test_{source.stem.strip('_')}.py").exists()
    }
    assert missing == WITHOUT_TESTS
