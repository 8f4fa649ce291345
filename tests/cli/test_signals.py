from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator

import pytest

from plivo_record_async.cli.signals import end_signal, terminated_like_ctrl_c


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The process's own handlers, put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_sets_the_event(number: signal.Signals) -> None:
    ended = end_signal()
    assert not ended.is_set()
    signal.raise_signal(number)
    await asyncio.wait_for(ended.wait(), 10)


async def test_signal_sets_the_event_of_an_event_loop_without_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `add_signal_handler`."""

    def missing(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", missing)
    ended = end_signal()
    signal.raise_signal(signal.SIGTERM)
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_acts_like_ctrl_c_even_where_that_is_ignored(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    with terminated_like_ctrl_c() as terminated:
        assert not terminated.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert terminated.is_set()


def test_ctrl_c_is_not_a_termination() -> None:
    with terminated_like_ctrl_c() as terminated:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not terminated.is_set()


def test_signal_handlers_are_restored_after_the_block() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with contextlib.suppress(ZeroDivisionError), terminated_like_ctrl_c():
        assert signal.getsignal(signal.SIGTERM) is not before
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before


def test_signal_handlers_are_not_changed_in_a_thread() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def elsewhere() -> None:
        with terminated_like_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
