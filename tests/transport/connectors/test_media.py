from __future__ import annotations

import asyncio
import base64
import socket
from typing import Any

import httpcore
import httpx
import pytest
import respx

from plivo_record_async import ConfigurationError
from plivo_record_async.protocol.media.hosts import DEFAULT_MEDIA_HOSTS, MediaHosts, MediaUrlError
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connector import Transport
from plivo_record_async.transport.connectors.media import MediaOpener, PublicBackend
from tests.support.servers.media_server import FILE, MediaServer, Reply

AUTH_ID = "MA" + "X" * 18
CREDENTIALS = "Basic " + base64.b64encode(f"{AUTH_ID}:token".encode()).decode()


def opener_for(
    base_url: str, media_hosts: tuple[str, ...] = (), transport: Transport | None = None, **more: Any
) -> MediaOpener:
    return MediaOpener(
        settings=Settings(auth_id=AUTH_ID, auth_token="token", base_url=base_url),
        hosts=MediaHosts.read(base_url, media_hosts),
        transport=transport,
        **more,
    )


async def opened(opener: MediaOpener, url: str) -> tuple[int, bytes]:
    async with opener.open(opener.hosts.resolve(url), {}) as response:
        return response.status, b"".join([chunk async for chunk in response.chunks])


def host_of(server: MediaServer) -> str:
    return server.url.removeprefix("http://")


async def test_response_is_read_in_parts() -> None:
    async with MediaServer.serving() as server:
        assert await opened(opener_for(server.url), f"{server.url}/r.mp3?x=1") == (200, FILE)
    [request] = server.requests
    assert (request["target"], request["host"]) == ("/r.mp3?x=1", host_of(server))


async def test_credentials_are_sent_only_after_a_401_of_the_host_of_the_api() -> None:
    async with MediaServer.serving(Reply(status=401), Reply()) as server:
        assert await opened(opener_for(server.url), f"{server.url}/r.mp3") == (200, FILE)
    assert [request.get("authorization") for request in server.requests] == [None, CREDENTIALS]


async def test_401_that_remains_is_returned() -> None:
    async with MediaServer.serving(Reply(status=401)) as server:
        assert await opened(opener_for(server.url), f"{server.url}/r.mp3") == (401, b"")
    assert len(server.requests) == 2


async def test_other_host_gets_no_credentials() -> None:
    async with MediaServer.serving(Reply(status=401)) as server:
        opener = opener_for("https://api.plivo.com", (host_of(server),))
        assert await opened(opener, f"{server.url}/r.mp3") == (401, b"")
    assert [request.get("authorization") for request in server.requests] == [None]


async def test_redirect_to_another_host_does_not_take_the_credentials_along() -> None:
    async with MediaServer.serving() as other:
        moved = Reply(status=302, headers={"Location": f"{other.url}/r.mp3"})
        async with MediaServer.serving(Reply(status=401), moved) as server:
            opener = opener_for(server.url, (host_of(other),))
            assert await opened(opener, f"{server.url}/r.mp3") == (200, FILE)
    assert server.requests[1]["authorization"] == CREDENTIALS
    assert "authorization" not in other.requests[0]


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/r.mp3", "http://10.0.0.1/r.mp3", "file:///etc/passwd", "//evil.example/", "r.mp3"],
)
async def test_redirect_to_a_host_that_is_not_allowed_is_refused(location: str) -> None:
    async with MediaServer.serving(Reply(status=301, headers={"Location": location})) as server:
        with pytest.raises(MediaUrlError):
            await opened(opener_for(server.url), f"{server.url}/r.mp3")


async def test_redirects_without_end_are_refused() -> None:
    async with MediaServer.serving(Reply(status=307, headers={"Location": "/again"})) as server:
        with pytest.raises(MediaUrlError, match="more than 5 redirects"):
            await opened(opener_for(server.url), f"{server.url}/r.mp3")


async def test_response_that_is_longer_than_announced_is_not_clean() -> None:
    async with MediaServer.serving(Reply(announced=-5)) as server:
        opener = opener_for(server.url)
        async with opener.open(opener.hosts.resolve(f"{server.url}/r.mp3"), {}) as response:
            assert len(b"".join([chunk async for chunk in response.chunks])) == len(FILE) - 5
            assert not response.is_clean


async def test_transport_of_the_user_opens_the_file() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=FILE) if "authorization" in request.headers else httpx.Response(401)

    opener = opener_for("https://api.plivo.com", DEFAULT_MEDIA_HOSTS, httpx.MockTransport(answer))
    assert await opened(opener, "http://media.plivo.com/r.mp3") == (200, FILE)
    assert [str(request.url) for request in seen] == ["https://media.plivo.com/r.mp3"] * 2
    assert seen[1].headers["host"] == "media.plivo.com"


@respx.mock
async def test_respx_answers_without_set_up() -> None:
    respx.get("https://media.plivo.com/r.mp3").respond(200, content=FILE)
    opener = opener_for("https://api.plivo.com", DEFAULT_MEDIA_HOSTS)
    assert await opened(opener, "https://media.plivo.com/r.mp3") == (200, FILE)


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name resolve to these addresses."""

    async def getaddrinfo(_loop: object, _host: str, port: int, **_: Any) -> list[Any]:
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
        return [(family, 1, 6, "", (address, port)) for family, address in zip(families, addresses, strict=True)]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "::7f00:1", "fec0::1",
        "::ffff:0:10.0.0.1",
    ],
)  # fmt: skip
async def test_host_of_plivo_that_resolves_to_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving_to(monkeypatch, "93.184.215.14", address)
    opener = opener_for("https://api.plivo.com", DEFAULT_MEDIA_HOSTS)
    with pytest.raises(MediaUrlError, match="not a public address"):
        await opened(opener, "https://media.plivo.com/r.mp3")


async def test_addresses_that_were_checked_are_connected_to_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def connect_tcp(_self: object, host: str, *_: object) -> httpcore.AsyncNetworkStream:
        tried.append(host)
        if len(tried) == 1:
            raise httpcore.ConnectError("refused")
        return httpcore.AsyncMockStream([])

    resolving_to(monkeypatch, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14")
    monkeypatch.setattr("plivo_record_async.transport.connectors.network.AsyncioBackend.connect_tcp", connect_tcp)
    await PublicBackend().connect_tcp("media.plivo.com", 443)
    assert tried == ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "93.184.215.14"]


async def test_host_without_a_public_address_that_accepts_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolving_to(monkeypatch)
    with pytest.raises(httpcore.ConnectError, match="no address"):
        await PublicBackend().connect_tcp("media.plivo.com", 443)


async def test_name_that_does_not_exist_is_a_failed_connection() -> None:
    with pytest.raises(httpcore.ConnectError):
        await PublicBackend().connect_tcp("nothing.invalid", 443)


async def test_listed_host_and_proxy_may_be_private() -> None:
    async with MediaServer.serving() as server:
        listed = opener_for("https://api.plivo.com", (host_of(server),))
        assert await opened(listed, f"{server.url}/r.mp3") == (200, FILE)
        proxied = opener_for(
            "https://api.plivo.com",
            DEFAULT_MEDIA_HOSTS,
            environment=Environment(proxies={"all": "http://127.0.0.1:9"}),
        )
        with pytest.raises(httpcore.ConnectError):  # the proxy is asked, and the name is not resolved here
            await opened(proxied, "https://media.plivo.com/r.mp3")


async def test_certificates_of_the_environment_are_read() -> None:
    opener = opener_for("https://api.plivo.com", environment=Environment(cert_file="/no/such/file"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        await opened(opener, "https://api.plivo.com/r.mp3")
