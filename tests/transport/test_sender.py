"""The attempts of a client: how they wait, when they end, and what cancelling and closing do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import httpx
import pytest

from plivo_record_async import ClosedError, ConfigurationError, NotSentError, OutcomeUnknownError, RateLimit, _clock
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import LONGEST_PAUSE, QUOTA_PERIOD, Response
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.settings import Settings
from plivo_record_async.transport.attempt import Call
from plivo_record_async.transport.connectors.choice import open_connector
from plivo_record_async.transport.observed_call import ObservedCall
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.sender import Sender
from tests.support import virtual_time

SETTINGS = Settings(auth_id="MAXXXXXXXXXXXXXXXXXX", auth_token="t", base_url="http://h")

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def now() -> float:
    return asyncio.get_running_loop().time()


def sender_over(handler: Handler, *, quota: Quota | None = None, max_connections: int = 32) -> Sender:
    connector = open_connector(SETTINGS, httpx.MockTransport(handler))
    return Sender(connector, quota or Quota(None), api_url=SETTINGS.api_url, max_connections=max_connections)


def sender_with(transport: httpx.AsyncBaseTransport) -> Sender:
    return Sender(open_connector(SETTINGS, transport), Quota(None), api_url=SETTINGS.api_url, max_connections=32)


class Closes(httpx.MockTransport):
    """A transport that counts how often it is closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


def call_of(request: Request[Any], seconds: float) -> Call[Any]:
    return Call(request=request, observed=ObservedCall.of(request), deadline=now() + seconds)


def start(name: str = "standup", *, seconds: float = 30.0) -> Call[Any]:
    return call_of(endpoints.start_recording(StartRequest(name)), seconds)


def stop(name: str = "standup", *, seconds: float = 30.0) -> Call[Any]:
    return call_of(endpoints.stop_recording(StopRequest(name)), seconds)


async def sent(request: httpx.Request) -> None:
    """Report that sending begins, as httpcore does."""
    info = {"request": httpcore.Request("POST", "http://h/")}
    await request.extensions["trace"]("http11.send_request_headers.started", info)


async def connecting(request: httpx.Request) -> None:
    await request.extensions["trace"]("connection.connect_tcp.started", {})


class Server:
    """A server that reports how far a request got, and responds after ``seconds``."""

    def __init__(
        self, seconds: float = 1.0, *, tell: Callable[[httpx.Request], Coroutine[None, None, None]] = sent, **more: Any
    ) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.under_way = self.most = 0
        self._seconds = seconds
        self._tell = tell
        self._answer: dict[str, Any] = {"status_code": 202, "json": {"api_id": "a"}} | more

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.split("/")[-3]
        self.began.append(name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self._tell(request)
            await asyncio.sleep(self._seconds)
        finally:
            self.under_way -= 1
        self.ended.append(name)
        return httpx.Response(**self._answer)


def test_whole_response_is_returned() -> None:
    async def main() -> None:
        sender = sender_over(Server(status_code=418, headers={"X-Tea": "Pot"}, json={"error": "tea"}))
        response = await sender.send(start())
        assert (response.status, response.complete, response.headers["x-tea"]) == (418, True, "Pot")
        assert response.data == {"error": "tea"}
        assert response.sent_at is not None

    virtual_time.run(main())


@pytest.mark.parametrize("status", [202, 404, 429, 502])
def test_every_response_updates_the_clock_of_plivo(status: int) -> None:
    async def main() -> None:
        tomorrow = _clock.now() + timedelta(days=1)
        sender = sender_over(Server(status_code=status, headers={"Date": format_datetime(tomorrow, usegmt=True)}))
        for _ in range(2):
            await sender.send(start())
        told = sender.plivo_clock.time(_clock.read())
        assert told is not None
        assert abs(told - tomorrow) < timedelta(seconds=10)

    virtual_time.run(main())


@pytest.mark.parametrize("max_connections", [1, 3, 32])
def test_concurrency_is_limited_and_all_calls_are_sent(max_connections: int) -> None:
    async def main() -> None:
        server = Server()
        sender = sender_over(server, max_connections=max_connections)
        names = [f"room-{number}" for number in range(100)]
        await asyncio.gather(*(sender.send(start(name, seconds=1_000)) for name in names))
        assert server.most == max_connections
        assert server.began == names

    virtual_time.run(main())


# Deadlines


def test_call_that_waits_too_long_for_a_connection_is_not_sent() -> None:
    async def main() -> None:
        server = Server(60.0)
        sender = sender_over(server, max_connections=1)
        first = asyncio.create_task(sender.send(start("first", seconds=100)))
        await asyncio.sleep(1)
        with pytest.raises(NotSentError, match="waiting for a free connection") as caught:
            await sender.send(start("second", seconds=10))
        assert now() == pytest.approx(11)
        error = caught.value
        assert (error.phase, error.attempts, error.operation) == ("queue", 1, "start of 'second'")
        assert error.called_at is not None
        assert error.failed_at is not None
        await first
        assert server.began == ["first"]

    virtual_time.run(main())


@pytest.mark.parametrize("why", ["used up", "paused"])
def test_call_that_waits_too_long_for_the_quota_is_not_sent(why: str) -> None:
    async def main() -> None:
        server, quota = Server(), Quota(RateLimit(1, per=60.0))
        sender = sender_over(server, quota=quota)
        if why == "used up":
            await sender.send(start("first"))
        else:
            quota.pause(50)
        before = now()
        with pytest.raises(NotSentError, match="waiting for the account's quota") as caught:
            await sender.send(start("second", seconds=10))
        assert now() - before == pytest.approx(10)
        assert caught.value.phase == "quota"
        assert "second" not in server.began

    virtual_time.run(main())


@pytest.mark.parametrize("call", [start, stop])
def test_call_without_a_response_in_time_is_unknown(call: Callable[..., Call[Any]]) -> None:
    async def main() -> None:
        server = Server(1e6)
        with pytest.raises(OutcomeUnknownError, match="the deadline passed") as caught:
            await sender_over(server).send(call(seconds=10))
        assert now() == pytest.approx(10)
        assert server.under_way == 0
        assert caught.value.repeatable is (call is stop)
        assert caught.value.sent_at is not None

    virtual_time.run(main())


def test_call_that_does_not_connect_in_time_is_not_sent() -> None:
    async def main() -> None:
        with pytest.raises(NotSentError, match="the deadline passed") as caught:
            await sender_over(Server(1e6, tell=connecting)).send(start(seconds=10))
        assert caught.value.phase == "connect"
        assert now() == pytest.approx(10)

    virtual_time.run(main())


def test_incomplete_response_keeps_the_part_that_arrived() -> None:
    async def main() -> None:
        async def half() -> AsyncIterator[bytes]:
            yield b'{"api_id"'
            await asyncio.sleep(1e6)

        async def handler(request: httpx.Request) -> httpx.Response:
            return httpx.Response(202, content=half())

        response = await sender_over(handler).send(start(seconds=10))
        assert (response.status, response.body, response.complete) == (202, b'{"api_id"', False)
        assert now() == pytest.approx(10)

    virtual_time.run(main())


# The quota


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, QUOTA_PERIOD),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "soon"}, QUOTA_PERIOD),
        ({"Retry-After": "9" * 30}, LONGEST_PAUSE),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"Retry-After": "Fri, 31 Dec 9999 00:00:00 GMT"}, LONGEST_PAUSE),
    ],
)
def test_429_pauses_all_calls(headers: dict[str, str], pause: float) -> None:
    async def main() -> float:
        quota = Quota(None)
        sender = sender_over(Server(0.0, status_code=429, headers=headers), quota=quota)
        response = await sender.send(start())
        assert response.status == 429
        return quota.paused_for

    assert virtual_time.run(main()) == pytest.approx(pause)


def test_quota_is_returned_at_once_if_nothing_was_sent() -> None:
    async def refuse(request: httpx.Request) -> httpx.Response:
        await connecting(request)
        raise httpcore.ConnectError("refused")

    async def main() -> None:
        sender = sender_over(refuse, quota=Quota(RateLimit(1, per=60.0)))
        for _ in range(100):
            with pytest.raises(NotSentError, match="ConnectError: refused"):
                await sender.send(start())
        assert now() == 0.0

    virtual_time.run(main())


# A quota that is shared with other processes


class Leased(Quota):
    """A quota whose permits become invalid while a connection is opened."""

    def __init__(self, *, trouble: str | None = None) -> None:
        super().__init__(RateLimit(1, per=60.0))
        self.valid = True
        self.users = 0
        self._trouble = trouble

    @property
    def trouble(self) -> str | None:
        return self._trouble

    async def open(self) -> Callable[[], Awaitable[None]]:
        self.users += 1
        return self._close

    async def _close(self) -> None:
        self.users -= 1

    def _permit(self) -> Callable[[], bool]:
        return lambda: self.valid


def test_request_is_not_sent_if_the_lease_ended_while_connecting() -> None:
    quota = Leased()

    async def slow_connect(request: httpx.Request) -> httpx.Response:
        await connecting(request)
        quota.valid = False
        await sent(request)
        raise AssertionError("the request was sent")

    async def main() -> None:
        sender = sender_over(slow_connect, quota=quota)
        for _ in range(2):  # the permit is returned at once
            quota.valid = True
            with pytest.raises(NotSentError) as caught:
                await sender.send(start())
            assert caught.value.reason == "the lease of the shared quota ended before sending began"
            assert caught.value.phase == "connect"
        assert now() == 0.0

    virtual_time.run(main())


def test_error_of_a_call_that_waits_for_a_shared_quota_says_why_there_is_none() -> None:
    async def main() -> None:
        quota = Leased(trouble="the database does not answer")
        await quota.acquire()
        with pytest.raises(NotSentError) as caught:
            await sender_over(Server(), quota=quota).send(start(seconds=5))
        assert caught.value.phase == "quota"
        assert caught.value.reason == (
            "the deadline passed while waiting for the account's quota (the database does not answer)"
        )

    virtual_time.run(main())


def test_quota_is_opened_and_closed_with_the_client() -> None:
    quota = Leased()

    async def main() -> None:
        sender = sender_over(Server(), quota=quota)
        await sender.enter()
        assert quota.users == 1
        await sender.leave()
        assert quota.users == 0
        await sender.enter()
        assert quota.users == 1

    virtual_time.run(main())
    assert quota.users == 0


# Cancelled callers


def test_call_cancelled_in_the_queue_sends_nothing_and_uses_no_slot() -> None:
    async def main() -> None:
        server = Server(10.0)
        sender = sender_over(server, quota=Quota(RateLimit(2, per=1.0)), max_connections=1)
        first = asyncio.create_task(sender.send(start("first", seconds=100)))
        await asyncio.sleep(1)
        waiting = [asyncio.create_task(sender.send(start("second", seconds=100))) for _ in range(2_000)]
        await asyncio.sleep(1)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        await first
        await sender.send(start("third"))
        assert server.began == ["first", "third"]
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())


@pytest.mark.parametrize("cancelled", [False, True])
def test_call_cancelled_while_waiting_for_the_quota_uses_no_slot(cancelled: bool) -> None:
    async def main() -> None:
        server, quota = Server(), Quota(RateLimit(1, per=60.0))
        sender = sender_over(server, quota=quota, max_connections=1)
        quota.pause(20)
        task = asyncio.create_task(sender.send(start("first", seconds=10)))
        await asyncio.sleep(1)
        if cancelled:
            task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert type(end) is (asyncio.CancelledError if cancelled else NotSentError)
        await sender.send(start("second"))
        assert server.began == ["second"]
        assert now() == pytest.approx(21)

    virtual_time.run(main())


def test_request_is_not_sent_if_its_caller_is_cancelled_before_sending() -> None:
    async def main() -> None:
        server = Server(10.0, tell=connecting)
        sender = sender_over(server, quota=Quota(RateLimit(1, per=60.0)), max_connections=1)
        task = asyncio.create_task(sender.send(start("first")))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = now()
        await sender.send(start("second"))
        assert now() - before == pytest.approx(10)
        assert (server.began, server.ended) == (["first", "second"], ["second"])

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status_code": 202, "json": {"api_id": "api-1"}}, "It ended with: status 202, api_id api-1"),
        ({"status_code": 503, "json": {}}, "It ended with: status 503, api_id None"),
    ],
)
def test_request_continues_if_its_caller_is_cancelled_after_sending(
    caplog: pytest.LogCaptureFixture, answer: dict[str, Any], words: str
) -> None:
    async def main() -> None:
        server = Server(10.0, **answer)
        sender = sender_over(server, max_connections=1)
        task = asyncio.create_task(sender.send(start("first")))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == pytest.approx(1)
        await sender.send(start("second"))
        assert server.ended == ["first", "second"]

    virtual_time.run(main())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "start of 'first' was cancelled after it may have been sent" in caplog.text
    assert words in caplog.text


def test_cancelled_request_that_only_reads_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = Server(10.0, status_code=200, json={"conferences": []})
        sender = sender_over(server, max_connections=1)
        task = asyncio.create_task(sender.send(call_of(endpoints.list_conferences(), 30.0)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sender.send(start("second"))
        assert len(server.ended) == 2

    virtual_time.run(main())
    assert caplog.records == []


def test_awaitable_response_is_passed_to_the_callback_of_a_cancelled_call(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        passed: list[Awaitable[Response]] = []
        call = start()
        call.on_caller_cancelled = passed.append
        task = asyncio.create_task(sender_over(Server(10.0)).send(call))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert now() == pytest.approx(1)
        [response] = passed
        assert (await response).status == 202
        assert now() == pytest.approx(10)

    virtual_time.run(main())
    assert caplog.records == []


def test_cancelled_request_without_a_response_is_logged_as_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        task = asyncio.create_task(sender_over(Server(1e6)).send(start(seconds=20)))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(100)
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())
    assert (
        "It ended with: start of 'standup': the deadline passed. It was sent and may have been executed" in caplog.text
    )


# Closing


def test_closing_waits_for_requests_in_progress() -> None:
    async def main() -> None:
        server = Server(5.0)
        sender = sender_over(server)
        tasks = [asyncio.create_task(sender.send(start())) for _ in range(10)]
        await asyncio.sleep(1)
        await sender.aclose(grace=10)
        assert now() == pytest.approx(5)
        assert [(await task).status for task in tasks] == [202] * 10

    virtual_time.run(main())


def test_closing_waits_no_longer_than_its_grace(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = Server(1e6)
        sender = sender_over(server)
        tasks = [asyncio.create_task(sender.send(start(seconds=1e5))) for _ in range(3)]
        await asyncio.sleep(1)
        await sender.aclose(grace=2)
        assert server.under_way == 0
        assert now() == pytest.approx(3)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {OutcomeUnknownError}
        assert "the client was closed before the request ended" in str(ends[0])
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())
    assert "The client was closed while 3 of its requests had no response" in caplog.text


def test_a_closed_sender_sends_nothing() -> None:
    async def main() -> None:
        server = Server()
        sender = sender_over(server, quota=Quota(RateLimit(1, per=60.0)), max_connections=1)
        await sender.aclose(grace=1)
        await sender.aclose(grace=1)
        for _ in range(3):
            with pytest.raises(
                ClosedError, match=r"start of 'standup': the client is closed, so nothing was sent\. Enter"
            ):
                await sender.send(start())
        assert (server.began, now()) == ([], 0.0)

    virtual_time.run(main())


def test_call_on_a_closed_sender_fails_at_once_whatever_the_quota() -> None:
    async def story() -> None:
        quota = Quota(None)
        sender = sender_over(Server(), quota=quota)
        quota.pause(3600)
        await sender.aclose(grace=0)
        began = now()
        with pytest.raises(ClosedError):
            await sender.send(start())
        assert now() == began

    virtual_time.run(story())


@pytest.mark.parametrize("waits_for", ["queue", "quota"])
def test_queued_calls_end_at_once_when_the_sender_is_closed(waits_for: str) -> None:
    async def main() -> None:
        server = Server(5.0)
        quota = Quota(RateLimit(1, per=60.0)) if waits_for == "quota" else None
        sender = sender_over(server, quota=quota, max_connections=32 if waits_for == "quota" else 1)
        first = asyncio.create_task(sender.send(start("first")))
        await asyncio.sleep(1)
        waiting = [asyncio.create_task(sender.send(start("second"))) for _ in range(3)]
        await asyncio.sleep(1)
        closing = asyncio.create_task(sender.aclose(grace=10))
        for task in waiting:
            with pytest.raises(NotSentError, match="the client was closed") as caught:
                await task
            assert (caught.value.phase, caught.value.evidence) == (waits_for, "it was still waiting to be sent")
        assert now() == 2.0
        await closing
        assert (await first).status == 202
        assert server.began == ["first"]

    virtual_time.run(main())


def test_call_that_leaves_the_queue_while_the_sender_closes_is_not_sent() -> None:
    async def main() -> None:
        server, quota = Server(5.0), Quota(RateLimit(1, per=1.0))
        sender = sender_over(server, quota=quota)
        await quota.acquire()
        call = asyncio.create_task(sender.send(start()))
        await asyncio.sleep(0)
        quota.give_back(used=False)
        await sender.aclose(grace=0)
        with pytest.raises(NotSentError, match="the client was closed"):
            await call
        await quota.acquire()  # succeeds, because the permit was given back
        assert (server.began, now()) == ([], 0.0)

    virtual_time.run(main())


def test_a_retry_after_the_client_was_closed_is_not_sent() -> None:
    async def main() -> None:
        server = Server()
        sender = sender_over(server)
        await sender.aclose(grace=0)
        again = start()
        again.observed.attempts = 2
        with pytest.raises(NotSentError, match="the client was closed"):
            await sender.send(again)
        assert server.began == []

    virtual_time.run(main())


# Entering again


def test_reopened_sender_accepts_calls() -> None:
    async def main() -> None:
        server = Server()
        sender = sender_over(server)
        for _ in range(3):
            await sender.enter()
            assert (await sender.send(start())).status == 202
            await sender.leave()
            with pytest.raises(ClosedError):
                await sender.send(start())
        assert len(server.ended) == 3

    virtual_time.run(main())


def test_sender_closes_when_the_last_block_is_left() -> None:
    async def main() -> None:
        sender = sender_over(Server())
        await sender.enter()
        await sender.enter()
        await sender.leave()
        assert (await sender.send(start())).status == 202
        await sender.leave()
        with pytest.raises(ClosedError):
            await sender.send(start())

    virtual_time.run(main())


def test_aclose_closes_the_sender_although_blocks_are_open() -> None:
    async def main() -> None:
        sender = sender_over(Server())
        await sender.enter()
        await sender.enter()
        await sender.aclose(grace=0)
        await sender.leave()
        await sender.leave()
        await sender.enter()
        assert (await sender.send(start())).status == 202
        await sender.leave()
        with pytest.raises(ClosedError):
            await sender.send(start())

    virtual_time.run(main())


def test_entering_waits_until_closing_has_ended() -> None:
    async def main() -> None:
        transport = Closes(Server(5.0))
        sender = sender_with(transport)
        first = asyncio.create_task(sender.send(start("first")))
        await asyncio.sleep(1)
        closing = [asyncio.create_task(sender.aclose(grace=10)) for _ in range(2)]
        await asyncio.sleep(1)
        await sender.enter()
        assert (now(), transport.closed) == (5.0, 1)
        assert (await first).status == 202
        await asyncio.gather(*closing)
        assert (await sender.send(start("second"))).status == 202
        assert transport.closed == 1

    virtual_time.run(main())


def test_cancelled_closing_is_completed_by_the_next() -> None:
    async def main() -> None:
        transport = Closes(Server(5.0))
        sender = sender_with(transport)
        call = asyncio.create_task(sender.send(start()))
        await asyncio.sleep(1)
        closing = asyncio.create_task(sender.aclose(grace=10))
        await asyncio.sleep(1)
        closing.cancel()
        await asyncio.wait([closing])
        assert transport.closed == 0
        await sender.aclose(grace=10)
        assert (now(), transport.closed) == (5.0, 1)
        assert (await call).status == 202

    virtual_time.run(main())


# One event loop after another


def test_sender_works_in_one_event_loop_after_another() -> None:
    transport = Closes(Server(0.0))
    sender = sender_with(transport)
    for number in range(1, 4):
        assert asyncio.run(sent_by(sender)).status == 202
        assert transport.closed == number, "with its event loop"


def test_requests_of_an_ended_event_loop_use_no_slot_in_the_next() -> None:
    hangs = [True]

    async def handler(request: httpx.Request) -> httpx.Response:
        await sent(request)
        if hangs.pop():
            hangs.append(False)
            await asyncio.Event().wait()
        return httpx.Response(202, json={"api_id": "a"})

    async def leave_it_under_way() -> None:
        call = asyncio.create_task(sent_by(sender))
        while hangs == [True]:
            await asyncio.sleep(0)
        assert not call.done()

    sender = sender_over(handler, max_connections=1)
    asyncio.run(leave_it_under_way())
    assert asyncio.run(sent_by(sender)).status == 202


async def sent_by(sender: Sender) -> Any:
    return await sender.send(start())


def test_sender_in_use_in_another_event_loop_raises_configuration_error() -> None:
    transport = Closes(Server(0.0))
    sender = sender_with(transport)
    with asyncio.Runner() as first:
        first.run(sent_by(sender))
        with asyncio.Runner() as second:
            for call in (sent_by(sender), sender.enter(), sender.aclose(grace=0)):
                with pytest.raises(ConfigurationError, match=r"in another event loop.*close it there first"):
                    second.run(call)
        first.run(sender.aclose(grace=0))
        assert transport.closed == 1
        with asyncio.Runner() as second:
            second.run(sender.enter())
            assert second.run(sent_by(sender)).status == 202


def test_requests_of_an_event_loop_closed_without_shutdown_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Closes):
        async def aclose(self) -> None:
            await super().aclose()
            if self.closed == 1:
                raise RuntimeError("Event loop is closed")

    caplog.set_level(logging.DEBUG, "plivo_record_async")
    transport = Breaks(Server(0.0))
    sender = sender_with(transport)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(sent_by(sender))
    loop.close()
    assert transport.closed == 0
    with asyncio.Runner() as runner:
        assert runner.run(sent_by(sender)).status == 202
        assert transport.closed == 1
    messages = [
        message for message in caplog.messages if not message.startswith("attempt 1 of start of 'standup' ended")
    ]
    assert messages == ["The connections of an event loop that has ended could not be closed"]


def test_sender_can_be_checked_to_be_open() -> None:
    async def main() -> None:
        sender = sender_over(Server())
        sender.check_open("download")
        await sender.enter()
        await sender.aclose()
        with pytest.raises(ClosedError, match="download: the client is closed"):
            sender.check_open("download")

    virtual_time.run(main())
