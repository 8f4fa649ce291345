"""Read the whole input of a batch, and refuse what cannot be a list of conferences."""

from __future__ import annotations

import asyncio
import codecs
import select
import threading
from concurrent.futures import Future
from typing import Any, BinaryIO, cast

import attrs

from plivo_record_async.errors import ConfigurationError

__all__ = ["Content", "InputError", "checked_text", "read_content"]

_CHUNK_SIZE = 64 * 1024
_MAX_SIZE = 64 * 1024 * 1024
"""The most bytes of an input, because it is read into memory before the first call."""

_UTF8 = "It must be UTF-8 text"


class InputError(ConfigurationError):
    """An input that is refused as a whole. Nothing was sent."""


@attrs.frozen
class Content:
    """What was read.

    Attributes:
        data: The bytes.
        complete: Whether the end of the input was reached.
    """

    data: bytes
    complete: bool


async def read_content(file: BinaryIO, ended: asyncio.Event) -> Content:
    """Read a file or a pipe to its end, without blocking the event loop.

    Args:
        file: The file or pipe.
        ended: An event that ends the reading early.

    Returns:
        What was read until the end of the input, or until the event was set.

    Raises:
        InputError: The input cannot be read, contains a NUL, or is larger than 64 MiB.
    """
    chunks: list[bytes] = []
    # If a daemon thread holds the lock of a buffered reader when the interpreter ends, the interpreter aborts:
    # https://github.com/python/cpython/issues/87135
    reading = asyncio.wrap_future(_begin_to_read(getattr(file, "raw", file), chunks))
    ending = asyncio.create_task(ended.wait())
    either: set[asyncio.Future[Any]] = {reading, ending}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
    if reading.done():
        reading.result()
    return Content(b"".join(chunks), complete=reading.done())


def _begin_to_read(source: BinaryIO, chunks: list[bytes]) -> Future[None]:
    """Begin to read in a daemon thread.

    A thread of the event loop itself would delay the end of the command until there is input.
    """
    over: Future[None] = Future()

    def read() -> None:
        over.set_running_or_notify_cancel()
        try:
            _read(source, chunks)
        except (InputError, OSError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            over.set_exception(InputError(f"it cannot be read: {reason}") if isinstance(error, OSError) else error)
        else:
            over.set_result(None)

    threading.Thread(target=read, daemon=True).start()
    return over


def _read(source: BinaryIO, chunks: list[bytes]) -> None:
    size = 0
    while chunk := _next_chunk(source):
        chunks.append(chunk)
        size += len(chunk)
        if b"\0" in chunk:
            raise _nul_error(chunks)
        if size > _MAX_SIZE:
            raise InputError("it is larger than 64 MiB. Split it into several files")


def _next_chunk(source: BinaryIO) -> bytes:
    chunk: bytes | None = cast("bytes | None", source.read(_CHUNK_SIZE))
    while chunk is None:
        select.select([source], [], [])  # the pipe is non-blocking and empty
        chunk = source.read(_CHUNK_SIZE)
    return chunk


def _nul_error(chunks: list[bytes]) -> InputError:
    start = chunks[0][:4]
    if b"\0" in start:
        return _utf16_error()
    number = sum(chunk.count(b"\n") for chunk in chunks[:-1]) + chunks[-1].partition(b"\0")[0].count(b"\n") + 1
    return InputError(f"it contains a NUL in line {number}, so it is not a text file. {_UTF8}")


def _utf16_error() -> InputError:
    return InputError(
        f"it is encoded in UTF-16 or UTF-32. {_UTF8}. Save it as 'CSV UTF-8', or convert it: "
        "iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE"
    )


def checked_text(data: bytes) -> str:
    """Return the text of an input, without the byte order mark of UTF-8.

    Bytes that are not UTF-8 become lone surrogates, so that the lines that contain them can be reported.

    Args:
        data: The bytes of the input.

    Raises:
        InputError: The input is encoded in UTF-16, has CR-only line ends, or is a JSON array.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _utf16_error()
    if b"\r" in data and b"\n" not in data:
        raise InputError(
            "its lines end with CR alone. They must end with LF or CRLF. Convert it: tr '\\r' '\\n' < FILE > NEW_FILE"
        )
    text = data.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    if text.lstrip().startswith("["):
        raise InputError(
            "it begins with [, so it is a JSON array. Write one JSON object on each line: jq -c '.[]' FILE > NEW_FILE. "
            'If the first line is a name that begins with [, write it as {"conference_name": "[…"}'
        )
    return text
