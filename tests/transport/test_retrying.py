"""One call: its attempts and waits, within one deadline and one retry budget, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PendingResponse,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimit,
    RateLimitError,
    RecordingStarted,
    RecordingStopped,
    ServerError,
    UnexpectedResponseError,
    _clock,
)
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.retry import RetryPolicy
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.choice import open_connector
from plivo_record_async.transport.quota import Quota
from plivo_record_async.transport.retrying import RetryingSender
from tests.support import virtual_time

SETTINGS = Settings(auth_id="MAXXXXXXXXXXXXXXXXXX", auth_token="t", base_url="http://h")

START = endpoints.start_recording(StartRequest("standup"))
STOP = endpoints.stop_recording(StopRequest("standup"))
STOP_ASYNC = endpoints.stop_recording(StopRequest("standup", callback_url="https://me.example/cb"))
LOOK = endpoints.get_recording("r")

Step = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def answers(status: int, json: Any = None, **headers: str) -> Step:
    async def step(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=json, headers={name.replace("_", "-"): headers[name] for name in headers})

    return step


async def refuses(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


async def disconnects(request: httpx.Request) -> httpx.Response:
    info = {"request": httpcore.Request("POST", "http://h/")}
    await request.extensions["trace"]("http11.send_request_headers.started", info)
    raise httpx.RemoteProtocolError("disconnected")


async def hangs(request: httpx.Request) -> httpx.Response:
    info = {"request": httpcore.Request("POST", "http://h/")}
    await request.extensions["trace"]("http11.send_request_headers.started", info)
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


started = answers(202, {"api_id": "a"})
stopped = answers(204)
gone = answers(404, {"api_id": "g", "error": "not found"})
busy = answers(503, {"error": "busy"})
limited = answers(429, {"error": "too many"})


class Server:
    """A server that takes one step for each request, and repeats the last step."""

    def __init__(self, *steps: Step) -> None:
        self.times: list[float] = []
        self._steps = steps

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.times.append(asyncio.get_running_loop().time())
        return await self._steps[min(len(self.times), len(self._steps)) - 1](request)

    @property
    def requests(self) -> int:
        return len(self.times)


def sender_over(
    server: Server,
    *,
    timeout: float = 30.0,
    rate_limit: RateLimit | None = None,
    max_connections: int = 32,
    **policy: Any,
) -> RetryingSender:
    connector = open_connector(SETTINGS, httpx.MockTransport(server))
    return RetryingSender(
        connector,
        api_url=SETTINGS.api_url,
        timeout=timeout,
        quota=Quota(rate_limit),
        max_connections=max_connections,
        policy=RetryPolicy(**policy),
    )


def outcome(server: Server, request: Request[Any], **options: Any) -> Any:
    """Return what one call ends with, a result or an error."""

    async def main() -> Any:
        try:
            return await sender_over(server, **options).send(request)
        except PlivoRecordError as error:
            return error

    return virtual_time.run(main())


# the steps of the server, the request, the outcome of the call, and the number of requests
STORIES: list[tuple[Sequence[Step], Request[Any], object, int]] = [
    ([started], START, RecordingStarted(api_id="a"), 1),
    ([refuses, started], START, RecordingStarted(api_id="a"), 2),
    ([refuses, refuses, started], START, RecordingStarted(api_id="a"), 3),
    ([refuses], START, NotSentError, 3),
    ([limited, started], START, RecordingStarted(api_id="a"), 2),
    ([limited, refuses, started], START, RecordingStarted(api_id="a"), 3),
    ([limited], START, RateLimitError, 3),
    ([disconnects], START, OutcomeUnknownError, 1),
    ([refuses, disconnects], START, OutcomeUnknownError, 2),
    ([limited, disconnects], START, OutcomeUnknownError, 2),
    ([busy], START, OutcomeUnknownError, 1),
    ([answers(503, {"api_id": "b"})], START, OutcomeUnknownError, 1),
    ([answers(500)], START, OutcomeUnknownError, 1),
    ([answers(202, {})], START, UnexpectedResponseError, 1),
    ([answers(400)], START, BadRequestError, 1),
    ([answers(401)], START, AuthenticationError, 1),
    ([answers(403)], START, PermissionDeniedError, 1),
    ([gone], START, NotFoundError, 1),
    ([answers(405)], START, MethodNotAllowedError, 1),
    ([answers(409)], START, BadRequestError, 1),
    ([answers(422)], START, BadRequestError, 1),
    ([answers(302)], START, ApiError, 1),
    ([stopped], STOP, RecordingStopped(), 1),
    ([gone], STOP, NotFoundError, 1),
    ([answers(401)], STOP, AuthenticationError, 1),
    ([disconnects, stopped], STOP, RecordingStopped(), 2),
    ([busy, stopped], STOP, RecordingStopped(), 2),
    ([answers(200, {"message": []})], STOP, RecordingStopped(), 1),
    ([answers(200, {"error": "try again"}), stopped], STOP, RecordingStopped(), 2),
    ([disconnects, gone], STOP, RecordingStopped(api_id="g"), 2),
    ([busy, gone], STOP, RecordingStopped(api_id="g"), 2),
    ([disconnects, limited, gone], STOP, RecordingStopped(api_id="g"), 3),
    ([disconnects, refuses, gone], STOP, RecordingStopped(api_id="g"), 3),
    ([refuses, gone], STOP, NotFoundError, 2),
    ([limited, gone], STOP, NotFoundError, 2),
    ([disconnects], STOP, OutcomeUnknownError, 3),
    ([disconnects, refuses], STOP, OutcomeUnknownError, 3),
    ([disconnects, limited], STOP, OutcomeUnknownError, 3),
    ([disconnects, busy], STOP, ServerError, 3),
    ([disconnects, answers(401)], STOP, AuthenticationError, 2),
    ([busy], STOP, ServerError, 3),
    ([disconnects, gone], STOP_ASYNC, PendingResponse("g"), 2),
    ([disconnects, answers(404)], STOP_ASYNC, NotFoundError, 2),
    ([disconnects, answers(200, {"recording_id": "r"})], LOOK, LOOK.read, 2),
    ([disconnects, gone], LOOK, NotFoundError, 2),
]


@pytest.mark.parametrize(("steps", "request_", "ends", "requests"), STORIES)
def test_outcome_of_a_call_for_each_sequence_of_responses(
    steps: Sequence[Step], request_: Request[Any], ends: object, requests: int
) -> None:
    server = Server(*steps)
    end = outcome(server, request_)
    assert server.requests == requests
    if isinstance(ends, type):
        assert type(end) is ends
    elif callable(ends):
        assert end.recording_id == "r"
    else:
        assert end == ends


def test_suppressed_later_error_is_the_cause_of_the_raised_one() -> None:
    error = outcome(Server(disconnects, refuses), STOP)
    assert isinstance(error, OutcomeUnknownError)
    assert isinstance(error.__cause__, NotSentError)


def test_error_has_the_number_of_attempts() -> None:
    assert outcome(Server(refuses), START).attempts == 3
    assert outcome(Server(refuses, disconnects), START).attempts == 2
    error = outcome(Server(refuses, busy), START)
    assert (error.attempts, error.status) == (2, 503)
    assert error.called_at <= error.failed_at


@pytest.mark.parametrize("max_retries", [0, 1, 5])
def test_no_more_retries_than_allowed(max_retries: int) -> None:
    server = Server(refuses)
    outcome(server, START, max_retries=max_retries)
    assert server.requests == 1 + max_retries


def test_one_call_can_have_fewer_retries_than_the_client() -> None:
    server = Server(busy)

    async def main() -> None:
        with pytest.raises(ServerError):
            await sender_over(server, max_retries=5).send(LOOK, max_retries=1)

    virtual_time.run(main())
    assert server.requests == 2


@pytest.mark.parametrize(
    ("steps", "ends", "requests"),
    [
        ([busy, started], RecordingStarted, 2),
        ([busy, gone], OutcomeUnknownError, 2),
        ([busy, refuses], OutcomeUnknownError, 3),
        ([answers(503, {"api_id": "b"}), started], OutcomeUnknownError, 1),
        ([answers(502), started], OutcomeUnknownError, 1),
    ],
)
def test_start_is_retried_after_503_only_if_the_option_is_set(steps: Sequence[Step], ends: type, requests: int) -> None:
    server = Server(*steps)
    assert type(outcome(server, START, retry_503_starts=True)) is ends
    assert server.requests == requests


# Waits


@given(timeout=st.floats(0.01, 20), max_retries=st.integers(0, 8), longest_wait=st.floats(0.1, 30))
def test_no_wait_passes_the_deadline(timeout: float, max_retries: int, longest_wait: float) -> None:
    server = Server(refuses)

    async def main() -> float:
        sender = sender_over(server, timeout=timeout, max_retries=max_retries, longest_wait=longest_wait)
        with pytest.raises(NotSentError):
            await sender.send(STOP)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) < timeout
    assert all(time < timeout for time in server.times)


@pytest.mark.parametrize("step", [refuses, limited, busy, hangs])
def test_timeout_of_a_call_overrides_that_of_the_client(step: Step) -> None:
    async def main() -> float:
        sender = sender_over(Server(step), timeout=1_000.0, max_retries=100, longest_wait=100.0)
        with pytest.raises(PlivoRecordError):
            await sender.send(STOP, timeout=3.0)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) <= 3.001


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_invalid_timeout_raises_before_anything_is_sent(timeout: float) -> None:
    server = Server(started)

    async def main() -> None:
        with pytest.raises(ValueError, match="timeout must be a finite number above 0"):
            await sender_over(server).send(START, timeout=timeout)

    virtual_time.run(main())
    assert server.requests == 0


def in_ten_seconds() -> str:
    return format_datetime(_clock.now() + timedelta(seconds=10), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [(dict[str, str](), 5, 5), ({"Retry_After": "3"}, 3, 3), ({"Retry_After": in_ten_seconds}, 0.5, 10)],
)
def test_retry_after_429_waits_as_long_as_retry_after_says(headers: dict[str, Any], least: float, most: float) -> None:
    values: dict[str, Any] = {name: value() if callable(value) else value for name, value in headers.items()}
    server = Server(answers(429, None, **values), started)
    assert outcome(server, START) == RecordingStarted(api_id="a")
    assert least - 0.001 <= server.times[1] <= most + 0.001


def test_429_pauses_all_calls_of_the_client() -> None:
    server = Server(answers(429, None, Retry_After="4"), started)

    async def main() -> None:
        sender = sender_over(server)
        first = asyncio.create_task(sender.send(START))
        await asyncio.sleep(1)
        others = [asyncio.create_task(sender.send(START)) for _ in range(50)]
        await asyncio.gather(first, *others)

    virtual_time.run(main())
    assert server.times == pytest.approx([0.0] + [4.0] * 51)


def test_429_with_a_pause_beyond_the_deadline_ends_the_call_at_once() -> None:
    server = Server(answers(429, {"api_id": "a"}, Retry_After="40"), started)

    async def main() -> float:
        with pytest.raises(RateLimitError) as caught:
            await sender_over(server).send(START)
        assert caught.value.retry_after == 40
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 0.0
    assert server.requests == 1


def test_call_that_is_paused_until_its_deadline_is_not_sent() -> None:
    server = Server(answers(429, None, Retry_After="40"), started)

    async def main() -> None:
        sender = sender_over(server)
        with pytest.raises(RateLimitError):
            await sender.send(START)
        with pytest.raises(NotSentError, match="waiting for the account's quota") as caught:
            await sender.send(START)
        assert caught.value.phase == "quota"

    virtual_time.run(main())
    assert server.requests == 1


def test_second_429_with_a_pause_beyond_the_deadline_ends_the_call() -> None:
    server = Server(answers(429, None, Retry_After="10"), answers(429, None, Retry_After="100"))
    error = outcome(server, START)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 100
    assert server.times == pytest.approx([0.0, 10.0])


def test_call_ends_with_429_if_its_retry_is_not_sent_before_the_deadline() -> None:
    server = Server(limited, hangs)

    async def main() -> None:
        sender = sender_over(server, timeout=8.0, max_connections=1)
        ends = await asyncio.gather(*(sender.send(START) for _ in range(2)), return_exceptions=True)
        assert [type(end) for end in ends] == [RateLimitError, OutcomeUnknownError]

    virtual_time.run(main())
    assert server.times == pytest.approx([0.0, 5.0])


def test_failing_api_gets_few_retries() -> None:
    server = Server(refuses)

    async def main() -> None:
        sender = sender_over(server)
        for _ in range(1_000):
            with pytest.raises(NotSentError):
                await sender.send(START)

    virtual_time.run(main())
    assert 1_100 <= server.requests <= 1_111


def test_retry_after_429_does_not_use_the_retry_budget() -> None:
    server = Server(*[limited, started] * 100)

    async def main() -> None:
        sender = sender_over(server)
        for _ in range(100):
            await sender.send(START)

    virtual_time.run(main())
    assert server.requests == 200


def test_jitter_spreads_retries() -> None:
    """Full jitter: calls that fail at the same time are not retried at the same time."""
    server = Server(*[busy] * 8, stopped)

    async def main() -> None:
        sender = sender_over(server)
        await asyncio.gather(*(sender.send(STOP) for _ in range(8)))

    virtual_time.run(main())
    assert server.times[:8] == [0.0] * 8
    assert len(set(server.times[8:])) == 8
    assert all(0 <= time <= 0.25 for time in server.times[8:])


# Cancelled callers


def test_a_call_cancelled_between_its_attempts_sends_no_more() -> None:
    server = Server(limited, started)

    async def main() -> None:
        task = asyncio.create_task(sender_over(server).send(START))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(100)
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())
    assert server.requests == 1


def test_calls_succeed_after_many_cancellations() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.5)
        return httpx.Response(202, json={"api_id": "a"})

    async def main() -> None:
        sender = sender_over(Server(slow), rate_limit=RateLimit(300, per=5.0), max_connections=4)
        tasks = [asyncio.create_task(sender.send(START, timeout=5 + number % 7)) for number in range(1_000)]
        for number, task in enumerate(tasks):
            if number % 3:
                await asyncio.sleep(0.01)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        results = await asyncio.gather(*(sender.send(START) for _ in range(20)))
        assert results == [RecordingStarted(api_id="a")] * 20
        await sender.aclose(grace=1)
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())


@pytest.mark.parametrize(("step", "ends"), [(started, RecordingStarted), (busy, OutcomeUnknownError)])
def test_on_caller_cancelled_gets_the_outcome_after_a_cancellation(step: Step, ends: type) -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return await step(request)

    async def main() -> None:
        coming: list[Awaitable[Any]] = []
        server = Server(slow)
        task = asyncio.create_task(sender_over(server).send(START, on_caller_cancelled=coming.append))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (end,) = await asyncio.gather(*coming, return_exceptions=True)
        assert type(end) is ends
        assert asyncio.get_running_loop().time() == pytest.approx(5)
        assert server.requests == 1

    virtual_time.run(main())


def test_on_caller_cancelled_is_not_called_if_nothing_was_sent() -> None:
    async def connects(request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("connection.connect_tcp.started", {})
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def main() -> None:
        coming: list[Awaitable[Any]] = []
        sender = sender_over(Server(connects), max_connections=1)
        tasks = [asyncio.create_task(sender.send(START, on_caller_cancelled=coming.append)) for _ in range(2)]
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert coming == []

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("second", "ends"),
    [
        (started, RecordingStarted),
        (answers(404, {"error": "not found"}), OutcomeUnknownError),
        (busy, OutcomeUnknownError),
    ],
)
def test_on_caller_cancelled_gets_the_unknown_outcome_of_an_earlier_attempt(second: Step, ends: type) -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return await second(request)

    async def main() -> None:
        coming: list[Awaitable[Any]] = []
        server = Server(busy, slow)
        task = asyncio.create_task(
            sender_over(server, retry_503_starts=True).send(START, on_caller_cancelled=coming.append)
        )
        await asyncio.sleep(1)
        assert server.requests == 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (end,) = await asyncio.gather(*coming, return_exceptions=True)
        assert type(end) is ends

    virtual_time.run(main())


@pytest.mark.parametrize("wanted", [True, False])
def test_call_cancelled_between_attempts_reports_the_unknown_outcome_of_the_first(
    wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        coming: list[Awaitable[Any]] = []
        server = Server(busy)
        sender = sender_over(server, retry_503_starts=True, rate_limit=RateLimit(1, per=5.0))
        task = asyncio.create_task(sender.send(START, on_caller_cancelled=coming.append if wanted else None))
        await asyncio.sleep(1)
        assert server.requests == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ends = await asyncio.gather(*coming, return_exceptions=True)
        assert [type(end) for end in ends] == [OutcomeUnknownError] * wanted

    virtual_time.run(main())
    assert ("cancelled after an attempt with an unknown outcome" in caplog.text) is not wanted


def test_sender_accepts_calls_again_after_it_was_left_and_knows_the_time_at_plivo() -> None:
    async def main() -> None:
        tomorrow = _clock.now() + timedelta(days=1)
        sender = sender_over(Server(answers(202, {"api_id": "a"}, Date=format_datetime(tomorrow, usegmt=True))))
        for _ in range(2):
            await sender.enter()
            await sender.send(START)
            await sender.leave()
            with pytest.raises(ClosedError):
                await sender.send(START)
        time = sender.plivo_clock.time(_clock.read())
        assert time is not None
        assert abs(time - tomorrow) < timedelta(seconds=10)

    virtual_time.run(main())


def test_retrying_sender_can_be_checked_to_be_open() -> None:
    async def main() -> None:
        sender = sender_over(Server(answers(202, {"api_id": "a"})))
        sender.check_open("download")
        await sender.aclose(grace=0)
        with pytest.raises(ClosedError, match="download: the client is closed"):
            sender.check_open("download")

    virtual_time.run(main())
