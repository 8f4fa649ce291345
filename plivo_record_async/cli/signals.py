"""How SIGINT and SIGTERM end a command.

The first signal ends a command early: nothing more is sent, and what has been sent is awaited. A second signal ends it
at once.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any

from plivo_record_async.cli.output.exit_codes import ExitCode, exit_code
from plivo_record_async.cli.output.log import showing_log
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.client import RecordClient
from plivo_record_async.errors import PlivoRecordError
from plivo_record_async.transport.sender import GRACE

__all__ = ["EndSignal", "Terminated", "cancelled_by", "end_signal", "ending_early", "reading_client", "run_reading"]

_EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}

CALLS_ARE_AWAITED = f"nothing more is sent, and the outcome of what was already sent is awaited for up to {GRACE:g} s"
"""What a command that makes calls does after the first signal."""

_BLOCKED_AFTER = 0.5
"""Seconds in which the event loop handles a signal, unless it is blocked."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived while the event loop was blocked."""


class EndSignal(asyncio.Event):
    """An event that is set when a command is to end early: by SIGINT, by SIGTERM, or by the command itself.

    Args:
        printer: Prints on stderr that the first signal has arrived. If None, nothing is printed.
        consequence: What the command does after the first signal.

    Attributes:
        number: The first signal that arrived. If None, no signal has arrived.
        repeated: An event that is set when another signal arrives.
    """

    def __init__(self, printer: Printer | None = None, consequence: str = "") -> None:
        super().__init__()
        self._printer = printer
        self._consequence = consequence
        self.number: signal.Signals | None = None
        self.repeated: asyncio.Event = asyncio.Event()

    @property
    def exit_code(self) -> ExitCode | None:
        """The exit code of a command that a signal ended, or None if no signal has arrived."""
        return None if self.number is None else _EXIT_CODES[self.number]

    def receive(self, number: int) -> None:
        """Set the event, or set `repeated` if a signal has already arrived.

        Args:
            number: The number of the signal.
        """
        if self.number is not None:
            self.repeated.set()
            return
        self.number = signal.Signals(number)
        self.set()
        if self._printer is not None:
            word = _EXIT_CODES[self.number].name.lower()
            text = f"{word}; {self._consequence}. A second signal ends the command at once"
            self._printer.error(InterruptedError(text))


def end_signal(printer: Printer | None = None, consequence: str = CALLS_ARE_AWAITED) -> EndSignal:
    """Return an event that SIGINT and SIGTERM set from now on, instead of ending the process.

    The handlers are removed when the event loop is closed. In a thread, where Python allows no signal handlers, no
    signal sets the event.

    Args:
        printer: Prints on stderr that the first signal has arrived. If None, nothing is printed.
        consequence: What the command does after the first signal.
    """
    ended = EndSignal(printer, consequence)
    loop = asyncio.get_running_loop()
    unhandled_since: list[float] = []

    def handle(number: int) -> None:
        unhandled_since.clear()
        ended.receive(number)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        now = loop.time()
        if unhandled_since and now - unhandled_since[0] > _BLOCKED_AFTER:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        unhandled_since.append(now)
        loop.call_soon_threadsafe(handle, number)

    if threading.current_thread() is threading.main_thread():
        for number in _EXIT_CODES:
            # A signal that arrives just before the main thread waits wakes up only an event loop with a handler of its
            # own. The handler of the module `signal` also runs while a write blocks the event loop.
            with suppress(NotImplementedError):  # on Windows, where signals wake up the event loop
                loop.add_signal_handler(number, lambda: None)
            signal.signal(number, on_signal)
    return ended


@asynccontextmanager
async def ending_early(
    client: RecordClient,
    ended: EndSignal,
    *,
    grace: float = GRACE,
    on_end: Callable[[], None] | None = None,
) -> AsyncGenerator[None]:
    """Close a client when a command is to end early, so that the calls inside this block end.

    Calls that have not been sent end at once, and calls that have been sent are awaited, if necessary at the end of
    the block. After a second signal they are not awaited, and their outcomes are unknown.

    Args:
        client: The client that makes the calls.
        ended: The event that ends the command.
        grace: The seconds to wait for calls that have been sent, if the command itself sets the event. After a signal
            it waits for ten seconds.
        on_end: Called when the event is set. If None, nothing is called.
    """

    async def end() -> None:
        await ended.wait()
        if on_end is not None:
            on_end()
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(client.aclose(grace=grace if ended.number is None else GRACE))
            repeated = tasks.create_task(ended.repeated.wait())
            await asyncio.wait((closing, repeated), return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
            repeated.cancel()
        await client.aclose(grace=0)

    ending = asyncio.create_task(end())
    try:
        yield
    finally:
        if not ended.is_set():  # otherwise, calls may still be awaited, and a second signal ends this wait
            ending.cancel()
        await asyncio.wait([ending])


@asynccontextmanager
async def cancelled_by(ended: EndSignal) -> AsyncGenerator[None]:
    """Cancel what runs inside this block when a command is to end early. The code after the block then runs.

    Args:
        ended: The event that ends the command.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)

    async def end() -> None:
        await ended.wait()
        limit.reschedule(loop.time())

    try:
        async with limit:
            ending = asyncio.create_task(end())
            try:
                yield
            finally:
                ending.cancel()
    except TimeoutError:
        if not limit.expired():
            raise


@asynccontextmanager
async def reading_client(client: RecordClient) -> AsyncGenerator[RecordClient]:
    """Enter a client whose calls only read. If the block is cancelled, calls in progress are not awaited.

    Args:
        client: The client.

    Yields:
        The client.
    """
    async with client:
        try:
            yield client
        except asyncio.CancelledError:
            await client.aclose(grace=0)
            raise


def run_reading(work: Coroutine[Any, Any, ExitCode], printer: Printer, consequence: str = "") -> ExitCode:
    """Run a command that only reads, and return its exit code. A signal ends it at once.

    Args:
        work: The command.
        printer: Prints its error, and that a signal has ended it.
        consequence: What follows from a signal, for the user.
    """

    async def run() -> ExitCode:
        ended, code = end_signal(), ExitCode.DONE
        with showing_log(lambda text: None if ended.is_set() else printer.warning(text), note=printer.note):
            async with cancelled_by(ended):
                code = await work
        if ended.exit_code is None:
            return code
        printer.error(InterruptedError(ended.exit_code.name.lower() + consequence))
        return ended.exit_code

    try:
        return asyncio.run(run())
    except PlivoRecordError as error:
        printer.error(error)
        return exit_code(error, reading=True)
