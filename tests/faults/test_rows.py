"""One test for each row of the classification of attempts: the fault, the outcome, and the number of requests."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import httpcore
import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    RecordClient,
    Recording,
    RecordingStarted,
    RecordingStopped,
    ServerError,
    UnexpectedResponseError,
)
from plivo_record_async.transport.connectors.network import AsyncioBackend
from tests.support.clients.calls import (
    NOT_SENT,
    SENT,
    SERVER_ERROR,
    STILL_QUEUED,
    MakeClient,
    announcing_execution,
    check_next_call,
    result_or_error,
)
from tests.support.clients.routes import ALL_ROUTES, DIRECT, Route, on_every_route, on_routes
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import Connection, Fault, FaultServer, response_head
from tests.support.servers.full_listener import FullListener
from tests.support.servers.open_sockets import connections_to, wait_until

BRIEF = 0.75
"""Seconds until the deadline of a call that will never be answered: long enough for any machine to send it."""


@attrs.frozen
class Row:
    """What the requests of one call meet, and what must come of it."""

    faults: Sequence[Fault]
    ends: type[Any]
    having: Mapping[str, Any] = attrs.field(factory=dict[str, Any], kw_only=True)
    requests: int = attrs.field(default=1, kw_only=True)
    executions: int = attrs.field(kw_only=True)
    timeout: float = attrs.field(default=20.0, kw_only=True)
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any], kw_only=True)

    @property
    def sent(self) -> bool:
        """Whether it is known to have been sent, as far as the transport tells."""
        return bool(self.having.get("evidence") == SENT)


def check(end: Any, row: Row, route: Route = DIRECT, method: str = "POST") -> None:
    having = {
        name: route.evidence_of_sending(method).get(name, value) if row.sent else value
        for name, value in row.having.items()
    }
    assert type(end) is row.ends, repr(end)
    assert {name: getattr(end, name) for name in having} == having


def rows(table: Mapping[str, Row]) -> Callable[..., Any]:
    return pytest.mark.parametrize("row", [pytest.param(row, id=seen) for seen, row in table.items()])


def unknown(*faults: Fault, executed: bool, timeout: float = 20.0) -> Row:
    """Sent, no answer, and not repeated."""
    having = {"phase": "answer", "evidence": SENT, "status": None, "api_id": None, "attempts": 1, "repeatable": False}
    return Row([*faults], OutcomeUnknownError, having=having, executions=int(executed), timeout=timeout)


def server_error(status: int, *, api_id: str | None, executed: bool) -> Row:
    """Answered with 5xx, and not repeated."""
    having = {"phase": "answer", "evidence": SERVER_ERROR, "status": status, "api_id": api_id, "attempts": 1}
    fault = faults.answers_error(status, api_id=api_id, executed=executed)
    return Row([fault], OutcomeUnknownError, having=having, executions=int(executed))


def refused(status: int, error: type[ApiError]) -> Row:
    having = {"status": status, "api_id": "api-of-the-refusal", "message": "out of order"}
    return Row([faults.answers_error(status, api_id="api-of-the-refusal")], error, having=having, executions=0)


def accepted(*faults: Fault, status: int = 202, timeout: float = 20.0) -> Row:
    """A success that cannot be read: it counts as executed, and is not repeated."""
    return Row([*faults], UnexpectedResponseError, having={"status": status}, executions=1, timeout=timeout)


STARTS = {
    "success: complete answer": Row([faults.succeeds], RecordingStarted, having={"api_id": "api-room"}, executions=1),
    "success: connection closed although it should stay open": Row(
        [faults.answers_and_closes], RecordingStarted, having={"api_id": "api-room"}, executions=1
    ),
    "success: answered twice": Row(
        [faults.answers_twice], RecordingStarted, having={"api_id": "api-room"}, executions=1
    ),
    "refused: 400": refused(400, BadRequestError),
    "refused: 401": refused(401, AuthenticationError),
    "refused: 403": refused(403, PermissionDeniedError),
    "refused: 404": refused(404, NotFoundError),
    "refused: 405": refused(405, MethodNotAllowedError),
    "refused: 409": refused(409, BadRequestError),
    "refused: 422": refused(422, BadRequestError),
    "refused: before the whole request was read": Row(
        [faults.answers_400_before_the_body], BadRequestError, having={"message": "too much for me"}, executions=0
    ),
    "refused: redirect": Row([faults.answers(307)], ApiError, having={"status": 307}, executions=0),
    "429: to every attempt": Row(
        3 * [faults.answers_429(0.1)],
        RateLimitError,
        having={"status": 429, "retry_after": 0.1},
        requests=3,
        executions=0,
    ),
    "429: a pause longer than the deadline": Row(
        [faults.answers_429(0.2)], RateLimitError, having={"retry_after": 0.2}, executions=0, timeout=0.2
    ),
    "5xx: 500 without api_id, not executed": server_error(500, api_id=None, executed=False),
    "5xx: 500 with api_id, executed": server_error(500, api_id="api-of-the-error", executed=True),
    "5xx: 502 without api_id, executed": server_error(502, api_id=None, executed=True),
    "5xx: 503 without api_id, not executed": server_error(503, api_id=None, executed=False),
    "5xx: 503 with api_id, executed": server_error(503, api_id="api-of-the-error", executed=True),
    "5xx: 504 without api_id, executed": server_error(504, api_id=None, executed=True),
    "5xx: 503 without api_id, the user opted in": Row(
        [faults.answers_error(503), faults.succeeds],
        RecordingStarted,
        requests=2,
        executions=1,
        options={"retry_503_starts": True},
    ),
    "5xx: 503 with api_id, the user opted in": attrs.evolve(
        server_error(503, api_id="api-of-the-error", executed=True), options={"retry_503_starts": True}
    ),
    "5xx: 502 without api_id, the user opted in": attrs.evolve(
        server_error(502, api_id=None, executed=True), options={"retry_503_starts": True}
    ),
    "no answer: reset before it was read": unknown(faults.resets_unread, executed=False),
    "no answer: closed before it was read": unknown(faults.closes_unread, executed=False),
    "no answer: reset after it was executed": unknown(faults.executes_and_resets, executed=True),
    "no answer: closed after it was executed": unknown(faults.executes_and_closes, executed=True),
    "no answer: stalled before it was read": unknown(faults.stalls_unread, executed=False, timeout=BRIEF),
    "no answer: stalled after it was executed": unknown(faults.executes_and_stalls, executed=True, timeout=BRIEF),
    "no answer: truncated head": unknown(faults.cuts_in_head, executed=True),
    "no answer: two status lines": unknown(faults.answers_duplicate_status_line, executed=True),
    "no answer: bytes that are not HTTP": unknown(faults.answers_garbage, executed=True),
    "no answer: a header of 1 MB": unknown(faults.answers_huge_header, executed=True),
    "unreadable success: truncated body": accepted(faults.cuts_in_body),
    "unreadable success: last chunk missing": accepted(faults.cuts_before_last_chunk),
    "unreadable success: stalled in the body": accepted(faults.stalls_in_body, timeout=BRIEF),
    "unreadable success: one byte at a time": accepted(faults.answers_byte_by_byte, timeout=BRIEF),
    "unreadable success: HTML": accepted(faults.answers_html),
    "unreadable success: 204 with a body and its length": accepted(faults.answers_204_with_declared_body, status=204),
    "unreadable success: 204 with an undeclared body": accepted(faults.answers_204_with_undeclared_body, status=204),
}


@rows(STARTS)
@on_every_route
async def test_each_fault_of_a_start_has_its_outcome(
    row: Row, route: Route, server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = make_client(**row.options)
    await check_next_call(client, server, "the one before")  # so that what follows meets a connection that was kept
    server.plan("room", *row.faults)
    end = await result_or_error(client.start_recording("room", timeout=row.timeout))
    check(end, row, route)
    assert server.requests("room") == row.requests
    assert server.executions("room") == row.executions
    await server_loop.run(server.settle())
    await check_next_call(client, server)


@on_every_route
async def test_endless_body_is_cut_off(server: FaultServer, client: RecordClient) -> None:
    server.plan("room", faults.answers_endless_body)
    end = await result_or_error(client.start_recording("room", timeout=60))
    assert isinstance(end, UnexpectedResponseError)
    assert len(end.body) < 5_000_000
    await check_next_call(client, server)


@on_every_route
async def test_unknown_outcome_carries_its_times(server: FaultServer, client: RecordClient) -> None:
    server.plan("room", faults.executes_and_resets)
    before = datetime.now(UTC)
    end = await result_or_error(client.start_recording("room"))
    assert isinstance(end, OutcomeUnknownError)
    assert end.called_at is not None
    assert end.sent_at is not None
    assert end.failed_at is not None
    assert before <= end.called_at <= end.sent_at <= end.failed_at <= datetime.now(UTC)


def repeatable(error: type[Any], **having: Any) -> dict[str, Any]:
    return {"ends": error, "having": having, "requests": 3}


STOPS = {
    "success: the usual 204": Row([faults.succeeds], RecordingStopped, having={"api_id": None}, executions=1),
    "success: 204 with a body and its length": Row(
        [faults.answers_204_with_declared_body], RecordingStopped, executions=1
    ),
    "success: 204 with an undeclared body": Row(
        [faults.answers_204_with_undeclared_body], RecordingStopped, executions=1
    ),
    "refused: 404": refused(404, NotFoundError),
    "refused: 400": refused(400, BadRequestError),
    "429: then success": Row([faults.answers_429(0.1), faults.succeeds], RecordingStopped, requests=2, executions=1),
    "5xx: then success": Row([faults.answers_error(503), faults.succeeds], RecordingStopped, requests=2, executions=1),
    "5xx: then 404": Row(
        [faults.answers_error(500, executed=True), faults.answers_error(404)],
        RecordingStopped,
        requests=2,
        executions=1,
    ),
    "5xx: to every attempt": Row(
        3 * [faults.answers_error(500)], ServerError, having={"status": 500, "api_id": None}, requests=3, executions=0
    ),
    "no answer: reset before it was read, then success": Row(
        [faults.resets_unread, faults.succeeds], RecordingStopped, requests=2, executions=1
    ),
    "no answer: executed, then success": Row(
        [faults.executes_and_resets, faults.succeeds], RecordingStopped, requests=2, executions=2
    ),
    "no answer: executed, then 404": Row(
        [faults.executes_and_closes, faults.answers_error(404)], RecordingStopped, requests=2, executions=1
    ),
    "no answer: executed, then 429, then 404": Row(
        [faults.executes_and_closes, faults.answers_429(0.1), faults.answers_error(404)],
        RecordingStopped,
        requests=3,
        executions=1,
    ),
    "no answer: to the first attempt, then 429": Row(
        [faults.executes_and_closes, faults.answers_429(0.1), faults.answers_429(0.1)],
        OutcomeUnknownError,
        having={"evidence": SENT, "repeatable": True},
        requests=3,
        executions=1,
    ),
    "no answer: to every attempt": Row(
        3 * [faults.answers_garbage],
        OutcomeUnknownError,
        having={"phase": "answer", "evidence": SENT, "attempts": 3, "repeatable": True},
        requests=3,
        executions=3,
    ),
    "no answer: until the deadline": Row(
        [faults.stalls_unread],
        OutcomeUnknownError,
        having={"phase": "answer", "evidence": SENT, "attempts": 1, "repeatable": True},
        executions=0,
        timeout=BRIEF,
    ),
    "unreadable success: then 404": Row(
        [faults.cuts_in_body, faults.answers_error(404)], RecordingStopped, requests=2, executions=1
    ),
    "unreadable success: to every attempt": Row(
        3 * [faults.answers_html], UnexpectedResponseError, having={"status": 202}, requests=3, executions=3
    ),
}


@rows(STOPS)
@on_every_route
async def test_each_fault_of_a_stop_has_its_outcome(
    row: Row, route: Route, server: FaultServer, client: RecordClient
) -> None:
    server.plan("room", *row.faults)
    end = await result_or_error(client.stop_recording("room", timeout=row.timeout))
    check(end, row, route, "DELETE")
    assert server.requests("room") == row.requests
    assert server.executions("room", "DELETE") == row.executions
    await check_next_call(client, server)


LOOKS = {
    "success": Row([faults.succeeds], Recording, having={"recording_id": "room"}, executions=1),
    "refused: 404": refused(404, NotFoundError),
    "429: then success": Row([faults.answers_429(0.1), faults.succeeds], Recording, requests=2, executions=1),
    "5xx: then success": Row([faults.answers_error(503), faults.succeeds], Recording, requests=2, executions=1),
    "5xx: then 404": Row(
        [faults.answers_error(500), faults.answers_error(404)], NotFoundError, requests=2, executions=0
    ),
    "5xx: to every attempt": Row(3 * [faults.answers_error(500)], ServerError, requests=3, executions=0),
    "no answer: to two attempts, then success": Row(
        [faults.resets_unread, faults.cuts_in_head, faults.succeeds], Recording, requests=3, executions=2
    ),
    "no answer: to every attempt": Row(
        3 * [faults.closes_unread],
        OutcomeUnknownError,
        having={"repeatable": True, "attempts": 3},
        requests=3,
        executions=0,
    ),
    "unreadable success: then success": Row(
        [faults.cuts_in_body, faults.succeeds], Recording, requests=2, executions=2
    ),
}


@rows(LOOKS)
@on_every_route
async def test_each_fault_of_a_lookup_has_its_outcome(
    row: Row, route: Route, server: FaultServer, client: RecordClient
) -> None:
    server.plan("room", *row.faults)
    end = await result_or_error(client.get_recording("room", timeout=row.timeout))
    check(end, row, route, "GET")
    assert server.requests("room") == row.requests
    assert server.executions("room", "GET") == row.executions
    await check_next_call(client, server)


@on_every_route
async def test_failing_api_gets_few_retries(server: FaultServer, client: RecordClient) -> None:
    """A tenth of a client's calls may be retries, and a reserve of ten: the rest fail at the first attempt."""
    server.default_fault = faults.answers_error(500)
    for _ in range(20):
        assert isinstance(await result_or_error(client.get_recording("room")), ServerError)
    assert server.requests("room") <= 20 + 10 + 20 / 10


# Bad arguments, no credentials


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("", {}, ValueError),
        ("..", {}, ValueError),
        ("room", {"file_format": "ogg"}, ValueError),
        ("room", {"callback_url": "/relative"}, ValueError),
        ("room", {"timeout": 0}, ValueError),
        (7, {}, TypeError),
    ],
)
async def test_invalid_arguments_send_nothing(
    name: Any, arguments: dict[str, Any], error: type[Exception], server: FaultServer, client: RecordClient
) -> None:
    with pytest.raises(error):
        await client.start_recording(name, **arguments)
    assert server.arrivals == []


def test_missing_credentials_send_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLIVO_AUTH_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="PLIVO_AUTH_TOKEN"):
        RecordClient("MA" + "X" * 18)


# Not sent


@on_every_route
async def test_deadline_that_passes_in_the_queue_is_not_sent(
    server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = make_client(max_connections=1)
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("first", fault)
    first = asyncio.create_task(client.start_recording("first"))
    await executed.wait()
    end = await result_or_error(client.start_recording("room", timeout=0.05))
    check(end, Row([], NotSentError, having={"phase": "queue", "evidence": STILL_QUEUED}, executions=0))
    await server_loop.run(server.release())
    assert (await first).api_id == "api-first"
    await check_next_call(client, server)
    assert server.requests("room") == 0


@on_every_route
async def test_deadline_that_passes_while_waiting_for_the_quota_is_not_sent(
    server: FaultServer, make_client: MakeClient
) -> None:
    client = make_client(rate_limit=RateLimit(1, per=1.5))
    await client.start_recording("first")
    end = await result_or_error(client.start_recording("room", timeout=0.05))
    check(end, Row([], NotSentError, having={"phase": "quota", "evidence": STILL_QUEUED}, executions=0))
    await check_next_call(client, server)
    assert server.requests("room") == 0


@on_every_route
@pytest.mark.parametrize("options", [{"max_connections": 1}, {"rate_limit": RateLimit(1, per=60.0)}])
async def test_call_cancelled_before_sending_is_not_sent(
    options: dict[str, Any], server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = make_client(**options)
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("first", fault)
    first = asyncio.create_task(client.start_recording("first"))
    await executed.wait()
    room = asyncio.create_task(client.start_recording("room"))
    await asyncio.sleep(0)
    room.cancel()
    with pytest.raises(asyncio.CancelledError):
        await room
    await server_loop.run(server.release())
    await first
    await client.aclose()
    assert server.requests("room") == 0


NEVER_CONNECTED = {"phase": "connect", "evidence": NOT_SENT, "status": None, "api_id": None}


@on_every_route
async def test_call_whose_connection_is_refused_is_not_sent(
    server: FaultServer, client: RecordClient, server_loop: BackgroundLoop
) -> None:
    await server_loop.run(server.refuse())
    end = await result_or_error(client.start_recording("room"))
    check(end, Row([], NotSentError, having={**NEVER_CONNECTED, "attempts": 3}, executions=0))
    await server_loop.run(server.listen())
    await check_next_call(client, server)
    assert server.requests("room") == 0


async def test_call_is_retried_after_a_refused_connection(server: FaultServer, make_client: MakeClient) -> None:
    """As the row says, what was not sent is sent again."""

    class RefusedOnce(httpx.AsyncHTTPTransport):
        refused = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not self.refused:
                self.refused = True
                raise httpx.ConnectError("refused")
            return await super().handle_async_request(request)

    client = make_client(transport=RefusedOnce())
    assert (await client.start_recording("room")).api_id == "api-room"
    assert (server.requests("room"), server.executions("room")) == (1, 1)


async def test_call_whose_connection_times_out_is_not_sent(
    silent_listener: FullListener, make_client: MakeClient
) -> None:
    client = make_client(base_url=silent_listener.url)
    end = await result_or_error(client.start_recording("room", timeout=0.2))
    check(end, Row([], NotSentError, having=NEVER_CONNECTED, executions=0))


@pytest.mark.parametrize("host", ["plivo.invalid", "x" * 64 + ".invalid"])
async def test_call_to_an_unknown_host_is_not_sent(host: str, make_client: MakeClient) -> None:
    client = make_client(base_url=f"http://{host}")
    end = await result_or_error(client.start_recording("room", timeout=5))
    check(end, Row([], NotSentError, having=NEVER_CONNECTED, executions=0))


async def test_call_to_an_untrusted_server_is_not_sent(tls_server: FaultServer, make_client: MakeClient) -> None:
    client = make_client(base_url=tls_server.url)
    end = await result_or_error(client.start_recording("room"))
    check(end, Row([], NotSentError, having={**NEVER_CONNECTED, "attempts": 3}, executions=0))
    assert tls_server.arrivals == []


@pytest.mark.usefixtures("trusted_authority")
async def test_call_over_tls_succeeds(tls_server: FaultServer, make_client: MakeClient) -> None:
    client = make_client(base_url=tls_server.url)
    tls_server.plan("room", faults.executes_and_resets)
    check(await result_or_error(client.start_recording("room")), unknown(executed=True))
    await check_next_call(client, tls_server)


async def test_call_over_tls_to_a_plain_server_is_not_sent(server: FaultServer, make_client: MakeClient) -> None:
    server.connection_faults.extend(3 * [faults.sends_408_on_accept])
    client = make_client(base_url=server.url.replace("http", "https"))
    end = await result_or_error(client.start_recording("room"))
    check(end, Row([], NotSentError, having={**NEVER_CONNECTED, "attempts": 3}, executions=0))
    assert server.arrivals == []


class NeverShakesHands:
    """Listens for a TLS handshake and says nothing; tells when it has begun, and when the client has left."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        while await connection.reader.read(1000):
            self._loop.call_soon_threadsafe(self.asked.set)
        self._loop.call_soon_threadsafe(self.left.set)


async def test_call_whose_tls_handshake_never_ends_is_not_sent(server: FaultServer, make_client: MakeClient) -> None:
    """The connection is closed then, not left to the garbage collector."""
    never = NeverShakesHands()
    server.connection_faults.append(never)
    client = make_client(base_url=server.url.replace("http", "https"))
    end = await result_or_error(client.start_recording("room", timeout=0.3))
    check(end, Row([], NotSentError, having=NEVER_CONNECTED, executions=0))
    await asyncio.wait_for(never.left.wait(), 10)


async def test_call_cancelled_in_the_tls_handshake_is_not_sent(server: FaultServer, make_client: MakeClient) -> None:
    """What has not left is dropped: the client goes away at once."""
    never = NeverShakesHands()
    server.connection_faults.append(never)
    client = make_client(base_url=server.url.replace("http", "https"))
    room = asyncio.create_task(client.start_recording("room", timeout=600))
    await never.asked.wait()
    room.cancel()
    with pytest.raises(asyncio.CancelledError):
        await room
    await asyncio.wait_for(never.left.wait(), 10)


async def test_plain_text_before_the_tls_handshake_is_not_read_as_an_answer(
    server: FaultServer, server_tls: ssl.SSLContext, trusted_authority: str
) -> None:
    """What came before the handshake came from anybody: it must not pass for an answer."""

    async def forge(connection: Connection) -> None:
        await connection.send(response_head(202, {"Content-Length": "30"}) + b'{"api_id": "somebody else\'s"}  ')
        transport = connection.writer.transport
        loop = asyncio.get_running_loop()
        await loop.start_tls(transport, transport.get_protocol(), server_tls, server_side=True)

    server.connection_faults.append(forge)
    stream = await AsyncioBackend().connect_tcp("127.0.0.1", int(server.url.rpartition(":")[2]))
    while not stream.get_extra_info("is_readable"):
        await asyncio.sleep(0.001)
    for _ in range(3):  # the kernel has it; now the event loop fetches it
        await asyncio.sleep(0)
    with pytest.raises(httpcore.ConnectError, match="before the TLS handshake"):
        await stream.start_tls(ssl.create_default_context(cafile=trusted_authority), "127.0.0.1")


@pytest.mark.usefixtures("trusted_authority")
async def test_tls_connection_is_closed_without_waiting_for_the_peer(
    tls_server: FaultServer, make_client: MakeClient, server_loop: BackgroundLoop
) -> None:
    client = make_client(base_url=tls_server.url, max_connections=1)
    for _ in range(3):
        tls_server.plan("room", faults.executes_and_stalls)
        check(await result_or_error(client.start_recording("room", timeout=0.3)), unknown(executed=True))
    await check_next_call(client, tls_server)
    assert tls_server.most_open == 1


# 429


@on_every_route
@pytest.mark.parametrize(
    ("headers", "least"),
    [
        pytest.param([1], 1.0, id="Retry-After in seconds"),
        pytest.param([timedelta(seconds=2)], 0.9, id="Retry-After as a date"),
        pytest.param([None, "Mon, 01 Jan 2024 00:00:00 +" + "9" * 20], 5.0, id="no or an invalid Retry-After"),
    ],
)
async def test_429_pauses_all_calls(
    headers: list[object], least: float, server: FaultServer, make_client: MakeClient
) -> None:
    """The other call was waiting for the place that the refused one had."""

    async def refused_once(room: str, retry_after: object) -> None:
        server.plan(room, faults.answers_429(retry_after))
        client = make_client(max_connections=1)
        await asyncio.gather(client.start_recording(room), client.start_recording(f"other {room}"))
        throttled, *later = (arrival.at for arrival in server.arrivals if arrival.name.endswith(room))
        assert min(later) - throttled >= least
        assert (server.requests(room), server.executions(room)) == (2, 1)

    await asyncio.gather(*(refused_once(f"room {number}", header) for number, header in enumerate(headers)))


# Cancelled after bytes left


@on_every_route
async def test_call_cancelled_after_sending_is_executed_once(
    server: FaultServer, client: RecordClient, server_loop: BackgroundLoop, caplog: pytest.LogCaptureFixture
) -> None:
    fault, executed = announcing_execution(faults.executes_and_stalls)
    server.plan("room", fault)
    room = asyncio.create_task(client.start_recording("room"))
    await executed.wait()
    room.cancel()
    with pytest.raises(asyncio.CancelledError):
        await room  # at once: the server still stalls
    assert caplog.messages == []
    await server_loop.run(server.release())
    with caplog.at_level(logging.WARNING, "plivo_record_async"):
        await client.aclose()
    assert caplog.messages == [
        "start of 'room' was cancelled after it may have been sent. It ended with: status 202, api_id api-room"
    ]
    assert (server.requests("room"), server.executions("room")) == (1, 1)


# A connection that was kept


@on_every_route
async def test_kept_connection_is_reused(server: FaultServer, client: RecordClient) -> None:
    for _ in range(5):
        await check_next_call(client, server)
    assert server.accepted == 1


@on_routes(route for route in ALL_ROUTES if route.proxy != "tunnel")  # there the proxy has to pass it on first
async def test_kept_connection_that_the_server_closed_is_not_reused(
    route: Route, server: FaultServer, client: RecordClient, server_loop: BackgroundLoop, blockbuster: BlockBuster
) -> None:
    """A connection that was closed is not used, even if this event loop was too busy to notice."""
    await check_next_call(client, server, "the one before")
    blockbuster.deactivate()
    asyncio.run_coroutine_threadsafe(server.close_connections(), server_loop.loop).result(10)
    if route.transport == "fast":  # a thread of its own notices that a connection was closed
        await wait_until(lambda: connections_to(server.url) == 0)
    assert (await client.start_recording("room")).api_id == "api-room"
    assert (server.requests("room"), server.executions("room")) == (1, 1)


@on_every_route
async def test_kept_connection_with_an_unrequested_answer_is_not_reused(
    server: FaultServer, client: RecordClient, server_loop: BackgroundLoop
) -> None:
    """Servers tell an idle connection that its time is over; that is not the answer to the next request."""
    await check_next_call(client, server, "the one before")
    (connection,) = server.connections
    await server_loop.run(faults.sends_408_on_accept(connection))
    assert (await client.start_recording("room")).api_id == "api-room"
    assert (server.requests("room"), server.executions("room")) == (1, 1)
