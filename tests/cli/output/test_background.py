from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext

import pytest

from plivo_record_async.cli.output.background import printing


class Reader:
    """Takes what is shown once it is let."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.queries = threading.Event()
        self.began = threading.Event()
        self.took_9999 = threading.Event()
        self.left = False

    @contextmanager
    def view(self) -> Generator[Callable[[str], None]]:
        try:
            yield self._show
        finally:
            self.left = True

    def _show(self, news: str) -> None:
        self.began.set()
        self.queries.wait()
        self.shown.append(news)
        print(news)  # noqa: T201 - as views do
        if news == "9999":
            self.took_9999.set()


async def test_items_are_shown_in_order_before_the_block_ends(capsys: pytest.CaptureFixture[str]) -> None:
    reader, ended = Reader(), asyncio.Event()
    reader.queries.set()
    async with printing(reader.view(), ended) as tell:
        tell("a")
        tell("b")
        assert not ended.is_set()
    assert (reader.shown, reader.left) == (["a", "b"], True)
    assert capsys.readouterr().out == "a\nb\n"


async def test_slow_reader_delays_neither_show_nor_the_end() -> None:
    reader, ended = Reader(), asyncio.Event()
    async with printing(reader.view(), ended) as tell:
        tell("a")
        await asyncio.to_thread(reader.began.wait)
        tell("b")
    assert (reader.shown, ended.is_set()) == ([], False)
    reader.queries.set()


async def test_items_that_a_slow_reader_misses_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader()
    async with printing(reader.view(), asyncio.Event()) as tell:
        tell("first")
        await asyncio.to_thread(reader.began.wait)
        for number in range(10_002):
            tell(str(number))
        assert caplog.messages == []
        reader.queries.set()
        await asyncio.to_thread(reader.took_9999.wait)
        tell("last")
    assert reader.shown[-2:] == ["9999", "last"]
    assert caplog.messages == ["2 lines before this one were not shown, because the reader was too slow"]


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), SystemExit(1)])
async def test_error_of_output_sets_the_event_and_is_raised_at_the_end(error: BaseException) -> None:
    ended = asyncio.Event()

    def show(news: str) -> None:
        raise error

    async def block() -> None:
        async with printing(nullcontext(show), ended) as tell:
            tell("a")
            await ended.wait()
            tell("b")

    with pytest.raises(type(error)) as raised:
        await block()
    assert raised.value.args == error.args


async def test_lock_of_the_buffer_is_free_while_the_reader_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        view = nullcontext(print)
        async with printing(view, asyncio.Event()) as tell:
            assert isinstance(sys.stdout.buffer, io.FileIO)
            tell("ü")
            assert await asyncio.to_thread(pipe.readline) == b"\xfc\n"
        assert sys.stdout is stream
