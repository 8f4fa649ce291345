"""What goes out over each way, what is noted on it, and that every failure of the HTTP libraries becomes ours."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import inspect
import logging
import ssl
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import httpcore
import httpx
import pytest
import respx
from httpx_aiohttp import AiohttpTransport

from plivo_record_async import (
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    RecordClient,
    RecordingStarted,
    RecordingStopped,
    UnexpectedResponseError,
    __version__,
    fast_transport,
)
from plivo_record_async.protocol.api import endpoints
from plivo_record_async.protocol.models import StartRequest, StopRequest
from plivo_record_async.transport.connectors.connector import (
    KEEPALIVE,
    LONGEST_BODY,
    NEVER_CONNECTED,
    Exchange,
    NativeTransport,
    own_headers,
)
from tests.support.raw_server import STARTED as WIRETAP_STARTED
from tests.support.raw_server import Wiretap

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "tokentokentokentokentokentokentokentoken"
BASIC = base64.b64encode(f"{AUTH_ID}:{TOKEN}".encode()).decode()
RECORD = f"/v1/Account/{AUTH_ID}/Conference/standup/Record/"

STARTED = {"api_id": "a", "message": "conference recording started", "url": "http://u", "recording_id": "r"}

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def client_over(
    transport: httpx.AsyncBaseTransport | None = None, *, max_retries: int = 0, **options: Any
) -> RecordClient:
    return RecordClient(AUTH_ID, TOKEN, transport=transport, max_retries=max_retries, **options)


def classes(library: ModuleType) -> list[type[Exception]]:
    """Every exception that a library shows, so that a new one cannot be forgotten."""
    return [cls for _, cls in inspect.getmembers(library, inspect.isclass) if issubclass(cls, Exception)]


def one(cls: type[Exception]) -> Exception:
    if cls is httpx.HTTPStatusError:
        request = httpx.Request("POST", "http://h")
        return httpx.HTTPStatusError("boom", request=request, response=httpx.Response(500, request=request))
    try:
        return cls("boom")
    except TypeError:
        return cls()


OTHERS: list[type[Exception]] = [
    OSError,
    ConnectionResetError,
    BrokenPipeError,
    TimeoutError,
    ssl.SSLError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    ExceptionGroup,
]
FAILURES = [*classes(httpx), *classes(httpcore)]


def test_the_libraries_show_their_exceptions() -> None:
    assert {"ReadTimeout", "ConnectError", "InvalidURL", "RemoteProtocolError"} <= {cls.__name__ for cls in FAILURES}
    assert len(FAILURES) > 40
    assert set(NEVER_CONNECTED) <= set(FAILURES)


async def seen(request: httpx.Request, *events: str, method: str = "POST") -> None:
    """Tell what httpcore tells on its way."""
    trace = request.extensions["trace"]
    for event in events:
        info = {"request": httpcore.Request(method, "http://h/")} if "send_request_headers" in event else {}
        await trace(event, info)


async def failure(handler: Handler) -> Any:
    async with client_over(httpx.MockTransport(handler)) as client:
        with pytest.raises(PlivoRecordError) as caught:
            await client.start_recording("standup")
    error = caught.value
    assert str(error).startswith("start of 'standup': ")
    assert not isinstance(error, httpx.HTTPError | httpx.InvalidURL | httpx.StreamError)
    return error


def instance(cls: type[Exception]) -> Exception:
    return ExceptionGroup("boom", [OSError("boom")]) if cls is ExceptionGroup else one(cls)


@pytest.mark.parametrize("cls", FAILURES + OTHERS)
async def test_a_failure_without_evidence_is_believed_only_if_it_never_connected(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        raise instance(cls)

    error = await failure(handler)
    assert type(error) is (NotSentError if issubclass(cls, NEVER_CONNECTED) else OutcomeUnknownError)
    assert error.phase == "connect"
    assert isinstance(error.__cause__, cls)


@pytest.mark.parametrize("cls", FAILURES + OTHERS)
async def test_a_failure_after_sending_began_is_unknown_whatever_its_name(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await seen(request, "connection.connect_tcp.complete.x", "http11.send_request_headers.started")
        raise instance(cls)

    error = await failure(handler)
    assert error.called_at <= error.sent_at <= error.failed_at
    assert type(error) is OutcomeUnknownError
    assert (error.phase, error.evidence) == ("send", "sending had begun")


@pytest.mark.parametrize("cls", FAILURES + OTHERS)
async def test_a_failure_before_sending_began_is_not_sent_whatever_its_name(cls: type[Exception]) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await seen(request, "connection.connect_tcp.started", "connection.start_tls.started")
        raise instance(cls)

    error = await failure(handler)
    assert type(error) is NotSentError
    assert (error.phase, error.evidence) == ("connect", "it ended before sending began")


@pytest.mark.parametrize("cls", FAILURES + OTHERS)
async def test_every_failure_on_the_default_way_is_ours(cls: type[Exception]) -> None:
    with respx.mock:
        respx.post(path=RECORD).mock(side_effect=instance(cls))
        async with client_over() as client:
            with pytest.raises((NotSentError, OutcomeUnknownError)) as caught:
                await client.start_recording("standup")
    assert isinstance(caught.value, NotSentError) is issubclass(cls, NEVER_CONNECTED)


@pytest.mark.parametrize("cls", FAILURES)
async def test_a_failure_in_the_middle_of_the_answer_keeps_the_status(cls: type[Exception]) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'{"api_id": "a",'
        raise instance(cls)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, content=half())

    error = await failure(handler)
    assert type(error) is UnexpectedResponseError
    assert (error.status, error.body) == (202, '{"api_id": "a",')


async def test_waiting_for_the_answer_is_a_phase_of_its_own() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await seen(
            request,
            "http11.send_request_headers.started",
            "http11.send_request_body.complete",
            "http11.receive_response_headers.started",
        )
        raise httpcore.ReadTimeout

    assert (await failure(handler)).phase == "answer"


async def test_a_connect_to_a_proxy_is_not_yet_the_request() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await seen(
            request,
            "http11.send_request_headers.started",
            "http11.receive_response_headers.started",
            method="CONNECT",
        )
        raise httpcore.RemoteProtocolError("the proxy is gone")

    error = await failure(handler)
    assert (type(error), error.phase) == (NotSentError, "connect")


class FromAiohttp(httpx.AsyncBaseTransport):
    """A user's own kind of httpx-aiohttp, which reports a disconnect after sending as a connect error too."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("boom")


async def test_a_connect_error_of_a_misleading_transport_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FromAiohttp, "__module__", "httpx_aiohttp.transport")

    class Own(FromAiohttp):
        pass

    for transport in (FromAiohttp(), Own()):
        async with client_over(transport) as client:
            with pytest.raises(OutcomeUnknownError, match="does not report"):
                await client.start_recording("standup")


def test_evidence_counts_only_what_happened() -> None:
    exchange = Exchange()
    assert not exchange.may_have_left()
    exchange.phase = "connect"
    assert exchange.may_have_left()
    assert exchange.may_have_left(OSError())
    assert not exchange.may_have_left(httpcore.ConnectError())
    exchange.trusted = False
    assert exchange.may_have_left(httpcore.ConnectError())


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_what_is_left_of_the_time_is_never_less_than_nothing() -> None:
    clock = Clock()
    exchange = Exchange(deadline=10.0, clock=clock)
    assert exchange.seconds_left == 10.0
    clock.time = 11.0
    assert exchange.seconds_left == 0.0
    assert Exchange().seconds_left == float("inf")


def test_nothing_is_sent_that_nobody_wants_any_more() -> None:
    clock = Clock()
    late = Exchange(deadline=10.0, clock=clock, phase="connect", traced=True)
    clock.time = 10.0
    with pytest.raises(TimeoutError):
        late.sending()
    abandoned = Exchange(phase="connect", traced=True, abandoned=True)
    with pytest.raises(asyncio.CancelledError):
        abandoned.sending()
    for exchange in (late, abandoned):
        assert (exchange.phase, exchange.sent_at, exchange.may_have_left()) == ("connect", None, False)


@pytest.mark.parametrize("method", [b"CONNECT", b"POST"])
async def test_a_request_that_nobody_wants_any_more_stops_before_it_is_sent(method: bytes) -> None:
    exchange = Exchange(phase="connect", abandoned=True)
    await exchange.trace("connection.connect_tcp.started", {})
    with pytest.raises(asyncio.CancelledError):
        await exchange.trace("http11.send_request_headers.started", {"request": httpcore.Request(method, "http://h/")})
    assert not exchange.may_have_left()


async def test_an_answer_that_nobody_wants_any_more_is_not_read_on() -> None:
    exchange = Exchange()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        exchange.abandoned = True
        yield b"second"

    with pytest.raises(asyncio.CancelledError):
        await exchange.collect(200, {}, chunks())
    assert exchange.partial is not None
    assert (exchange.partial.body, exchange.partial.complete) == (b"first", False)


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * (64 * 1024)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(202, content=endless())

    error = await failure(handler)
    assert type(error) is UnexpectedResponseError
    assert LONGEST_BODY < len(error.body) <= LONGEST_BODY + 64 * 1024


# What goes out


async def test_the_request_on_the_wire() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        assert await client.start_recording("a/b c?", file_format="wav") == RecordingStarted(
            api_id="2867b6e2", message="conference recording started", recording_id="r", url="http://u"
        )
        assert await client.stop_recording("a/b c?") == RecordingStopped()
        start, stop = wiretap.heard
        target = f"/v1/Account/{AUTH_ID}/Conference/a%2Fb%20c%3F/Record/"
        assert (start.method, start.target, start.body) == ("POST", target, b'{"file_format": "wav"}')
        assert (stop.method, stop.target, stop.body) == ("DELETE", target, b"")
        for heard in wiretap.heard:
            assert heard.headers["authorization"] == f"Basic {BASIC}"
            assert heard.headers["user-agent"].startswith(f"plivo-record-async/{__version__} (Python ")
            assert heard.headers["accept"] == "application/json"
            assert heard.headers["accept-encoding"] == "identity"
            assert heard.headers["host"] == wiretap.url.removeprefix("http://")
        assert start.headers["content-type"] == "application/json"
        assert stop.headers["connection"] == "close"


async def test_a_user_agent_without_secrets_names_the_library() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        await client.start_recording("standup")
        assert f"httpx {httpx.__version__}" in wiretap.heard[0].headers["user-agent"]


async def test_a_connection_is_used_again_but_not_after_a_stop() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        for _ in range(3):
            await client.start_recording("standup")
        assert wiretap.connections == 1
        await client.stop_recording("standup")
        await client.start_recording("standup")
        assert [heard.connection for heard in wiretap.heard] == [1, 1, 1, 1, 2]


async def test_a_connection_that_a_stop_opened_is_closed_after_it() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        await client.stop_recording("standup")
        async with asyncio.timeout(10):
            while wiretap.open:
                await turns_of_the_loop()


async def test_there_are_no_more_connections_than_allowed() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url, max_connections=3) as client:
        outcomes = [outcome async for outcome in client.start_many([f"room {n}" for n in range(60)])]
        assert all(outcome.ok for outcome in outcomes)
        assert wiretap.connections <= 3


@pytest.mark.parametrize(("host", "path"), [("127.0.0.1", ""), ("127.0.0.1", "/plivo/v2/"), ("::1", "/x")])
async def test_an_address_with_port_and_path(host: str, path: str) -> None:
    async with Wiretap(host) as wiretap, client_over(base_url=wiretap.url + path) as client:
        await client.start_recording("standup")
        assert wiretap.heard[0].target == path.rstrip("/") + RECORD
        assert wiretap.heard[0].headers["host"] == wiretap.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://api.plivo.com", "api.plivo.com"),
        ("https://api.plivo.com:443/x", "api.plivo.com"),
        ("https://api.plivo.com:8443", "api.plivo.com:8443"),
        ("https://[2001:db8::1]:8443/x", "[2001:db8::1]:8443"),
    ],
)
@pytest.mark.parametrize("foreign", [False, True])
async def test_both_ways_send_the_same(base_url: str, host: str, foreign: bool) -> None:
    with respx.mock as router:
        route = router.route().respond(202, json=STARTED)
        transport = httpx.MockTransport(router.async_handler) if foreign else None
        async with client_over(transport, base_url=base_url) as client:
            await client.start_recording("ä/b%2F")
    request: httpx.Request = route.calls.last.request
    assert str(request.url).startswith(str(httpx.URL(base_url).copy_with(path="/")))
    assert request.url.raw_path.endswith(b"/Conference/%C3%A4%2Fb%252F/Record/")
    assert request.headers["host"] == host
    assert request.headers["authorization"] == f"Basic {BASIC}"
    assert request.content == b"{}"


def test_only_a_stop_asks_to_close_the_connection() -> None:
    start = own_headers(endpoints.start_recording(StartRequest("standup", file_format="wav")))
    assert start == [(b"Content-Type", b"application/json"), (b"Content-Length", b"22")]
    assert own_headers(endpoints.stop_recording(StopRequest("standup"))) == [(b"Connection", b"close")]
    assert own_headers(endpoints.list_conferences()) == []


async def test_no_log_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        await client.start_recording("standup")
        await client.stop_recording("standup")
    assert {"httpcore.connection", "httpcore.http11"} <= {record.name for record in caplog.records}
    assert not any(secret in caplog.text + repr(caplog.records) for secret in (TOKEN, BASIC, BASIC[-40:]))


async def test_no_error_shows_the_token() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("boom", request=request)

    error = await failure(handler)
    assert TOKEN not in f"{error!r} {error} {vars(error)} {error.__cause__!r}"
    assert BASIC not in f"{error!r} {error} {vars(error)} {error.__cause__!r}"


# Ways


async def test_an_asgi_application_answers() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["raw_path"] == f"/v1/Account/{AUTH_ID}/Conference/a%2Fb/Record/".encode()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"api_id": "a"}'})

    async with client_over(httpx.ASGITransport(app)) as client:
        assert (await client.start_recording("a/b")).api_id == "a"


async def test_a_foreign_transport_is_told_the_time_and_closed() -> None:
    class Own(httpx.AsyncBaseTransport):
        closed = False
        timeout: dict[str, float] | None = None

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.timeout = request.extensions["timeout"]
            return httpx.Response(202, json=STARTED)

        async def aclose(self) -> None:
            self.closed = True

    transport = Own()
    async with client_over(transport) as client:
        await client.start_recording("standup", timeout=7)
        assert transport.timeout is not None
        assert "pool" not in transport.timeout
        assert all(0 < seconds <= 7 for seconds in transport.timeout.values())
    assert transport.closed


async def test_httpx_is_told_what_is_left_of_the_time_at_each_step() -> None:
    asked: list[dict[str, Any]] = []

    class Steps(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            limits = request.extensions["timeout"]
            for step in ("pool", "connect", "write", "read"):
                asked.append({step: limits.get(step, None)})
                await asyncio.sleep(0.01)
            return httpx.Response(202, json=STARTED)

    async with client_over(Steps()) as client:
        await client.start_recording("standup", timeout=7)
    assert asked.pop(0) == {"pool": None}, "a pool whose queue is left may never work again"
    seconds = [next(iter(limit.values())) for limit in asked]
    assert 7 > seconds[0] > seconds[1] > seconds[2] > 0


@pytest.mark.parametrize("twice", [False, True])
async def test_a_connection_of_httpx_is_used_again_unless_more_came_than_the_answer(twice: bool) -> None:
    served: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(over := asyncio.Event())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n{}"):
                writer.write((2 if twice else 1) * WIRETAP_STARTED)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client_over(httpx.AsyncHTTPTransport(), base_url=url) as client:
            for _ in range(3):
                assert (await client.start_recording("standup")).recording_id == "r"
        for over in served:
            await asyncio.wait_for(over.wait(), 10)
    assert len(served) == (3 if twice else 1)


async def test_what_httpx_opened_for_a_request_that_failed_is_closed() -> None:
    class Stream(httpcore.AsyncNetworkStream):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    stream = Stream()

    class Refused(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await request.extensions["trace"]("socks.connect_tcp.complete", {"return_value": stream})
            raise httpx.ProxyError("refused")

    async with client_over(Refused()) as client:
        with pytest.raises(NotSentError):
            await client.start_recording("standup")
    assert stream.closed


async def test_pyreqwest_is_told_one_limit_because_it_adds_them_up(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[dict[str, float]] = []

    class Own(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            limits.append(dict(request.extensions["timeout"]))
            return httpx.Response(202, json=STARTED)

    monkeypatch.setattr(Own, "__module__", "pyreqwest.compatibility.httpx")
    async with client_over(Own()) as client:
        await client.start_recording("standup", timeout=7)
    assert list(limits[0]) == ["read"]


@pytest.mark.parametrize("body", [gzip.compress(b'{"api_id": "a"}'), b'{"api_id": "a"}'], ids=["packed", "unpacked"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
async def test_a_packed_answer_is_unpacked_once_unless_the_transport_has_done_it(body: bytes, whole: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])

    async def handler(request: httpx.Request) -> httpx.Response:
        stream: Any = httpx.ByteStream(body) if whole else pieces()
        return httpx.Response(
            202, headers={"content-encoding": "gzip"}, **({"stream": stream} if whole else {"content": stream})
        )

    async with client_over(httpx.MockTransport(handler)) as client:
        assert await client.start_recording("standup") == RecordingStarted(api_id="a")


@pytest.mark.parametrize("make", [None, httpx.AsyncHTTPTransport, fast_transport, AiohttpTransport])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_packed_answer_is_read_over_every_transport(
    make: Callable[[], httpx.AsyncBaseTransport] | None, encoding: str
) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    body = pack(b'{"api_id": "a", "recording_id": "r"}')
    head = f"HTTP/1.1 202 Accepted\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with (
        Wiretap(started=head.encode() + body) as wiretap,
        client_over(make and make(), base_url=wiretap.url) as client,
    ):
        assert await client.start_recording("standup") == RecordingStarted(api_id="a", recording_id="r")


@pytest.mark.parametrize("transport", [httpx.HTTPTransport, "http://proxy", object(), httpx.AsyncClient])
def test_what_is_no_transport_is_refused(transport: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"transport must be an httpx\.AsyncBaseTransport, not "):
        client_over(transport)


@pytest.mark.parametrize(
    "transport", [httpx.AsyncHTTPTransport, lambda: httpx.MockTransport(lambda _: httpx.Response(202))]
)
def test_a_transport_of_the_users_has_its_own_proxy(
    transport: Callable[[], httpx.AsyncBaseTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"proxy and transport exclude each other.*httpx.AsyncHTTPTransport"):
        client_over(transport(), proxy="http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")
    client_over(transport())
    client_over(transport(), trust_env=False)


def test_the_fast_transport_takes_a_proxy_but_not_its_certificates() -> None:
    client_over(fast_transport(), proxy="http://proxy.example:3128")
    proxy = httpx.Proxy("https://proxy.example", ssl_context=ssl.create_default_context())
    with pytest.raises(ConfigurationError, match="ssl_context of a proxy"):
        client_over(fast_transport(), proxy=proxy)


@pytest.mark.parametrize("transport", [lambda: None, fast_transport])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_that_is_none_is_named(
    name: str, transport: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, "nonsense://")
    with pytest.raises(ConfigurationError, match=f"^{name} must be the URL of a proxy"):
        client_over(transport())
    client_over(transport(), trust_env=False)


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no certificate", "")])
def test_a_file_of_certificates_that_holds_none_is_named(
    content: str | None, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ConfigurationError, match=f"SSL_CERT_FILE must name certificates to trust.*{why}") as caught:
        client_over()
    assert str(path) in str(caught.value)
    client_over(trust_env=False)
    client_over(base_url="http://h")


@pytest.mark.parametrize("base_url", ["http://[v1.a]", "http://h/" + "a" * 70_000])
def test_an_address_that_httpx_cannot_take_is_a_configuration_error(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"base_url .PLIVO_BASE_URL. "):
        client_over(base_url=base_url)


def test_the_fast_transport_is_an_httpx_transport() -> None:
    transport = fast_transport()
    assert isinstance(transport, httpx.AsyncBaseTransport)
    assert isinstance(transport, NativeTransport)


def test_the_fast_transport_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "plivo_record_async.transport.connectors.pyreqwest_adapter", raising=False)
    monkeypatch.setitem(sys.modules, "pyreqwest.client", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'plivo-record-async\[fast\]'"):
        fast_transport()


async def turns_of_the_loop() -> None:
    """Let both sides of a loopback connection see what has happened."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_connection_that_the_server_has_left_is_not_used_again() -> None:
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        await client.start_recording("standup")
        wiretap.open[1].write_eof()
        await turns_of_the_loop()
        await client.start_recording("standup")
        assert [heard.connection for heard in wiretap.heard] == [1, 2]


async def test_connections_that_nobody_needs_any_more_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, leaps = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(leaps))
    async with Wiretap() as wiretap, client_over(base_url=wiretap.url) as client:
        await asyncio.gather(*(client.start_recording("standup") for _ in range(2)))
        for _ in range(2):
            assert wiretap.open.keys() == {1, 2}
            leaps.append(0.6 * KEEPALIVE)
            await client.start_recording("standup")
        busy = wiretap.heard[-1].connection
        async with asyncio.timeout(10):
            while wiretap.open.keys() != {busy}:
                await turns_of_the_loop()
        assert wiretap.connections == 2


async def test_closing_the_client_closes_its_connections() -> None:
    async with Wiretap() as wiretap:
        async with client_over(base_url=wiretap.url) as client:
            await asyncio.gather(*(client.start_recording("standup") for _ in range(5)))
            assert wiretap.open
        async with asyncio.timeout(10):
            while wiretap.open:
                await turns_of_the_loop()
