"""Run ``plivo-record`` in the process of the tests, so that the lines that it runs count as covered."""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

import pytest

from plivo_record_async.cli.root import plivo_record


class FullOutput(io.StringIO):
    """A stdout on a disk that is full after some lines."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self._lines = after

    def write(self, text: str, /) -> int:
        if self.getvalue().count("\n") >= self._lines:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def run_command(*words: str, stdout: TextIO) -> int:
    """Run a command with this stdout in this thread; return its exit code."""
    with redirect_stdout(stdout), pytest.raises(SystemExit) as ended:
        plivo_record.main(list(words), "plivo-record")
    assert isinstance(ended.value.code, int)
    return ended.value.code


def run_until_sigterm(*words: str, use: Callable[[TextIO], None]) -> int:
    """Run a command in the main thread, and return its exit code.

    In another thread, ``use`` reads the stdout of the command. When it returns, the process gets SIGTERM.
    """
    reading, writing = os.pipe()

    def use_and_terminate(lines: TextIO) -> None:
        try:
            use(lines)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with _signal_handlers_kept(), ThreadPoolExecutor(1) as thread, os.fdopen(reading) as lines:
        # Until the command handles SIGTERM, and after it has ended, a SIGTERM must not end the tests.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        used = thread.submit(use_and_terminate, lines)
        with os.fdopen(writing, "w") as stdout:
            code = run_command(*words, stdout=stdout)
        used.result()
    return code


@contextmanager
def _signal_handlers_kept() -> Generator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
