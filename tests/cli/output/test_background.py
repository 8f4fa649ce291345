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


class WaitingView:
    """Shows events, but only after the test permits it."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.permitted = threading.Event()
        self.began = threading.Event()
        self.showed_9999 = threading.Event()
        self.left = False

    @contextmanager
    def opened(self) -> Generator[Callable[[str], None]]:
        try:
            yield self._show
        finally:
            self.left = True

    def _show(self, event: str) -> None:
        self.began.set()
        self.permitted.wait()
        self.shown.append(event)
        print(event)  # noqa: T201 - as views do
        if event == "9999":
            self.showed_9999.set()


async def test_items_are_shown_in_order_before_the_block_ends(capsys: pytest.CaptureFixture[str]) -> None:
    view, ended = WaitingView(), asyncio.Event()
    view.permitted.set()
    async with printing(view.opened(), ended) as show:
        show("a")
        show("b")
        assert not ended.is_set()
    assert (view.shown, view.left) == (["a", "b"], True)
    assert capsys.readouterr().out == "a\nb\n"


async def test_slow_reader_delays_neither_show_nor_the_end() -> None:
    view, ended = WaitingView(), asyncio.Event()
    async with printing(view.opened(), ended) as show:
        show("a")
        await asyncio.to_thread(view.began.wait)
        show("b")
    assert (view.shown, ended.is_set()) == ([], False)
    view.permitted.set()


async def test_items_that_a_slow_reader_misses_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    view = WaitingView()
    async with printing(view.opened(), asyncio.Event()) as show:
        show("first")
        await asyncio.to_thread(view.began.wait)
        for number in range(10_002):
            show(str(number))
        assert caplog.messages == []
        view.permitted.set()
        await asyncio.to_thread(view.showed_9999.wait)
        show("last")
    assert view.shown[-2:] == ["9999", "last"]
    assert caplog.messages == ["2 lines before this one were not shown, because the reader was too slow"]


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), SystemExit(1)])
async def test_error_of_output_sets_the_event_and_is_raised_at_the_end(error: BaseException) -> None:
    ended = asyncio.Event()

    def fail(event: str) -> None:
        raise error

    async def block() -> None:
        async with printing(nullcontext(fail), ended) as show:
            show("a")
            await ended.wait()
            show("b")

    with pytest.raises(type(error)) as raised:
        await block()
    assert raised.value.args == error.args


async def test_lock_of_the_buffer_is_free_while_the_reader_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        view = nullcontext(print)
        async with printing(view, asyncio.Event()) as show:
            assert isinstance(sys.stdout.buffer, io.FileIO)
            show("ü")
            assert await asyncio.to_thread(pipe.readline) == b"\xfc\n"
        assert sys.stdout is stream
