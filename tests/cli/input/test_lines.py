from __future__ import annotations

import asyncio
import fcntl
import io
import os
import resource
import threading
from pathlib import Path

import pytest

from plivo_record_async.cli.input.lines import InputLines, UnreadableError


async def all_lines(content: bytes) -> list[bytes]:
    return [line async for line in InputLines(io.BytesIO(content))]


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
async def test_lines_are_split_only_at_line_ends(content: bytes, expected: list[bytes]) -> None:
    assert await all_lines(content) == expected


async def test_line_across_two_chunks_stays_whole() -> None:
    content = [str(number).encode() * 97 for number in range(2000)]
    assert await all_lines(b"\n".join(content)) == content


async def test_lines_of_a_file_are_read(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    await asyncio.to_thread(names.write_bytes, b"a\nb")
    with await asyncio.to_thread(names.open, "rb") as file:
        assert [line async for line in InputLines(file)] == [b"a", b"b"]


async def test_line_of_a_pipe_is_yielded_before_the_next_one_is_written() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as writer:
        source = InputLines(file)
        writer.write(b"a\nb")
        assert await anext(source) == b"a"
        second = asyncio.create_task(anext(source))
        await asyncio.sleep(0)
        assert not second.done()
        writer.write(b"\n")
        assert await second == b"b"


async def test_a_wait_for_a_line_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(InputLines(file))


async def test_file_that_cannot_be_read_raises(tmp_path: Path) -> None:
    unreadable = await asyncio.to_thread((tmp_path / "file").open, "wb", buffering=0)
    with unreadable, pytest.raises(UnreadableError, match="not open for reading"):
        await anext(InputLines(unreadable))


class Silent(io.BytesIO):
    """A pipe to which nothing is written until the test permits it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked.set()
        self.answer.wait()
        return b"a\n"


async def test_end_interrupts_the_wait_for_a_line() -> None:
    silent = Silent()
    source = InputLines(silent)
    waiting = asyncio.create_task(anext(source, None))
    await asyncio.to_thread(silent.asked.wait)
    source.end()
    assert await waiting is None
    silent.answer.set()


@pytest.mark.parametrize("content", [b"a\nb\nc", b"a\nb"])
async def test_no_line_is_yielded_after_the_end(content: bytes) -> None:
    source = InputLines(io.BytesIO(content))
    assert await anext(source) == b"a"
    source.end()
    assert [line async for line in source] == []


async def test_endless_line_is_refused() -> None:
    source = InputLines(io.BytesIO(b"a\n" + b"b" * 1_200_000))
    assert await anext(source) == b"a"
    with pytest.raises(UnreadableError, match="a line of more than 1 MiB"):
        await anext(source)


async def test_end_is_checked_before_each_line() -> None:
    source = InputLines(io.BytesIO(b"a\nb"))
    assert await anext(source) == b"a"
    asyncio.get_running_loop().call_soon(source.end)
    assert await anext(source, None) is None


BLANK_AND_NOT = b"a\nb\n\n \nc\r\n\r\nd"


async def test_the_rest_of_a_file_is_counted(tmp_path: Path) -> None:
    many = b"\n".join(b"%d" % number for number in range(100_000))
    for content, rest in ((BLANK_AND_NOT, 3), (b"a", 0), (many, 99_999)):
        names = tmp_path / "names.txt"
        await asyncio.to_thread(names.write_bytes, content)
        with await asyncio.to_thread(names.open, "rb") as file:
            for source in (InputLines(file), InputLines(io.BytesIO(content))):
                await anext(source)
                assert await source.count_rest() == rest
                assert source.all_read


async def test_remaining_lines_of_a_pipe_are_counted_without_waiting() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as writer:
        source = InputLines(file)
        writer.write(b"a\nb\nc\n")
        assert await anext(source) == b"a"
        writer.write(b"d\ne\nand so on")
        assert (await source.count_rest(), source.all_read) == (4, False)
        writer.close()
        assert (await source.count_rest(), source.all_read) == (1, True)


async def test_counting_the_lines_of_an_endless_pipe_ends() -> None:
    with await asyncio.to_thread(Path("/dev/zero").open, "rb") as file:
        source = InputLines(file)
        assert (await source.count_rest(), source.all_read) == (0, False)


async def test_lines_are_counted_up_to_a_read_error() -> None:
    with await asyncio.to_thread(Path("/proc/self/mem").open, "rb") as file:
        source = InputLines(file)
        assert (await source.count_rest(), source.all_read) == (0, False)


async def test_lines_of_a_descriptor_that_select_does_not_take_are_not_counted() -> None:
    reading, writing = os.pipe()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        with os.fdopen(fcntl.fcntl(reading, fcntl.F_DUPFD, 1500), "rb") as file:
            source = InputLines(file)
            assert (await source.count_rest(), source.all_read) == (0, False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(reading)
        os.close(writing)


class EmptyAtFirst(io.BytesIO):
    """A non-blocking pipe that is empty at first."""

    def __init__(self, content: bytes, number: int) -> None:
        super().__init__(content)
        self.number = number
        self.asked = 0

    def fileno(self) -> int:
        return self.number

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked += 1
        return super().read(size) if self.asked > 1 else None  # type: ignore[return-value]


async def test_nonblocking_pipe_is_awaited() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0) as writer:
        pipe = EmptyAtFirst(b"a\nb", reading)
        waiting = asyncio.create_task(anext(source := InputLines(pipe)))
        writer.write(b"it can be read now")
        assert await waiting == b"a"
        assert await anext(source) == b"b"
        assert pipe.asked == 3
