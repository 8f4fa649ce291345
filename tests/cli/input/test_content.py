from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path

import pytest

from plivo_record_async.cli.input.content import Content, InputError, checked_text, read_content


async def test_file_is_read_to_its_end(tmp_path: Path) -> None:
    content = b"\n".join(str(number).encode() * 97 for number in range(2000))
    names = tmp_path / "names.txt"
    await asyncio.to_thread(names.write_bytes, content)
    with await asyncio.to_thread(names.open, "rb") as file:
        assert await read_content(file, asyncio.Event()) == Content(content, complete=True)
    assert await read_content(io.BytesIO(), asyncio.Event()) == Content(b"", complete=True)


async def test_pipe_is_awaited_until_it_is_closed() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as writer:
        waiting = asyncio.create_task(read_content(file, asyncio.Event()))
        writer.write(b"a\n")
        await asyncio.sleep(0)
        assert not waiting.done()
        writer.write(b"b")
        writer.close()
        assert (await waiting).data == b"a\nb"


class Silent(io.BytesIO):
    """A pipe to which something is written, and then nothing until the test permits it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()
        self._chunks = [b"a\n", b"b\n"]

    def read(self, size: int | None = -1, /) -> bytes:
        if len(self._chunks) == 1:
            self.asked.set()
            self.answer.wait()
        return self._chunks.pop(0) if self._chunks else b""


async def test_event_ends_the_wait_for_input() -> None:
    silent, ended = Silent(), asyncio.Event()
    waiting = asyncio.create_task(read_content(silent, ended))
    await asyncio.to_thread(silent.asked.wait)
    ended.set()
    assert await waiting == Content(b"a\n", complete=False)
    silent.answer.set()


async def test_reading_can_be_cancelled() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await read_content(file, asyncio.Event())


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
        waiting = asyncio.create_task(read_content(pipe, asyncio.Event()))
        writer.write(b"it can be read now")
        assert (await waiting).data == b"a\nb"
        assert pipe.asked == 3


async def test_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    unreadable = await asyncio.to_thread((tmp_path / "file").open, "wb", buffering=0)
    with unreadable, pytest.raises(InputError, match=r"it cannot be read: .*not open for reading"):
        await read_content(unreadable, asyncio.Event())
    with (
        await asyncio.to_thread(Path("/proc/self/mem").open, "rb") as memory,
        pytest.raises(InputError, match="it cannot be read: Input/output error"),
    ):
        await read_content(memory, asyncio.Event())


async def test_endless_input_is_refused() -> None:
    with (
        await asyncio.to_thread(Path("/dev/zero").open, "rb") as zeros,
        pytest.raises(InputError, match="UTF-16 or UTF-32"),
    ):
        await read_content(zeros, asyncio.Event())


class Endless(io.RawIOBase):
    def read(self, size: int = -1, /) -> bytes:
        return b"a\n" * (size // 2)


async def test_input_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="larger than 64 MiB"):
        await read_content(Endless(), asyncio.Event())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_utf16_is_refused_with_and_without_a_byte_order_mark(encoding: str) -> None:
    with pytest.raises(InputError, match=r"UTF-16 or UTF-32.*iconv"):
        await read_content(io.BytesIO("conference_name\nstandup\n".encode(encoding)), asyncio.Event())


async def test_nul_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match="NUL in line 3, so it is not a text file"):
        await read_content(io.BytesIO(b"abcdef\nb\nc\0d\n"), asyncio.Event())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("会議".encode("utf-16"), "UTF-16"),
        (b"a\rb\rc", "end with CR alone.*tr"),
        (b'[{"conference_name": "a"}]', "JSON array.*jq -c"),
        (b"\xef\xbb\xbf\n [\n", "JSON array"),
    ],
)
def test_what_cannot_be_a_list_of_conferences_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        checked_text(data)


def test_byte_order_mark_of_utf8_is_removed_once() -> None:
    assert checked_text(b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb\xff") == "a\r\n\ufeffb\udcff"
