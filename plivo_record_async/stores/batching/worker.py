"""`BatchWorker`, a thread that runs blocking jobs in batches.

All jobs that are waiting when a batch begins are run together. A `Backend` runs them, so this module contains nothing
about databases.
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

__all__ = ["Backend", "BatchWorker", "Job", "JobResult"]

_BATCH_SIZE: Final = 500
"""The approximate largest number of jobs in one batch. In a larger batch, the first jobs would wait too long."""


class Job(NamedTuple):
    """A job that runs in the thread.

    Attributes:
        work: The function that does the job. Its argument is the object that the backend passes to its jobs.
        future: The future that receives the result.
        writes: Whether the job changes anything.
        on_success: A function that is called in the event loop with the value that ``work`` returned, also if the
            future was cancelled. It must not raise an exception. If None, no function is called.
    """

    work: Callable[[Any], Any]
    future: asyncio.Future[Any]
    writes: bool
    on_success: Callable[[Any], None] | None = None


class JobResult(NamedTuple):
    """The result of a job: the error, or the value if there is no error.

    Attributes:
        future: The future that receives the result.
        value: The value that the job returned.
        error: The exception that the job raised. If None, it raised none.
        on_success: The ``on_success`` of the job.
    """

    future: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None
    on_success: Callable[[Any], None] | None = None


class Backend(Protocol):
    """The object that runs the jobs. Only one thread at a time calls its methods."""

    @property
    def poll_interval(self) -> float:
        """How long to wait for a job, in seconds, before an empty batch is run."""
        ...

    def run(self, jobs: list[Job]) -> list[JobResult]:
        """Run one batch.

        Args:
            jobs: The jobs.

        Returns:
            The results of these jobs, and of earlier ones that can be completed now.
        """
        ...

    def close(self) -> list[JobResult]:
        """Release all resources. The backend may be used again afterwards.

        Returns:
            The results of all jobs that were not completed.
        """
        ...


class BatchWorker:
    """A thread that runs the jobs of a backend. It may be used in one event loop after another.

    The thread starts with the first job. It ends with `aclose`, after the jobs that were submitted before. It also ends
    when its event loop ends, or when this object is garbage collected.

    Args:
        backend: The backend.
        name: The name of the store, for error messages and for the thread.
    """

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._name = name
        self._binding = LoopBinding(name)
        self._thread: _Thread | None = None
        self._closed = False

    def __del__(self) -> None:
        if self._thread is not None:
            self._thread.end()

    def open(self) -> None:
        """Accept jobs again after `aclose`."""
        self._closed = False

    def submit(
        self, work: Callable[[Any], Any], *, writes: bool = False, on_success: Callable[[Any], None] | None = None
    ) -> asyncio.Future[Any]:
        """Run a job in the thread. The job is also run if the future is cancelled.

        Args:
            work: The function that does the job.
            writes: Whether the job changes anything.
            on_success: A function that is called with the value that the job returned, before the future receives the
                value, also if the future was cancelled. It must not raise an exception. If None, no function is called.

        Returns:
            A future that receives the value that the job returned.

        Raises:
            ClosedError: The worker is closed.
            ConfigurationError: The worker is in use in another event loop, or it was in use before this process was
                forked.
        """
        if self._closed:
            raise ClosedError(f"{self._name} is closed; enter it again with `async with` to continue")
        is_new = self._binding.bind()
        if self._thread is None or is_new or self._thread.is_ending:
            self._thread = _Thread(self._backend, self._name, self._thread)
        return self._thread.submit(Job(work, asyncio.get_running_loop().create_future(), writes, on_success))

    async def aclose(self) -> None:
        """Run the jobs that are waiting, and close the backend. Closing it again has no effect."""
        self._closed = True
        thread = self._thread
        if thread is None or self._binding.is_forked:  # a forked process has no thread and must not use the file
            return
        await thread.aclose()
        if self._thread is thread:
            self._thread = None
            self._binding.unbind()


class _Thread:
    """The thread for one event loop.

    Args:
        backend: The backend.
        name: The name of the thread.
        previous: The thread that used the backend before. The new thread waits until it has ended. If None, there is
            none.
    """

    def __init__(self, backend: Backend, name: str, previous: _Thread | None) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._previous = previous
        self._submitted: list[Job] = []
        self._queue: queue.SimpleQueue[Sequence[Job | None]] = queue.SimpleQueue()  # None ends the thread
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # so that a caller that is cancelled does not cancel it
        self.is_ending = False
        if previous is not None:
            previous.end()
        # A daemon thread, so that a program that does not close its store can end.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._at_loop_end = cast("AsyncGeneratorType[None, None]", self._when_the_loop_ends())
        with suppress(StopIteration):  # the generator waits for nothing before its `yield`
            self._at_loop_end.__anext__().send(None)

    async def _when_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """End the thread when the event loop ends.

        ``asyncio.run`` closes the asynchronous generators of its event loop. An event loop has no other signal for its
        end.
        https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens
        """
        try:
            yield
        finally:
            await self._wait_until_ended()

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """Run a job in the thread. This method must be called in the event loop of the thread."""
        if not self._submitted:
            # All jobs of one iteration of the event loop are handed over together. Otherwise each would be a batch.
            self._loop.call_soon(self._hand_over)
        self._submitted.append(job)
        return job.future

    def _hand_over(self) -> None:
        submitted, self._submitted = self._submitted, []
        for first in range(0, len(submitted), _BATCH_SIZE):
            self._queue.put(submitted[first : first + _BATCH_SIZE])

    def end(self) -> None:
        """Let the thread end after the jobs that were submitted."""
        if not self.is_ending:
            self.is_ending = True
            self._hand_over()
            self._queue.put([None])

    async def aclose(self) -> None:
        """End the thread and wait for its end."""
        await self._wait_until_ended()
        if not self._at_loop_end.ag_running:  # otherwise the event loop is closing the generator now
            await self._at_loop_end.aclose()

    async def _wait_until_ended(self) -> None:
        self.end()
        if not self._ended.done():
            await asyncio.wrap_future(self._ended)
        while self._thread.is_alive():  # noqa: ASYNC110 - its work is done, and the very end of a thread gives no signal
            await asyncio.sleep(0)

    def _run(self) -> None:
        if self._previous is not None:
            self._previous._thread.join()  # noqa: SLF001 - of the same class
            self._previous = None
        try:
            while self._run_batch():
                pass
            _deliver(self._backend.close())
        finally:
            self._ended.set_result(None)

    def _run_batch(self) -> bool:
        """Run the jobs that are waiting.

        Returns:
            Whether the thread must continue.
        """
        taken = self._take()
        jobs = [job for job in taken if job is not None]
        try:
            _deliver(self._backend.run(jobs))
        except Exception as error:  # noqa: BLE001 - if the thread ended here, its callers would wait for ever
            _deliver(JobResult(job.future, error=error) for job in jobs)
        return len(jobs) == len(taken) and (bool(jobs) or not self._loop.is_closed())

    def _take(self) -> list[Job | None]:
        """Wait for a job, and return it together with the jobs that are waiting after it."""
        taken: list[Job | None] = []
        with suppress(queue.Empty):
            taken += self._queue.get(timeout=self._backend.poll_interval)
            while len(taken) < _BATCH_SIZE:
                taken += self._queue.get_nowait()
        return taken


def _deliver(results: Iterable[JobResult]) -> None:
    """Pass the results to their event loops, all results of one event loop in one call, because each call wakes it."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[JobResult]] = defaultdict(list)
    for result in results:
        by_loop[result.future.get_loop()].append(result)
    for loop, its_results in by_loop.items():
        with suppress(RuntimeError):  # the event loop is closed, so nobody waits for the results
            loop.call_soon_threadsafe(_complete, its_results)


def _complete(results: Iterable[JobResult]) -> None:
    """Complete the futures. This function runs in their event loop."""
    for result in results:
        if result.error is None and result.on_success is not None:
            result.on_success(result.value)
        if result.future.done():
            continue  # its caller was cancelled
        if result.error is None:
            result.future.set_result(result.value)
        else:
            result.future.set_exception(result.error)
