from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from plivo_record_async.cli.lines import lines


async def all_lines(content: bytes) -> list[bytes]:
    return [line async for line in lines(io.BytesIO(content), asyncio.Event())]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b" a \n\nb", [b" a ", b"", b"b"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [b"a", b"\xef\xbb\xbfb"]),
        (b"\xef\xbb\xbfa", [b"a"]),
        (b"\xff\n", [b"\xff"]),
    ],
)
async def test_lines_are_parted_at_line_ends_only(content: bytes, expected: list[bytes]) -> None:
    assert await all_lines(content) == expected


async def test_lines_across_the_edges_of_what_is_read_at_once_stay_whole() -> None:
    content = [str(number).encode() * 97 for number in range(2000)]
    assert await all_lines(b"\n".join(content)) == content


async def test_a_file_is_read(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    await asyncio.to_thread(names.write_bytes, b"a\nb")
    with await asyncio.to_thread(names.open, "rb") as file:
        assert [line async for line in lines(file, asyncio.Event())] == [b"a", b"b"]


async def test_a_line_is_there_before_the_next_one_is_written_and_the_loop_goes_on_meanwhile() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pen:
        source = lines(file, asyncio.Event())
        pen.write(b"a\nb")
        assert await anext(source) == b"a"
        second = asyncio.create_task(anext(source))
        await asyncio.sleep(0)
        assert not second.done()
        pen.write(b"\n")
        assert await second == b"b"
        await source.aclose()


async def test_a_wait_for_a_line_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(lines(file, asyncio.Event()))


async def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    unreadable = await asyncio.to_thread((tmp_path / "file").open, "wb", buffering=0)
    with unreadable, pytest.raises(OSError, match="not open for reading"):
        await anext(lines(unreadable, asyncio.Event()))


async def test_once_it_is_ended_no_line_is_given_and_none_is_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pen:
        ended = asyncio.Event()
        waiting = asyncio.create_task(anext(lines(file, ended), None))
        await asyncio.sleep(0)
        ended.set()
        assert await waiting is None
        pen.write(b"to let the thread go")
    for content in (b"a\nb\nc", b"a\nb"):
        ended = asyncio.Event()
        source = lines(io.BytesIO(content), ended)
        assert await anext(source) == b"a"
        ended.set()
        assert [line async for line in source] == []
