"""A transport of httpx2: what it receives, that its errors become those of httpx, and that downloads use it too."""

from __future__ import annotations

import inspect
from pathlib import Path

import httpx
import httpx2
import pytest

from plivo_record_async import NotSentError, OutcomeUnknownError, RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.transport.connectors.httpx2_adapter import Httpx2Transport, adapt
from tests.support.clients.mock_transport import BASIC, STARTED, client_over
from tests.support.clients.routes import httpx2_transport

FAILURES = [
    cls
    for _, cls in inspect.getmembers(httpx2, inspect.isclass)
    if issubclass(cls, httpx2.TransportError | httpx2.InvalidURL)
]
NEVER_CONNECTED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.InvalidURL,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


async def test_request_arrives_unchanged_and_transport_is_closed() -> None:
    received: list[httpx2.Request] = []
    closed: list[bool] = []

    class Own(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            received.append(request)
            return httpx2.Response(202, json=STARTED)

        async def aclose(self) -> None:
            closed.append(True)

    async with client_over(Own()) as client:
        assert (await client.start_recording("ä/b%2F", file_format="wav")).api_id == "a"
    [request] = received
    assert request.url.raw_path.endswith(b"/Conference/%C3%A4%2Fb%252F/Record/")
    assert request.headers["authorization"] == f"Basic {BASIC}"
    assert (request.method, request.content) == ("POST", b'{"file_format": "wav"}')
    assert closed == [True]


@pytest.mark.parametrize("cls", FAILURES)
async def test_failure_is_an_error_of_the_package_with_the_evidence_of_httpx(cls: type[Exception]) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise cls("boom")

    async with client_over(httpx2.MockTransport(fail)) as client:
        with pytest.raises(NotSentError if issubclass(cls, NEVER_CONNECTED) else OutcomeUnknownError):
            await client.start_recording("standup")


@pytest.mark.parametrize("cls", FAILURES)
async def test_failure_has_its_name_in_httpx(cls: type[Exception]) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise cls("boom")

    with pytest.raises(getattr(httpx, cls.__name__, httpx.TransportError), match="boom") as caught:
        await Httpx2Transport(httpx2.MockTransport(fail)).handle_async_request(httpx.Request("GET", "http://h"))
    assert isinstance(caught.value.__cause__, cls)


async def test_download_uses_the_transport(plivo_emulator: Emulator, tmp_path: Path) -> None:
    used: list[str] = []

    class Own(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            used.append(request.method)
            return await super().handle_async_request(request)

    transport = Own(verify=httpx.create_ssl_context())
    async with RecordClient(
        plivo_emulator.auth_id, plivo_emulator.auth_token, base_url=plivo_emulator.url, transport=transport
    ) as client:
        started = await client.start_recording("standup")
        await plivo_emulator.end_conference("standup")
        path = await client.download_recording(started, tmp_path / "standup.mp3", timeout=20)
    assert path == tmp_path / "standup.mp3"
    assert used[0] == "POST"
    assert set(used[1:]) == {"GET"}


def test_only_asynchronous_transports_are_adapted() -> None:
    assert isinstance(adapt(httpx2_transport()), Httpx2Transport)
    assert adapt(httpx2.HTTPTransport(verify=False)) is None
    assert adapt(object()) is None
