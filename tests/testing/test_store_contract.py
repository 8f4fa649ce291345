"""The contract of stores, run for a store outside the package, in a project with nothing but pytest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from plivo_record_async.stores.interface import Store
from plivo_record_async.testing.store_contract import StoreContract
from tests.testing.json_store import JsonStore

STORE: Store = JsonStore()  # a type checker accepts it as one

PASSING = """
import pytest
from json_store import JsonStore
from plivo_record_async.testing.store_contract import StoreContract


class TestJsonStore(StoreContract):
    @pytest.fixture
    def store(self):
        return JsonStore()
"""

FAILING = """
import pytest
from json_store import JsonStore
from plivo_record_async.stores.encoding import encode
from plivo_record_async.testing.store_contract import StoreContract


class WithoutCompareAndSwap(JsonStore):
    async def replace(self, record):
        self.enter()
        self.records[record.start_id] = encode(record)
        return True


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
        self.forgotten.clear()
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
TestWithoutWaiting = contract_of(WithoutWaiting)
TestWithoutDigests = contract_of(WithoutDigests)
TestWithoutMemoryOfErasure = contract_of(WithoutMemoryOfErasure)
TestWithoutClosing = contract_of(WithoutClosing)
"""


BROKEN = {
    "TestWithoutCompareAndSwap::test_no_other_version_replaces_a_record",
    "TestWithoutWaiting::test_replacement_wakes_a_watcher",
    "TestWithoutDigests::test_first_of_several_orphans_with_one_digest_is_kept",
    "TestWithoutMemoryOfErasure::test_orphans_of_a_forgotten_start_are_not_kept",
    "TestWithoutClosing::test_calls_on_a_closed_store_raise_closed_error",
}


def run_pytest(folder: Path, program: str, *tests: str) -> str:
    """Run tests in a project of their own, without the plugins for asyncio, and return the report."""
    shutil.copy(Path(__file__).with_name("json_store.py"), folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    file = folder / "test_own_store.py"
    file.write_text(program)
    names = [f"{file}::{test}" for test in tests] or [str(file)]
    options = ["-q", "-rA", "--tb=line", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    return done.stdout + done.stderr


def test_store_outside_the_package_passes(tmp_path: Path) -> None:
    report = run_pytest(tmp_path, PASSING)
    names = {name for name in dir(StoreContract) if name.startswith("test_")}
    assert set(re.findall(r"PASSED \S+::(test_\w+)", report)) == names
    assert re.search(r"^\d+ passed in", report, re.MULTILINE), report


def test_store_that_breaks_the_contract_fails(tmp_path: Path) -> None:
    report = run_pytest(tmp_path, FAILING, *sorted(BROKEN))
    assert {test.partition("[")[0] for test in re.findall(r"FAILED \w+\.py::(\S+)", report)} == BROKEN, report
