from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import aclosing, suppress

import pytest

from plivo_record_async import NotFoundError, NotSentError, OutcomeUnknownError, RecordClient
from plivo_record_async.cli.output.exit_codes import ExitCode
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.cli.signals import (
    EndSignal,
    Terminated,
    cancelled_by,
    end_signal,
    ending_early,
    reading_client,
    run_reading,
)
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, serve_answers, start_command


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the signal handlers of the process after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
async def test_signal_sets_the_event_and_the_exit_code(number: signal.Signals, code: ExitCode) -> None:
    ended = end_signal()
    assert (ended.is_set(), ended.exit_code) == (False, None)
    signal.raise_signal(number)
    await asyncio.wait_for(ended.wait(), 10)
    assert (ended.number, ended.exit_code, ended.repeated.is_set()) == (number, code, False)


async def test_second_signal_sets_another_event() -> None:
    ended = end_signal()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    await asyncio.wait_for(ended.repeated.wait(), 10)
    assert ended.exit_code is ExitCode.TERMINATED


async def test_signal_sets_the_event_of_an_event_loop_without_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `add_signal_handler`."""

    def missing(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", missing)
    ended = end_signal()
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
async def test_second_signal_interrupts_an_event_loop_that_is_blocked(
    number: signal.Signals, error: type[KeyboardInterrupt], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    clock = loop.time
    end_signal()
    signal.raise_signal(number)
    monkeypatch.setattr(loop, "time", lambda: clock() + 1)
    with pytest.raises(KeyboardInterrupt) as raised:
        signal.raise_signal(number)
    assert type(raised.value) is error


async def test_signals_end_a_process_whose_output_nobody_reads() -> None:
    reading, writing = os.pipe()
    process = await start_command("http://127.0.0.1:9", "batch", "start", stdout=writing)
    os.close(writing)
    assert process.stdin is not None
    process.stdin.write((b"{" + b"a" * 10_000 + b"\n") * 20)  # the lines are invalid; they fill the pipe when printed
    process.stdin.close()
    await asyncio.to_thread(os.read, reading, 1)
    while process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.6)
    os.close(reading)
    # A further signal that arrives while the interpreter ends kills the process, which a shell reports as 143 too.
    assert process.returncode in {143, -signal.SIGTERM}


def test_signal_handlers_are_not_changed_in_a_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    async def in_a_thread() -> None:
        assert not end_signal().is_set()
        seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=asyncio.run, args=(in_a_thread(),))
    thread.start()
    thread.join()
    assert seen == [before]


class SilentPlivo:
    """Answers only after the test permits it."""

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    async def answer(self, _: str) -> bytes:
        self.asked.set()
        await self.answers.wait()
        return b"404 Not Found"


async def test_call_that_was_sent_is_awaited_and_others_are_dropped() -> None:
    plivo, ended = SilentPlivo(), EndSignal()
    errors: dict[str, Exception | None] = {}
    async with (
        serve_answers(plivo.answer) as url,
        RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url, max_connections=1) as client,
        ending_early(client, ended, on_end=plivo.answers.set),
        aclosing(client.start_many(["sent", "waiting"])) as outcomes,
    ):
        asyncio.create_task(plivo.asked.wait()).add_done_callback(lambda _: ended.receive(signal.SIGTERM))
        async for outcome in outcomes:
            errors[outcome.request] = outcome.error
    assert "404" in str(errors["sent"])
    assert isinstance(errors["waiting"], NotSentError)


def test_first_signal_is_printed_with_its_consequence(capsys: pytest.CaptureFixture[str]) -> None:
    ended = EndSignal(Printer(as_json=False), "the recordings are stopped")
    for _ in range(2):
        ended.receive(signal.SIGTERM)
    assert capsys.readouterr().err == (
        "error: terminated; the recordings are stopped. A second signal ends the command at once\n"
    )


async def test_after_a_second_signal_the_outcome_is_unknown() -> None:
    plivo, ended = SilentPlivo(), EndSignal()
    async with serve_answers(plivo.answer) as url:
        async with (
            RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client,
            ending_early(client, ended),
        ):
            starting = asyncio.create_task(client.start_recording("a"))
            await plivo.asked.wait()
            ended.receive(signal.SIGINT)
            ended.receive(signal.SIGINT)
            with pytest.raises(OutcomeUnknownError):
                await starting
        plivo.answers.set()


async def test_second_signal_ends_the_wait_for_a_call_that_the_block_has_left() -> None:
    plivo, ended = SilentPlivo(), EndSignal()
    async with serve_answers(plivo.answer) as url:
        async with RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
            async with ending_early(client, ended):
                starting = asyncio.create_task(client.start_recording("a"))
                await plivo.asked.wait()
                ended.receive(signal.SIGTERM)
                asyncio.get_running_loop().call_later(0.1, ended.receive, signal.SIGTERM)
            assert ended.repeated.is_set(), "the block ends when the call is no longer awaited"
            with pytest.raises(OutcomeUnknownError):
                await starting
        plivo.answers.set()


async def test_block_ends_when_the_calls_that_were_sent_have_ended() -> None:
    plivo, ended = SilentPlivo(), EndSignal()
    async with serve_answers(plivo.answer) as url, RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url) as client:
        async with ending_early(client, ended):
            starting = asyncio.create_task(client.start_recording("a"))
            await plivo.asked.wait()
            ended.receive(signal.SIGTERM)
            asyncio.get_running_loop().call_later(0.1, plivo.answers.set)
        assert starting.done(), "the call is awaited although the block was left"
        with pytest.raises(NotFoundError):
            await starting


async def test_command_may_end_itself() -> None:
    ended, called = EndSignal(), asyncio.Event()
    async with RecordClient(AUTH_ID, AUTH_TOKEN) as client, ending_early(client, ended, grace=0, on_end=called.set):
        ended.set()
        await called.wait()
        assert ended.exit_code is None


async def test_block_is_cancelled_when_a_command_is_to_end_early() -> None:
    ended, reached = EndSignal(), list[str]()
    asyncio.get_running_loop().call_soon(ended.set)
    async with cancelled_by(ended):
        await asyncio.Event().wait()
        reached.append("inside")
    reached.append("after")
    assert reached == ["after"]


async def test_timeout_of_what_runs_in_the_block_is_raised() -> None:
    with pytest.raises(TimeoutError, match="of its own"):
        async with cancelled_by(EndSignal()):
            raise TimeoutError("of its own")


def test_reading_returns_its_exit_code_or_prints_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    async def succeed() -> ExitCode:
        return ExitCode.FAILED

    async def fail() -> ExitCode:
        raise OutcomeUnknownError("reading", "no answer", phase="answer", evidence="reset", repeatable=True)

    assert run_reading(succeed(), Printer(as_json=False)) is ExitCode.FAILED
    assert run_reading(fail(), Printer(as_json=False)) is ExitCode.FAILED
    assert capsys.readouterr().err.startswith("error: reading: no answer")


def test_signal_ends_a_reading_with_its_consequence(capsys: pytest.CaptureFixture[str]) -> None:
    async def wait() -> ExitCode:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()
        return ExitCode.DONE

    assert run_reading(wait(), Printer(as_json=False), "; nothing was changed") is ExitCode.TERMINATED
    assert capsys.readouterr().err == "error: terminated; nothing was changed\n"


async def test_cancelled_reading_does_not_wait_for_its_response() -> None:
    plivo = SilentPlivo()
    async with serve_answers(plivo.answer) as url:

        async def read() -> None:
            async with reading_client(RecordClient(AUTH_ID, AUTH_TOKEN, base_url=url)) as client:
                await client.get_conference("a")

        reading = asyncio.create_task(read())
        await plivo.asked.wait()
        reading.cancel()
        done, _ = await asyncio.wait([reading], timeout=5)
        plivo.answers.set()
    assert done == {reading}
