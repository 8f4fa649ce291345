"""The thread that works in rounds, with a desk that only writes down what it was given."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from plivo_record_async.errors import StoreError
from plivo_record_async.stores.rounds import Answer, Job, Rounds


def pair(number: int, desk: object) -> tuple[int, object]:
    return number, desk


class Notebook:
    """A desk that can be held up."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.patience: float | None = None
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
    with pytest.raises(StoreError, match="the store is closed"):
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
    with pytest.raises(StoreError, match="before this process was forked"):
        rounds.ask(lambda _: None)


def test_an_answer_for_a_loop_that_is_gone_disturbs_nobody(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    desk.free.clear()

    async def leave() -> None:
        rounds.ask(lambda _: "for nobody")

    asyncio.run(leave())
    desk.free.set()

    async def come() -> str:
        answer: str = await rounds.ask(lambda _: "for me")
        return answer

    assert asyncio.run(come()) == "for me"
    asyncio.run(rounds.aclose())


def test_a_loop_that_ends_in_the_middle_of_its_pass_holds_up_no_other(desk: Notebook) -> None:
    rounds = Rounds(desk, "the store")
    ended = asyncio.new_event_loop()
    ended.call_soon(lambda: rounds.ask(partial(pair, 1)))
    ended.call_soon(ended.stop)
    ended.run_forever()
    ended.close()

    async def story() -> tuple[int, object]:
        answer: tuple[int, object] = await asyncio.wait_for(rounds.ask(partial(pair, 2)), 10)
        await rounds.aclose()
        return answer

    assert asyncio.run(story()) == (2, desk)
