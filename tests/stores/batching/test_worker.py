"""The thread that runs jobs in batches, with a backend that records the sizes of its batches."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError
from plivo_record_async.stores.batching.worker import BatchWorker, Job, JobResult


def pair(number: int, backend: object) -> tuple[int, object]:
    return number, backend


class FakeBackend:
    """A backend that can be made to wait."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.poll_interval = 10.0
        self.free = threading.Event()
        self.begun = threading.Event()
        self.waited = threading.Event()
        self.closed = False

    def run(self, jobs: list[Job]) -> list[JobResult]:
        (self.begun if jobs else self.waited).set()
        self.free.wait(10)
        self.batches.append(len(jobs))
        return [self.answer(job) for job in jobs]

    def answer(self, job: Job) -> JobResult:
        try:
            return JobResult(job.future, job.work(self), on_success=job.on_success)
        except ValueError as error:
            return JobResult(job.future, error=error)

    def close(self) -> list[JobResult]:
        self.closed = True
        return []


@pytest.fixture
def backend() -> FakeBackend:
    backend = FakeBackend()
    backend.free.set()
    return backend


@pytest.fixture
async def worker(backend: FakeBackend) -> AsyncIterator[BatchWorker]:
    worker = BatchWorker(backend, "the store")
    yield worker
    backend.free.set()
    await worker.aclose()


async def test_job_runs_in_the_thread_and_its_result_arrives_in_the_event_loop(worker: BatchWorker) -> None:
    assert await worker.submit(lambda _: threading.current_thread().name) == "the store"


async def test_error_of_a_job_is_raised_at_its_caller(worker: BatchWorker) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await worker.submit(lambda _: int("x"))


async def test_jobs_of_one_iteration_of_the_event_loop_are_one_batch(worker: BatchWorker, backend: FakeBackend) -> None:
    await asyncio.gather(*(worker.submit(partial(pair, number)) for number in range(50)))
    assert backend.batches == [50]


async def test_waiting_jobs_run_in_batches_of_limited_size(worker: BatchWorker, backend: FakeBackend) -> None:
    backend.free.clear()
    first = worker.submit(lambda _: "first")
    assert await asyncio.to_thread(backend.begun.wait, 10)
    others = [worker.submit(partial(pair, number)) for number in range(1200)]
    backend.free.set()
    assert await first == "first"
    assert await asyncio.gather(*others) == [(number, backend) for number in range(1200)]
    assert backend.batches == [1, 500, 500, 200]


async def test_job_runs_even_if_its_caller_is_cancelled(worker: BatchWorker) -> None:
    done: list[str] = []
    worker.submit(lambda _: done.append("done")).cancel()
    await worker.submit(lambda _: None)
    assert done == ["done"]


async def test_empty_batch_runs_after_the_poll_interval(worker: BatchWorker, backend: FakeBackend) -> None:
    backend.poll_interval = 0.001
    await worker.submit(lambda _: None)
    assert await asyncio.to_thread(backend.waited.wait, 10)


async def test_closing_runs_earlier_jobs_and_later_ones_raise_closed_error(
    worker: BatchWorker, backend: FakeBackend
) -> None:
    backend.free.clear()
    before = worker.submit(lambda _: "before")
    closing = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    with pytest.raises(ClosedError, match="the store is closed; enter it again"):
        worker.submit(lambda _: "after")
    assert not closing.done()
    backend.free.set()
    await closing
    assert await before == "before"
    assert backend.closed


async def test_cancelled_closing_can_be_repeated(worker: BatchWorker, backend: FakeBackend) -> None:
    backend.free.clear()
    worker.submit(lambda _: None)
    impatient = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    backend.free.set()
    await worker.aclose()
    assert backend.closed


async def test_closing_an_unused_worker_starts_no_thread(backend: FakeBackend) -> None:
    await BatchWorker(backend, "the store").aclose()
    assert not backend.closed


async def test_forked_process_gets_an_error(worker: BatchWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    await worker.submit(lambda _: None)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ConfigurationError, match="before this process was forked; make one in each process"):
        worker.submit(lambda _: None)
    await worker.aclose()
    worker.open()
    with pytest.raises(ConfigurationError, match="before this process was forked; make one in each process"):
        worker.submit(lambda _: None)
    monkeypatch.undo()
    assert await worker.submit(lambda _: "of the parent") == "of the parent"


# One event loop after another


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "the store"]


async def test_closing_ends_the_thread_and_reopening_starts_another(worker: BatchWorker, backend: FakeBackend) -> None:
    for _ in range(2):
        [thread] = [await worker.submit(lambda _: threading.current_thread())]
        assert threads() == [thread]
        await worker.aclose()
        assert not thread.is_alive()
        assert backend.closed
        worker.open()


async def test_worker_can_be_reopened_while_it_is_closing(worker: BatchWorker, backend: FakeBackend) -> None:
    backend.free.clear()
    before = worker.submit(lambda _: threading.current_thread())
    closing = asyncio.create_task(worker.aclose())
    await asyncio.sleep(0)
    worker.open()
    after = worker.submit(lambda _: threading.current_thread())
    backend.free.set()
    await closing
    assert await before != await after
    assert threads() == [await after], "only one thread at a time uses the backend"


def test_end_of_the_event_loop_ends_the_thread_after_its_jobs(backend: FakeBackend) -> None:
    worker = BatchWorker(backend, "the store")
    done: list[str] = []

    async def leave() -> None:
        worker.submit(lambda _: done.append("done"))

    for number in range(1, 4):
        asyncio.run(leave())
        assert done == ["done"] * number
        assert backend.closed
        assert threads() == []


def test_thread_ends_when_its_event_loop_was_closed_without_shutdown(backend: FakeBackend) -> None:
    worker = BatchWorker(backend, "the store")
    backend.poll_interval = 0.001
    loop = asyncio.new_event_loop()

    async def execute_sql() -> threading.Thread:
        thread: threading.Thread = await worker.submit(lambda _: threading.current_thread())
        return thread

    thread = loop.run_until_complete(execute_sql())
    assert thread.is_alive()
    loop.close()
    thread.join(10)
    assert not thread.is_alive()
    assert asyncio.run(execute_sql()) is not thread


async def test_garbage_collected_worker_ends_its_thread(backend: FakeBackend) -> None:
    worker = BatchWorker(backend, "the store")
    await worker.submit(lambda _: None)
    [thread] = threads()
    del worker
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def test_worker_can_be_closed_by_a_generator_that_the_event_loop_closes(backend: FakeBackend) -> None:
    """A generator may close the worker in its ``finally`` block."""
    worker = BatchWorker(backend, "the store")
    closed: list[str] = []

    async def resource() -> AsyncIterator[None]:
        await worker.submit(lambda _: None)
        try:
            yield
        finally:
            await worker.aclose()
            closed.append("closed")

    async def leave() -> None:
        kept.append(resource())
        await anext(kept[-1])

    kept: list[AsyncIterator[None]] = []
    asyncio.run(leave())
    assert closed == ["closed"]
    assert threads() == []


def test_result_for_a_closed_event_loop_is_dropped(backend: FakeBackend) -> None:
    worker = BatchWorker(backend, "the store")
    backend.free.clear()
    ended = asyncio.new_event_loop()
    ended.call_soon(lambda: worker.submit(lambda _: "for nobody"))
    ended.run_until_complete(asyncio.sleep(0))
    ended.close()

    async def come() -> str:
        answer: str = await worker.submit(lambda _: "for me")
        return answer

    async def story() -> None:
        coming = asyncio.create_task(come())
        await asyncio.sleep(0)
        backend.free.set()
        assert await coming == "for me"

    asyncio.run(story())


def test_event_loop_that_is_closed_before_handing_over_its_jobs_does_not_delay_the_next(backend: FakeBackend) -> None:
    worker = BatchWorker(backend, "the store")
    ended = asyncio.new_event_loop()
    ended.call_soon(lambda: worker.submit(partial(pair, 1)))
    ended.call_soon(ended.stop)
    ended.run_forever()
    ended.close()

    async def story() -> tuple[int, object]:
        answer: tuple[int, object] = await asyncio.wait_for(worker.submit(partial(pair, 2)), 10)
        return answer

    assert asyncio.run(story()) == (2, backend)


# Callbacks and errors of the backend


async def test_on_success_gets_the_value_even_if_the_caller_is_cancelled(worker: BatchWorker) -> None:
    values: list[str] = []
    worker.submit(lambda _: "value", on_success=values.append).cancel()
    with pytest.raises(ValueError, match="invalid literal"):
        await worker.submit(lambda _: int("x"), on_success=values.append)
    assert await worker.submit(lambda _: "second", on_success=values.append) == "second"
    assert values == ["value", "second"]


async def test_error_of_the_backend_is_raised_at_all_callers_of_the_batch(
    worker: BatchWorker, backend: FakeBackend
) -> None:
    backend.batches = cast("list[int]", None)  # lets `run` fail
    results = await asyncio.gather(*(worker.submit(partial(pair, n)) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [AttributeError] * 3
    backend.batches = []
    assert await worker.submit(lambda _: "next") == "next"
