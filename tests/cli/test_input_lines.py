from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from plivo_record_async.cli.input_lines import Lines, UnreadableError


async def all_lines(content: bytes) -> list[bytes]:
    return [line async for line in Lines(io.BytesIO(content), asyncio.Event())]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b" a \n\nb", [b" a ", b"", b"b"]),
        (b"a\nb\r", [b"a", b"b"]),
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
        assert [line async for line in Lines(file, asyncio.Event())] == [b"a", b"b"]


async def test_a_line_is_there_before_the_next_one_is_written_and_the_loop_goes_on_meanwhile() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pen:
        source = Lines(file, asyncio.Event())
        pen.write(b"a\nb")
        assert await anext(source) == b"a"
        second = asyncio.create_task(anext(source))
        await asyncio.sleep(0)
        assert not second.done()
        pen.write(b"\n")
        assert await second == b"b"


async def test_a_wait_for_a_line_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(Lines(file, asyncio.Event()))


async def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    unreadable = await asyncio.to_thread((tmp_path / "file").open, "wb", buffering=0)
    with unreadable, pytest.raises(UnreadableError, match="not open for reading"):
        await anext(Lines(unreadable, asyncio.Event()))


async def test_once_it_is_ended_no_line_is_given_and_none_is_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pen:
        ended = asyncio.Event()
        waiting = asyncio.create_task(anext(Lines(file, ended), None))
        await asyncio.sleep(0)
        ended.set()
        assert await waiting is None
        pen.write(b"to let the thread go")
    for content in (b"a\nb\nc", b"a\nb"):
        ended = asyncio.Event()
        source = Lines(io.BytesIO(content), ended)
        assert await anext(source) == b"a"
        ended.set()
        assert [line async for line in source] == []


async def test_a_line_without_an_end_is_no_list() -> None:
    source = Lines(io.BytesIO(b"a\n" + b"b" * 1_200_000), asyncio.Event())
    assert await anext(source) == b"a"
    with pytest.raises(UnreadableError, match="a line of more than 1 MiB"):
        await anext(source)


async def test_what_has_happened_is_looked_at_before_the_next_line_is_given() -> None:
    ended = asyncio.Event()
    source = Lines(io.BytesIO(b"a\nb"), ended)
    assert await anext(source) == b"a"
    asyncio.get_running_loop().call_soon(ended.set)
    assert await anext(source, None) is None


BLANK_AND_NOT = b"a\nb\n\n \nc\r\n\r\nd"


async def test_the_rest_of_a_file_is_counted(tmp_path: Path) -> None:
    many = b"\n".join(b"%d" % number for number in range(100_000))
    for content, rest in ((BLANK_AND_NOT, 3), (b"a", 0), (many, 99_999)):
        names = tmp_path / "names.txt"
        await asyncio.to_thread(names.write_bytes, content)
        with await asyncio.to_thread(names.open, "rb") as file:
            for source in (Lines(file, asyncio.Event()), Lines(io.BytesIO(content), asyncio.Event())):
                await anext(source)
                assert await source.count_rest() == rest
                assert source.all_read


async def test_of_a_pipe_what_it_holds_is_counted_and_no_more_is_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pen:
        source = Lines(file, asyncio.Event())
        pen.write(b"a\nb\nc\n")
        assert await anext(source) == b"a"
        pen.write(b"d\ne\nand so on")
        assert (await source.count_rest(), source.all_read) == (4, False)
        pen.close()
        assert (await source.count_rest(), source.all_read) == (1, True)


async def test_an_endless_pipe_is_not_counted_for_ever() -> None:
    with await asyncio.to_thread(Path("/dev/zero").open, "rb") as file:
        source = Lines(file, asyncio.Event())
        assert (await source.count_rest(), source.all_read) == (0, False)


async def test_a_file_that_cannot_be_read_any_more_is_counted_as_far_as_it_was() -> None:
    with await asyncio.to_thread(Path("/proc/self/mem").open, "rb") as file:
        source = Lines(file, asyncio.Event())
        assert (await source.count_rest(), source.all_read) == (0, False)


class Hesitant(io.BytesIO):
    """A pipe that was made non-blocking: there is nothing at first."""

    def __init__(self, content: bytes, number: int) -> None:
        super().__init__(content)
        self.number = number
        self.asked = 0

    def fileno(self) -> int:
        return self.number

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked += 1
        return super().read(size) if self.asked > 1 else None  # type: ignore[return-value]


async def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as pen:
        hesitant = Hesitant(b"a\nb", reading)
        waiting = asyncio.create_task(anext(source := Lines(hesitant, asyncio.Event())))
        pen.write(b"it can be read now")
        assert await waiting == b"a"
        assert await anext(source) == b"b"
        assert hesitant.asked == 3
