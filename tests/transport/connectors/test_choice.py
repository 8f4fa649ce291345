"""The choice of the connector, what all connectors have in common, and which options are rejected."""

from __future__ import annotations

import gzip
import ssl
import sys
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
import respx
from httpx_aiohttp import AiohttpTransport

from plivo_record_async import ConfigurationError, RecordingStarted, fast_transport
from plivo_record_async.transport.connectors.connector import NativeTransport
from tests.support.clients.mock_transport import BASIC, STARTED, client_over
from tests.support.clients.routes import httpx2_transport
from tests.support.servers.request_recorder import RequestRecorder


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
async def test_default_and_httpx_transports_send_the_same(base_url: str, host: str, foreign: bool) -> None:
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


@pytest.mark.parametrize("make", [None, httpx.AsyncHTTPTransport, httpx2_transport, fast_transport, AiohttpTransport])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_response_is_read_with_every_transport(
    make: Callable[[], httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport] | None, encoding: str
) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    body = pack(b'{"api_id": "a", "recording_id": "r"}')
    head = f"HTTP/1.1 202 Accepted\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with (
        RequestRecorder(started=head.encode() + body) as recorder,
        client_over(make and make(), base_url=recorder.url) as client,
    ):
        assert await client.start_recording("standup") == RecordingStarted(api_id="a", recording_id="r")


@pytest.mark.parametrize(
    "transport",
    [httpx.HTTPTransport, "http://proxy", object(), httpx.AsyncClient, httpx2.HTTPTransport(verify=False)],
)
def test_invalid_transport_raises_configuration_error(transport: Any) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"transport must be an httpx\.AsyncBaseTransport or an httpx2\.AsyncBaseTransport, not ",
    ):
        client_over(transport)


@pytest.mark.parametrize(
    "transport", [httpx.AsyncHTTPTransport, lambda: httpx.MockTransport(lambda _: httpx.Response(202))]
)
def test_given_transport_has_its_own_proxy(
    transport: Callable[[], httpx.AsyncBaseTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ConfigurationError, match=r"proxy cannot be combined with this transport.*httpx.AsyncHTTPTransport"
    ):
        client_over(transport(), proxy="http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")
    client_over(transport())
    client_over(transport(), trust_env=False)


def test_fast_transport_accepts_a_proxy_but_not_its_certificates() -> None:
    client_over(fast_transport(), proxy="http://proxy.example:3128")
    proxy = httpx.Proxy("https://proxy.example", ssl_context=ssl.create_default_context())
    with pytest.raises(ConfigurationError, match="cannot use a proxy that has an ssl_context"):
        client_over(fast_transport(), proxy=proxy)


@pytest.mark.parametrize("transport", [lambda: None, fast_transport])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_error_names_an_invalid_proxy_of_the_environment(
    name: str, transport: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.lower(), raising=False)
    monkeypatch.setenv(name, "nonsense://")
    with pytest.raises(ConfigurationError, match=f"^{name} must be the URL of a proxy"):
        client_over(transport())
    client_over(transport(), trust_env=False)


@pytest.mark.parametrize("base_url", ["http://[v1.a]", "http://h/" + "a" * 70_000])
def test_base_url_that_httpx_rejects_raises_configuration_error(base_url: str) -> None:
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
