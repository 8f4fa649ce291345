"""The contract of stores, run for the store that the documentation shows, in a project with nothing but pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from plivo_record_async.testing.store_contract import StoreContract

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "own-store.md"

FAILING = """
import pytest
from own_store import JsonStore
from plivo_record_async.stores import encode
from plivo_record_async.testing.store_contract import StoreContract


class WithoutCompareAndSwap(JsonStore):
    async def replace(self, record):
        self._check_usable()
        self._records[record.start_id] = encode(record)
        return True


class WithoutTieBreaker(JsonStore):
    async def records(self, *, older_than=None, limit=100, **filters):
        records = await super().records(limit=1_000_000, **filters)
        return [each for each in records if older_than is None or each.updated_at < older_than.updated_at][:limit]


class WithoutWaiting(JsonStore):
    async def watch(self, start_id, *, version):
        return await self.get(start_id)


class WithoutDigests(JsonStore):
    async def keep_orphan(self, orphan):
        await super().keep_orphan(orphan)
        return True


class WithoutMemoryOfErasure(JsonStore):
    async def forget(self, start_id, *, now):
        forgotten = await super().forget(start_id, now=now)
        self._forgotten.clear()
        return forgotten


class WithoutClosing(JsonStore):
    async def aclose(self):
        pass


def contract_of(cls):
    class Contract(StoreContract):
        @pytest.fixture
        def store(self):
            return cls()

    return Contract


TestWithoutCompareAndSwap = contract_of(WithoutCompareAndSwap)
TestWithoutTieBreaker = contract_of(WithoutTieBreaker)
TestWithoutWaiting = contract_of(WithoutWaiting)
TestWithoutDigests = contract_of(WithoutDigests)
TestWithoutMemoryOfErasure = contract_of(WithoutMemoryOfErasure)
TestWithoutClosing = contract_of(WithoutClosing)
"""


BROKEN = {
    "TestWithoutCompareAndSwap::test_no_other_version_replaces_a_record",
    "TestWithoutTieBreaker::test_pages_of_records_with_one_time_contain_each_record_once",
    "TestWithoutWaiting::test_replacement_wakes_a_watcher",
    "TestWithoutDigests::test_first_of_several_orphans_with_one_digest_is_kept",
    "TestWithoutMemoryOfErasure::test_orphans_of_a_forgotten_start_are_not_kept",
    "TestWithoutClosing::test_calls_on_a_closed_store_raise_closed_error",
}


def store_and_its_test() -> tuple[str, str]:
    """Return the first two Python blocks of the page: the store, and the test of the store."""
    store, test, *_ = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return store, f"from own_store import JsonStore\n{test}"


def run_pytest(folder: Path, program: str, *tests: str) -> str:
    """Run tests in a project of their own, without the plugins for asyncio, and return the report."""
    (folder / "own_store.py").write_text(store_and_its_test()[0], encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n")
    file = folder / "test_own_store.py"
    file.write_text(program, encoding="utf-8")
    names = [f"{file}::{test}" for test in tests] or [str(file)]
    options = ["-q", "-rA", "--tb=line", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    return done.stdout + done.stderr


def test_store_of_the_documentation_passes(tmp_path: Path) -> None:
    report = run_pytest(tmp_path, store_and_its_test()[1])
    names = {name for name in dir(StoreContract) if name.startswith("test_")}
    assert set(re.findall(r"PASSED \S+::(test_\w+)", report)) == names
    assert re.search(r"^\d+ passed in", report, re.MULTILINE), report


def test_store_that_breaks_the_contract_fails(tmp_path: Path) -> None:
    report = run_pytest(tmp_path, FAILING, *sorted(BROKEN))
    assert {test.partition("[")[0] for test in re.findall(r"FAILED \w+\.py::(\S+)", report)} == BROKEN, report
