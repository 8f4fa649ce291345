from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import anyio
import pytest

from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.transport.downloads import writer as module
from plivo_record_async.transport.downloads.part_file import PartFile
from plivo_record_async.transport.downloads.writer import PartWriter, in_thread


@pytest.fixture
def part(tmp_path: Path) -> PartFile:
    return PartFile.open(tmp_path / "r.mp3", "https://media.plivo.com/r.mp3", overwrite=False)


async def written(part: PartFile) -> bytes:
    await in_thread(part.close)
    return await anyio.Path(f"{part.path}.part").read_bytes()


async def test_bytes_are_written_in_their_order(part: PartFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_SIZE", 10)
    writer, pieces = PartWriter(part), [bytes([number]) * number for number in range(50)]
    for piece in pieces:
        await writer.add(piece)
    await writer.flush()
    assert await written(part) == b"".join(pieces)


async def test_many_small_pieces_are_written_before_they_take_much_memory(
    part: PartFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_PIECES", 10)
    writer = PartWriter(part)
    for _ in range(100):
        await writer.add(b"x")
    assert part.received >= 80
    await writer.flush()
    assert await written(part) == b"x" * 100


async def test_restart_discards_what_was_not_written(part: PartFile) -> None:
    writer = PartWriter(part)
    await writer.add(b"old")
    await writer.restart(RemoteFile(etag='"v2"'))
    await writer.add(b"new")
    await writer.flush()
    assert await written(part) == b"new"


async def test_error_of_a_write_is_raised(part: PartFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_self: PartFile, _data: bytes) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(PartFile, "write", write)
    writer = PartWriter(part)
    await writer.add(b"x")
    with pytest.raises(OSError, match="the disk is full"):
        await writer.flush()
    await in_thread(part.close)


async def test_cancelled_caller_waits_for_the_thread() -> None:
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        may_end.wait(10)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
