from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from plivo_record_async import SQLiteStore, __version__
from plivo_record_async.cli.doctor.machine import check_store, check_versions
from tests.support.samples.recordings import recording


@pytest.fixture(autouse=True)
def may_block(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the command asks the file system whether the file exists


def test_versions_of_the_package_of_python_and_of_the_libraries_are_named() -> None:
    check = check_versions()
    assert check.result == "ok"
    for name in (f"plivo-record-async {__version__}", "Python 3.", "httpx 0.", "uvicorn "):
        assert name in check.finding


async def test_store_that_can_commit_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    async with aclosing(SQLiteStore(path)) as store:
        await store.create(recording("recorded", "a"))
    check = await check_store(str(path))
    assert (check.result, check.finding) == ("ok", f"{path} can commit and contains 1 recordings")
    async with aclosing(SQLiteStore(path)) as store:
        await store.create(recording("unknown", "b"))
    check = await check_store(str(path))
    assert (check.result, "1 are unknown or unconfirmed" in check.finding) == ("warning", True)


@pytest.mark.parametrize("content", [None, b"this is a text, and it is longer than a header" * 10, ""])
async def test_store_that_cannot_be_used_is_a_problem(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "r.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    check = await check_store(str(path))
    assert check.result == "problem"
    assert str(path) in check.finding
    assert check.advice


async def test_password_of_a_database_is_not_shown() -> None:
    check = await check_store("postgresql://me:secret@127.0.0.1:9/recordings")
    assert check.result == "problem"
    assert "secret" not in check.finding
