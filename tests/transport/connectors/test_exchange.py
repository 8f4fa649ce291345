"""What is observed of one attempt: its phase, the evidence of sending, and the response as far as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest

from plivo_record_async import NotSentError, OutcomeUnknownError, UnexpectedResponseError
from plivo_record_async.transport.connectors.exchange import LONGEST_RESPONSE, NEVER_CONNECTED, Exchange
from tests.support.clients.mock_transport import error_of_start, report
from tests.support.samples.http_failures import LIBRARY_FAILURES, OTHER_FAILURES, instance


def test_exceptions_of_the_libraries_are_listed() -> None:
    assert {"ReadTimeout", "ConnectError", "InvalidURL", "RemoteProtocolError"} <= {
        cls.__name__ for cls in LIBRARY_FAILURES
    }
    assert len(LIBRARY_FAILURES) > 40
    assert set(NEVER_CONNECTED) <= set(LIBRARY_FAILURES)


@pytest.mark.parametrize("cls", LIBRARY_FAILURES + OTHER_FAILURES)
async def test_failure_without_evidence_counts_as_not_sent_only_if_it_never_connected(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        raise instance(cls)

    error = await error_of_start(handler)
    assert type(error) is (NotSentError if issubclass(cls, NEVER_CONNECTED) else OutcomeUnknownError)
    assert error.phase == "connect"
    assert isinstance(error.__cause__, cls)


@pytest.mark.parametrize("cls", LIBRARY_FAILURES + OTHER_FAILURES)
async def test_a_failure_after_sending_began_is_unknown_whatever_its_name(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await report(request, "connection.connect_tcp.complete.x", "http11.send_request_headers.started")
        raise instance(cls)

    error = await error_of_start(handler)
    assert error.called_at <= error.sent_at <= error.failed_at
    assert type(error) is OutcomeUnknownError
    assert (error.phase, error.evidence) == ("send", "sending had begun")


@pytest.mark.parametrize("cls", LIBRARY_FAILURES + OTHER_FAILURES)
async def test_a_failure_before_sending_began_is_not_sent_whatever_its_name(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await report(request, "connection.connect_tcp.started", "connection.start_tls.started")
        raise instance(cls)

    error = await error_of_start(handler)
    assert type(error) is NotSentError
    assert (error.phase, error.evidence) == ("connect", "it failed before sending began")


@pytest.mark.parametrize("cls", LIBRARY_FAILURES)
async def test_failure_in_the_middle_of_the_response_keeps_the_status(cls: type[Exception]) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'{"api_id": "a",'
        raise instance(cls)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, content=half())

    error = await error_of_start(handler)
    assert type(error) is UnexpectedResponseError
    assert (error.status, error.body) == (202, '{"api_id": "a",')


async def test_waiting_for_the_response_is_a_phase_of_its_own() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await report(
            request,
            "http11.send_request_headers.started",
            "http11.send_request_body.complete",
            "http11.receive_response_headers.started",
        )
        raise httpcore.ReadTimeout

    assert (await error_of_start(handler)).phase == "answer"


async def test_connect_request_to_a_proxy_does_not_count_as_sending() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await report(
            request,
            "http11.send_request_headers.started",
            "http11.receive_response_headers.started",
            method="CONNECT",
        )
        raise httpcore.RemoteProtocolError("the proxy is gone")

    error = await error_of_start(handler)
    assert (type(error), error.phase) == (NotSentError, "connect")


def test_evidence_counts_only_what_happened() -> None:
    exchange = Exchange()
    assert not exchange.may_have_been_sent()
    exchange.phase = "connect"
    assert exchange.may_have_been_sent()
    assert exchange.may_have_been_sent(OSError())
    assert not exchange.may_have_been_sent(httpcore.ConnectError())
    exchange.trusts_connect_errors = False
    assert exchange.may_have_been_sent(httpcore.ConnectError())


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_remaining_time_is_never_negative() -> None:
    clock = Clock()
    exchange = Exchange(deadline=10.0, clock=clock)
    assert exchange.seconds_left == 10.0
    clock.time = 11.0
    assert exchange.seconds_left == 0.0
    assert Exchange().seconds_left == float("inf")


def test_abandoned_request_is_not_sent() -> None:
    clock = Clock()
    late = Exchange(deadline=10.0, clock=clock, phase="connect", reports_sending=True)
    clock.time = 10.0
    with pytest.raises(TimeoutError):
        late.begin_sending()
    abandoned = Exchange(phase="connect", reports_sending=True, abandoned=True)
    with pytest.raises(asyncio.CancelledError):
        abandoned.begin_sending()
    for exchange in (late, abandoned):
        assert (exchange.phase, exchange.sent_at, exchange.may_have_been_sent()) == ("connect", None, False)


def test_request_is_not_sent_if_its_permit_is_no_longer_valid() -> None:
    exchange = Exchange(phase="connect", reports_sending=True, permit_is_valid=lambda: False)
    with pytest.raises(TimeoutError):
        exchange.begin_sending()
    assert exchange.lacked_permit
    assert (exchange.phase, exchange.sent_at) == ("connect", None)
    assert not exchange.may_have_been_sent()


@pytest.mark.parametrize("method", [b"CONNECT", b"POST"])
async def test_abandoned_request_stops_before_it_is_sent(method: bytes) -> None:
    exchange = Exchange(phase="connect", abandoned=True)
    await exchange.trace("connection.connect_tcp.started", {})
    with pytest.raises(asyncio.CancelledError):
        await exchange.trace("http11.send_request_headers.started", {"request": httpcore.Request(method, "http://h/")})
    assert not exchange.may_have_been_sent()


async def test_response_to_an_abandoned_request_is_not_read_further() -> None:
    exchange = Exchange()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        exchange.abandoned = True
        yield b"second"

    with pytest.raises(asyncio.CancelledError):
        await exchange.receive(200, {}, chunks())
    assert exchange.partial_response is not None
    assert (exchange.partial_response.body, exchange.partial_response.complete) == (b"first", False)


async def test_endless_response_is_not_read_further() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (64 * 1024)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, content=endless())

    error = await error_of_start(handler)
    assert type(error) is UnexpectedResponseError
    assert LONGEST_RESPONSE < len(error.body) <= LONGEST_RESPONSE + 64 * 1024


async def test_response_is_complete_when_its_body_has_ended() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first "
        yield b"second"

    exchange = Exchange()
    response = await exchange.receive(202, {"date": "today"}, chunks())
    assert (response.status, response.headers, response.body) == (202, {"date": "today"}, b"first second")
    assert (response.complete, exchange.phase) == (True, "answer")


async def test_stream_that_was_opened_for_the_request_is_kept() -> None:
    exchange, stream = Exchange(), httpcore.AsyncMockStream([])
    await exchange.trace("connection.connect_tcp.complete", {"return_value": stream})
    assert exchange.opened_stream is stream
    assert exchange.reports_sending
