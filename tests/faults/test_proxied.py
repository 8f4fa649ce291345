"""Calls through the proxies of the environment or the user: what the proxy receives, and what its refusal means."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
import respx
import trustme

from plivo_record_async import NotSentError, OutcomeUnknownError, RecordingStarted
from tests.support.clients.calls import NOT_SENT, check_next_call, client_for, result_or_error
from tests.support.clients.routes import Route, on_routes
from tests.support.servers import faults
from tests.support.servers.background_loop import BackgroundLoop
from tests.support.servers.fault_server import FaultServer, ServerRequest
from tests.support.servers.proxies import ConnectProxy, SocksProxy

OWN = [Route("default"), Route("fast")]
"""The transports that ask the environment."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def socks(server_loop: BackgroundLoop) -> Iterator[SocksProxy]:
    with server_loop.enter(SocksProxy()) as running:
        yield running


@attrs.define
class Overhearing:
    """A fault that is none, and keeps the headers of the requests."""

    headers: list[dict[str, str]] = attrs.field(factory=list[dict[str, str]])

    async def __call__(self, exchange: ServerRequest) -> None:
        self.headers.append(dict(exchange.headers))
        await faults.succeeds(exchange)


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@on_routes(OWN)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.usefixtures("trusted_authority")
async def test_proxy_of_the_environment_is_used_as_a_tunnel_for_https(
    name: str, route: Route, proxy: ConnectProxy, tls_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy.url)
    async with client_for(tls_server, **route.options()) as client:
        await check_next_call(client, tls_server)
        await check_next_call(client, tls_server)
    assert proxy.tunnels == 1


@on_routes(OWN)
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "all_proxy"])
async def test_proxy_of_the_environment_is_used_as_a_forward_proxy_for_http(
    name: str, route: Route, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, server.url)
    async with client_for(server, base_url="http://api.invalid", **route.options()) as client:
        await check_next_call(client, server)


@on_routes(OWN)
@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*"])
@pytest.mark.usefixtures("trusted_authority")
async def test_hosts_of_no_proxy_are_called_directly(
    no_proxy: str, route: Route, proxy: ConnectProxy, tls_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    async with client_for(tls_server, **route.options()) as client:
        await check_next_call(client, tls_server)
    assert proxy.tunnels == 0


@on_routes(OWN)
async def test_trust_env_false_ignores_the_proxies_of_the_environment(
    route: Route, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with client_for(server, trust_env=False, **route.options()) as client:
        await check_next_call(client, server)


@pytest.mark.usefixtures("trusted_authority")
async def test_trust_env_false_ignores_the_certificates_of_the_environment(tls_server: FaultServer) -> None:
    async with client_for(tls_server, trust_env=False) as client:
        assert isinstance(await result_or_error(client.start_recording("room")), NotSentError)
    assert tls_server.arrivals == []


@on_routes(OWN)
@pytest.mark.usefixtures("trusted_authority")
async def test_given_proxy_overrides_the_environment(
    route: Route, proxy: ConnectProxy, tls_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    for chosen in (proxy.url, httpx.Proxy(proxy.url)):
        options: dict[str, Any] = route.options() | {"proxy": chosen}
        async with client_for(tls_server, **options) as client:
            await check_next_call(client, tls_server)
    assert proxy.tunnels == 2


@on_routes(OWN)
@pytest.mark.usefixtures("trusted_authority")
async def test_proxy_credentials_go_to_the_proxy_and_api_credentials_through_the_tunnel(
    route: Route, proxy: ConnectProxy, tls_server: FaultServer
) -> None:
    tls_server.default_fault = overhearing = Overhearing()
    user = httpx.Proxy(proxy.url.replace("http://", "http://me:p%40ss@"), headers={"X-Team": "a"})
    options: dict[str, Any] = route.options() | {"proxy": user}
    async with client_for(tls_server, **options) as client:
        await client.start_recording("room")
    (head,) = proxy.heads
    asked = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
    assert asked["proxy-authorization"] == basic("me", "p@ss").lower()
    assert asked["x-team"] == "a"
    assert "authorization" not in asked
    (sent,) = overhearing.headers
    assert sent["authorization"].startswith("Basic ")
    assert not {"proxy-authorization", "x-team"} & sent.keys()


@on_routes(OWN)
async def test_credentials_for_a_forward_proxy_go_with_each_request(route: Route, server: FaultServer) -> None:
    server.default_fault = overhearing = Overhearing()
    user = server.url.replace("http://", "http://me:p%40ss@")
    async with client_for(server, base_url="http://api.invalid", **{**route.options(), "proxy": user}) as client:
        await client.start_recording("room")
        await client.stop_recording("room")
    assert [sent["proxy-authorization"] for sent in overhearing.headers] == [basic("me", "p@ss")] * 2
    assert {sent["host"] for sent in overhearing.headers} == {"api.invalid"}


@on_routes([*OWN, Route("httpx")])
@pytest.mark.parametrize("status", [403, 407, 502, 503])
@pytest.mark.usefixtures("trusted_authority")
async def test_call_through_a_refused_tunnel_is_not_sent(
    status: int, route: Route, proxy: ConnectProxy, tls_server: FaultServer
) -> None:
    """Whatever the proxy says, it is not Plivo who says it."""
    proxy.refusal_status = status
    async with client_for(tls_server, **route.options(proxy.url)) as client:
        end = await result_or_error(client.start_recording("room"))
        assert isinstance(end, NotSentError), repr(end)
        assert (end.phase, end.evidence, end.attempts) == ("connect", NOT_SENT, 3)
        proxy.refusal_status = None
        await check_next_call(client, tls_server)
    assert tls_server.requests("room") == 0


@on_routes([*OWN, Route("httpx")])
@pytest.mark.usefixtures("trusted_authority")
async def test_call_through_a_tunnel_without_a_target_is_not_sent(
    route: Route, proxy: ConnectProxy, tls_server: FaultServer, server_loop: BackgroundLoop
) -> None:
    await server_loop.run(tls_server.refuse())
    async with client_for(tls_server, **route.options(proxy.url)) as client:
        end = await result_or_error(client.start_recording("room"))
        assert isinstance(end, NotSentError), repr(end)
        await server_loop.run(tls_server.listen())
        await check_next_call(client, tls_server)


@on_routes([*OWN, Route("httpx")])
async def test_an_error_of_a_forward_proxy_may_come_after_the_work_was_done(route: Route, server: FaultServer) -> None:
    server.plan("room", faults.answers_error(502, executed=True))
    async with client_for(server, base_url="http://api.invalid", **route.options(server.url)) as client:
        end = await result_or_error(client.start_recording("room"))
        assert isinstance(end, OutcomeUnknownError), repr(end)
        assert (end.status, server.executions("room")) == (502, 1)


@on_routes([*OWN, Route("httpx")])
@pytest.mark.usefixtures("trusted_authority")
async def test_calls_through_a_socks_proxy(route: Route, socks: SocksProxy, tls_server: FaultServer) -> None:
    url = socks.url.replace("http", "socks5h")
    async with client_for(tls_server, **route.options(url)) as client:
        await check_next_call(client, tls_server)
        tls_server.plan("room", faults.executes_and_resets)
        end = await result_or_error(client.start_recording("room"))
        assert isinstance(end, OutcomeUnknownError), repr(end)
        assert end.evidence == "sending had begun"
        socks.refusal_status = 1
        end = await result_or_error(client.start_recording("room"))
        assert isinstance(end, NotSentError), repr(end)
        socks.refusal_status = None
        await check_next_call(client, tls_server)
    assert tls_server.requests("room") == 1


@pytest.fixture
def tls_proxy(server_loop: BackgroundLoop, server_tls: ssl.SSLContext) -> Iterator[ConnectProxy]:
    with server_loop.enter(ConnectProxy(server_tls)) as running:
        yield running


@pytest.mark.usefixtures("trusted_authority")
async def test_calls_through_a_proxy_over_tls(tls_proxy: ConnectProxy, tls_server: FaultServer) -> None:
    async with client_for(tls_server, proxy=tls_proxy.url) as client:
        await check_next_call(client, tls_server)
    assert tls_proxy.tunnels == 1


# Mocks


@pytest.mark.parametrize("base_url", ["https://api.plivo.com", "http://api.invalid"])
async def test_respx_intercepts_calls_whatever_proxy_is_set(
    base_url: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also does for a client that has already used its proxy."""
    monkeypatch.setenv("ALL_PROXY", server.url)
    async with client_for(server, base_url=base_url) as client:
        if base_url.startswith("http:"):
            await check_next_call(client, server)
        before = len(server.arrivals)
        with respx.mock:
            route = respx.post(url__startswith=base_url).respond(202, json={"api_id": "a"})
            assert isinstance(await client.start_recording("room"), RecordingStarted)
            assert route.called
        assert len(server.arrivals) == before


# Certificates


@pytest.fixture
def other_certificates() -> Iterator[str]:
    with trustme.CA().cert_pem.tempfile() as path:
        yield path


async def test_a_file_of_certificates_replaces_the_others(
    tls_server: FaultServer, trusted_authority: str, other_certificates: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, ends in ((trusted_authority, RecordingStarted), (other_certificates, NotSentError)):
        monkeypatch.setenv("SSL_CERT_FILE", name)
        async with client_for(tls_server, max_retries=0) as client:
            assert isinstance(await result_or_error(client.start_recording("room")), ends)
