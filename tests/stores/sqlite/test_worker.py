"""The thread that works in rounds, with a desk that only writes down what it was given."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from plivo_record_async.errors import ClosedError, ConfigurationError
from plivo_record_async.stores.sqlite.worker import Answer, Job, Rounds


def pair(number: int, desk: object) -> tuple[int, object]:
    return number, desk


class Notebook:
    """A desk that can be held up."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.patience = 10.0
        self.free = threading.Event()
        self.begun = threading.Event()
        self.waited = threading.Event()
        self.closed = False

    def do(self, jobs: list[Job]) -> list[Answer]:
        (self.begun if jobs else self.waited).set()
        self.free.wait(10)
        self.rounds.append(len(jobs))
        return [self.answer(job) for job in jobs]

    def answer(self, job: Job) -> Answer:
        try:
            return Answer(job.future, job.work(self))
        except ValueError as error:
            return Answer(job.future, error=error)

    def close(self) -> list[Answer]:
        self.closed = True
        return []


@pytest.fixture
def desk() -> Notebook:
    desk = Notebook()
    desk.free.set()
    return desk


@pytest.fixture
async def rounds(desk: Notebook) -> AsyncIterator[Rounds]:
    rounds = Rounds(desk, "the store")
    yield rounds
    desk.free.set()
    await rounds.aclose()


async def test_the_work_is_done_on_the_thread_and_answered_here(rounds: Rounds) -> None:
    assert await rounds.ask(lambda _: threading.current_thread().name) == "the store"


async def test_an_error_is_an_answer(rounds: Rounds) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await rounds.ask(lambda _: int("x"))


async def test_what_is_asked_in_one_pass_of_the_loop_is_done_in_one_round(rounds: Rounds, desk: Notebook) -> None:
    await asyncio.gather(*(rounds.ask(partial(pair, number)) for number in range(50)))
    assert desk.rounds == [50]


async def test_what_waits_is_done_together_but_not_too_much_of_it(rounds: Rounds, desk: Notebook) -> None:
    desk.free.clear()
    first = rounds.ask(lambda _: "first")
    assert await asyncio.to_thread(desk.begun.wait, 10)
    others = [rounds.ask(partial(pair, number)) for number in range(1200)]
    desk.free.set()
    assert await first == "first"
    assert await asyncio.gather(*others) == [(number, desk) for number in range(1200)]
    assert desk.rounds == [1, 500, 500, 200]


async def test_what_was_asked_is_done_even_if_nobody_waits_any_more(rounds: Rounds) -> None:
    done: list[str] = []
    rounds.ask(lambda _: done.append("done")).cancel()
    await rounds.ask(lambda _: None)
    assert done == ["done"]


async def test_an_impatient_desk_gets_rounds_without_jobs(rounds: Rounds, desk: Notebook) -> None:
    desk.patience = 0.001
    await rounds.ask(lambda _: None)
    assert await asyncio.to_thread(desk.waited.wait, 10)


async def test_closing_waits_for_the_jobs_before_it_and_refuses_those_after(rounds: Rounds, desk: Notebook) -> None:
    desk.free.clear()
    before = rounds.ask(lambda _: "before")
    closing = asyncio.create_task(rounds.aclose())
    await asyncio.sleep(0)
    with pytest.raises(ClosedError, match="the store is closed; enter it again"):
        rounds.ask(lambda _: "after")
    assert not closing.done()
    desk.free.set()
    await closing
    assert await before == "before"
    assert desk.closed


async def test_who_gives_up_closing_does_not_keep_it_from_closing(rounds: Rounds, desk: Notebook) -> None:
    desk.free.clear()
    rounds.ask(lambda _: None)
    impatient = asyncio.create_task(rounds.aclose())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    desk.free.set()
    await rounds.aclose()
    assert desk.closed


async def test_a_thread_that_was_never_needed_never_was(desk: Notebook) -> None:
    await Rounds(desk, "the store").aclose()
    assert not desk.closed


async def test_a_forked_process_is_told(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    await rounds.ask(lambda _: None)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ConfigurationError, match="before this process was forked; make one in each process"):
        rounds.ask(lambda _: None)
    await rounds.aclose()
    rounds.open()
    with pytest.raises(ConfigurationError, match="before this process was forked; make one in each process"):
        rounds.ask(lambda _: None)
    monkeypatch.undo()
    assert await rounds.ask(lambda _: "of the parent") == "of the parent"


# One event loop after another


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "the store"]


async def test_closing_ends_the_thread_and_opening_begins_another(rounds: Rounds, desk: Notebook) -> None:
    for _ in range(2):
        [thread] = [await rounds.ask(lambda _: threading.current_thread())]
        assert threads() == [thread]
        await rounds.aclose()
        assert not thread.is_alive()
        assert desk.closed
        rounds.open()


async def test_what_is_opened_again_while_it_closes_is_open(rounds: Rounds, desk: Notebook) -> None:
    desk.free.clear()
    before = rounds.ask(lambda _: threading.current_thread())
    closing = asyncio.create_task(rounds.aclose())
    await asyncio.sleep(0)
    rounds.open()
    after = rounds.ask(lambda _: threading.current_thread())
    desk.free.set()
    await closing
    assert await before != await after
    assert threads() == [await after], "one at a time works at the desk"


def test_a_loop_that_ends_ends_the_thread_after_its_jobs(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    done: list[str] = []

    async def leave() -> None:
        rounds.ask(lambda _: done.append("done"))

    for number in range(1, 4):
        asyncio.run(leave())
        assert done == ["done"] * number
        assert desk.closed
        assert threads() == []


def test_a_loop_that_is_closed_without_a_sign_ends_the_thread_too(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    desk.patience = 0.001
    loop = asyncio.new_event_loop()

    async def ask() -> threading.Thread:
        thread: threading.Thread = await rounds.ask(lambda _: threading.current_thread())
        return thread

    thread = loop.run_until_complete(ask())
    assert thread.is_alive()
    loop.close()
    thread.join(10)
    assert not thread.is_alive()
    assert asyncio.run(ask()) is not thread


async def test_whoever_drops_it_ends_the_thread(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    await rounds.ask(lambda _: None)
    [thread] = threads()
    del rounds
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


def test_a_loop_and_its_generators_may_end_at_the_same_time(desk: Notebook) -> None:
    """What a program began in a generator it may end when the loop ends the generators."""
    rounds = Rounds(desk, "the store")
    closed: list[str] = []

    async def resource() -> AsyncIterator[None]:
        await rounds.ask(lambda _: None)
        try:
            yield
        finally:
            await rounds.aclose()
            closed.append("closed")

    async def leave() -> None:
        kept.append(resource())
        await anext(kept[-1])

    kept: list[AsyncIterator[None]] = []
    asyncio.run(leave())
    assert closed == ["closed"]
    assert threads() == []


def test_an_answer_for_a_loop_that_is_gone_disturbs_nobody(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    desk.free.clear()
    ended = asyncio.new_event_loop()
    ended.call_soon(lambda: rounds.ask(lambda _: "for nobody"))
    ended.run_until_complete(asyncio.sleep(0))
    ended.close()

    async def come() -> str:
        answer: str = await rounds.ask(lambda _: "for me")
        return answer

    async def story() -> None:
        coming = asyncio.create_task(come())
        await asyncio.sleep(0)
        desk.free.set()
        assert await coming == "for me"

    asyncio.run(story())


def test_a_loop_that_ends_in_the_middle_of_its_pass_holds_up_no_other(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    ended = asyncio.new_event_loop()
    ended.call_soon(lambda: rounds.ask(partial(pair, 1)))
    ended.call_soon(ended.stop)
    ended.run_forever()
    ended.close()

    async def story() -> tuple[int, object]:
        answer: tuple[int, object] = await asyncio.wait_for(rounds.ask(partial(pair, 2)), 10)
        return answer

    assert asyncio.run(story()) == (2, desk)
