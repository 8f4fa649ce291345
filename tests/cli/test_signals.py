from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from plivo_record_async.cli.signals import end_signal, terminate_like_ctrl_c


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


def test_sigterm_does_what_ctrl_c_does() -> None:
    terminate_like_ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_in_a_thread_the_handlers_stay_as_they_are() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=terminate_like_ctrl_c)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
