"""A transport that the user passes: what it receives, which of its errors are evidence, and when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx
import pytest

from plivo_record_async import NotSentError, OutcomeUnknownError, RecordingStarted
from tests.support.clients.mock_transport import AUTH_ID, STARTED, client_over
from tests.support.servers.request_recorder import STARTED as WIRETAP_STARTED


class FromAiohttp(httpx.AsyncBaseTransport):
    """A transport of the package httpx-aiohttp, which raises a connect error also for a disconnect after sending."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("boom")


async def test_connect_error_of_a_misleading_transport_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FromAiohttp, "__module__", "httpx_aiohttp.transport")

    class Own(FromAiohttp):
        pass

    for transport in (FromAiohttp(), Own()):
        async with client_over(transport) as client:
            with pytest.raises(OutcomeUnknownError, match="does not report"):
                await client.start_recording("standup")


async def test_asgi_application_can_be_called() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["raw_path"] == f"/v1/Account/{AUTH_ID}/Conference/a%2Fb/Record/".encode()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"api_id": "a"}'})

    async with client_over(httpx.ASGITransport(app)) as client:
        assert (await client.start_recording("a/b")).api_id == "a"


async def test_httpx_transport_gets_timeouts_and_is_closed() -> None:
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


async def test_httpx_gets_the_remaining_time_at_each_step() -> None:
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
async def test_httpx_connection_is_reused_unless_more_than_the_response_arrived(twice: bool) -> None:
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


async def test_httpx_connection_of_a_failed_request_is_closed() -> None:
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


async def test_pyreqwest_gets_one_timeout_because_it_adds_up_several(monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_compressed_response_is_decompressed_exactly_once(body: bytes, whole: bool) -> None:
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
