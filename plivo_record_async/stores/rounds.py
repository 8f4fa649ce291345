"""One thread for what blocks, working in rounds: whatever is waiting when a round begins is done together.

It knows nothing of databases; what is done in a round is the `Desk`'s business.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from plivo_record_async.errors import StoreError

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
    """Where the thread works; it alone calls these."""

    @property
    def patience(self) -> float | None:
        """Seconds to wait for a job before a round without one; ``None`` to wait for ever."""
        ...

    def do(self, jobs: list[Job]) -> list[Answer]:
        """One round: the answers to these jobs, and to earlier ones that can be answered now."""
        ...

    def close(self) -> list[Answer]:
        """Let go of everything: the last answers."""
        ...


class Rounds:
    """The thread. It starts with the first job and ends with `aclose`, after the jobs before that."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name
        self._asked: list[Job] = []
        self._jobs: queue.SimpleQueue[Sequence[Job | asyncio.Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closing: asyncio.Future[None] | None = None

    def ask(self, work: Callable[[Any], Any], *, writes: bool = False) -> asyncio.Future[Any]:
        """Have something done. It is done even if the future is cancelled.

        Raises:
            StoreError: The store is closed, or the process was forked after the thread had started.
        """
        if self._closing is not None:
            raise StoreError(f"{self._name} is closed")
        if self._thread is None:
            # A daemon: a program that forgot to close its store ends all the same, like one that is killed.
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._pid = os.getpid()
            self._thread.start()
        elif os.getpid() != self._pid:
            raise StoreError(f"{self._name} was in use before this process was forked; make one in each process")
        loop = asyncio.get_running_loop()
        if not self._asked or self._asked[-1].future.get_loop() is not loop:  # a loop may have ended with its pass
            # What is asked in one pass of the loop goes to the thread together; it would make a round of each.
            loop.call_soon(self._hand_over)
        future = loop.create_future()
        self._asked.append(Job(work, future, writes))
        return future

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        for first in range(0, len(asked), _MOST):
            self._jobs.put(asked[first : first + _MOST])

    async def aclose(self) -> None:
        """Finish the jobs that are waiting, then let go of everything."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_future()
            if self._thread is None or os.getpid() != self._pid:  # a forked process has no thread, and no say
                self._closing.set_result(None)
            else:
                self._hand_over()
                self._jobs.put([self._closing])
        await asyncio.shield(self._closing)

    def _run(self) -> None:
        closed: list[Answer] = []
        while not closed:
            taken = self._take()
            closed = [Answer(item) for item in taken if not isinstance(item, Job)]
            jobs = [item for item in taken if isinstance(item, Job)]
            try:
                _send(self._desk.do(jobs))
            except Exception as error:  # noqa: BLE001 - a thread that dies would leave all callers waiting
                _send(Answer(job.future, error=error) for job in jobs)
        try:
            _send(self._desk.close())
        finally:
            _send(closed)

    def _take(self) -> list[Job | asyncio.Future[None]]:
        """Wait for jobs, and take those that wait behind them."""
        taken: list[Job | asyncio.Future[None]] = []
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
