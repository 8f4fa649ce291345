"""One thread for what blocks, working in rounds: all jobs that wait when a round begins are done together.

It knows nothing of databases; what is done in a round is the `Desk`'s business.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import AsyncGeneratorType
from typing import Any, Final, NamedTuple, Protocol, cast

from plivo_record_async._event_loop import LoopBinding
from plivo_record_async.errors import ClosedError

__all__ = ["Answer", "Desk", "Job", "Rounds"]

_MOST: Final = 500
"""Jobs in one round, about: more would keep the first of them waiting."""


class Job(NamedTuple):
    """Something to do on the thread, and where its answer goes."""

    work: Callable[[Any], Any]
    future: asyncio.Future[Any]
    writes: bool


class Answer(NamedTuple):
    """What goes back to a caller: a value or an error."""

    future: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None


class Desk(Protocol):
    """Where the thread works. One thread at a time calls these, never two."""

    @property
    def patience(self) -> float:
        """Seconds to wait for a job before a round without one."""
        ...

    def do(self, jobs: list[Job]) -> list[Answer]:
        """One round: the answers to these jobs, and to earlier ones that can be answered now."""
        ...

    def close(self) -> list[Answer]:
        """Let go of everything: the last answers. It may be used again afterwards."""
        ...


class Rounds:
    """The thread, for one event loop after another.

    It starts with the first job. It ends, after the jobs before that, with `aclose`; or else by itself, when its event
    loop has ended or nobody holds this object any more.

    Args:
        desk: Where the thread works.
        name: The store, as errors and the thread's name have it.
    """

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name
        self._binding = LoopBinding(name)
        self._worker: _Worker | None = None
        self._closed = False

    def __del__(self) -> None:
        if self._worker is not None:
            self._worker.end()

    def open(self) -> None:
        """Take jobs again after `aclose`."""
        self._closed = False

    def ask(self, work: Callable[[Any], Any], *, writes: bool = False) -> asyncio.Future[Any]:
        """Have something done. It is done even if the future is cancelled.

        Raises:
            ClosedError: It is closed.
            ConfigurationError: It is in use in another event loop, or was before this process was forked.
        """
        if self._closed:
            raise ClosedError(f"{self._name} is closed; enter it again with `async with` to go on using it")
        is_new = self._binding.bind()
        if self._worker is None or is_new or self._worker.is_ending:
            self._worker = _Worker(self._desk, self._name, self._worker)
        return self._worker.ask(work, writes=writes)

    async def aclose(self) -> None:
        """Finish the jobs that are waiting, then let go of everything. Harmless if it is closed already."""
        self._closed = True
        worker = self._worker
        if worker is None or self._binding.is_forked:  # a forked process has no thread, and no say
            return
        await worker.aclose()
        if self._worker is worker:
            self._worker = None
            self._binding.unbind()


class _Worker:
    """The thread that works for one event loop.

    Args:
        desk: Where it works.
        name: The thread's name.
        previous: Who worked there before; it is waited for, on the thread.
    """

    def __init__(self, desk: Desk, name: str, previous: _Worker | None) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._previous = previous
        self._asked: list[Job] = []
        self._jobs: queue.SimpleQueue[Sequence[Job | None]] = queue.SimpleQueue()  # ``None`` is the end
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # so that a caller that is cancelled does not cancel it
        self.is_ending = False
        if previous is not None:
            previous.end()
        # A daemon: a program that forgot to close its store ends all the same, like one that is killed.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._at_loop_end = cast("AsyncGeneratorType[None, None]", self._when_the_loop_ends())
        with suppress(StopIteration):  # it waits for nothing on its way to its `yield`
            self._at_loop_end.__anext__().send(None)

    async def _when_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """End with the event loop: one that is shut down, as by ``asyncio.run``, closes its asynchronous generators.

        It gives no other sign of its end.
        https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens
        """
        try:
            yield
        finally:
            await self._ending()

    def ask(self, work: Callable[[Any], Any], *, writes: bool) -> asyncio.Future[Any]:
        """Have something done, from the worker's own event loop."""
        if not self._asked:
            # What is asked in one pass of the loop goes to the thread together; it would make a round of each.
            self._loop.call_soon(self._hand_over)
        future = self._loop.create_future()
        self._asked.append(Job(work, future, writes))
        return future

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        for first in range(0, len(asked), _MOST):
            self._jobs.put(asked[first : first + _MOST])

    def end(self) -> None:
        """Let the thread end after the jobs that were asked for so far."""
        if not self.is_ending:
            self.is_ending = True
            self._hand_over()
            self._jobs.put([None])

    async def aclose(self) -> None:
        """Let the thread end, and wait for it."""
        await self._ending()
        if not self._at_loop_end.ag_running:  # or else the loop is just closing it
            await self._at_loop_end.aclose()

    async def _ending(self) -> None:
        self.end()
        if not self._ended.done():
            await asyncio.wrap_future(self._ended)
        while self._thread.is_alive():  # noqa: ASYNC110 - it has said its last; what it still does gives no sign
            await asyncio.sleep(0)

    def _run(self) -> None:
        if self._previous is not None:
            self._previous._thread.join()  # noqa: SLF001 - of its own kind
            self._previous = None
        try:
            while self._round():
                pass
            _send(self._desk.close())
        finally:
            self._ended.set_result(None)

    def _round(self) -> bool:
        """Do what waits. Whether there is another round."""
        taken = self._take()
        jobs = [job for job in taken if job is not None]
        try:
            _send(self._desk.do(jobs))
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave all callers waiting
            _send(Answer(job.future, error=error) for job in jobs)
        return len(jobs) == len(taken) and (bool(jobs) or not self._loop.is_closed())

    def _take(self) -> list[Job | None]:
        """Wait for jobs, and take those that wait behind them."""
        taken: list[Job | None] = []
        with suppress(queue.Empty):
            taken += self._jobs.get(timeout=self._desk.patience)
            while len(taken) < _MOST:
                taken += self._jobs.get_nowait()
        return taken


def _send(answers: Iterable[Answer]) -> None:
    """Bring all answers to a loop in one call: each call wakes the loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_loop[answer.future.get_loop()].append(answer)
    for loop, its_answers in by_loop.items():
        with suppress(RuntimeError):  # that loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, its_answers)


def _tell(answers: Iterable[Answer]) -> None:
    for answer in answers:
        if answer.future.done():
            continue  # its caller was cancelled
        if answer.error is None:
            answer.future.set_result(answer.value)
        else:
            answer.future.set_exception(answer.error)
