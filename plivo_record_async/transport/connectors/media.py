"""`MediaOpener`, which opens recorded files over HTTP: redirects, credentials, and the check for private addresses."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

import attrs
import httpcore
import httpx

from plivo_record_async.protocol.media.hosts import MediaHosts, MediaUrl, MediaUrlError
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connections import connection_factory, tls_context
from plivo_record_async.transport.connectors.connector import USER_AGENT, Transport, decoded, is_clean
from plivo_record_async.transport.connectors.network import AsyncioBackend
from plivo_record_async.transport.connectors.proxies import ProxyTypes, choose_proxy

__all__ = ["NETWORK_ERRORS", "MediaOpener", "OpenedMedia"]

NETWORK_ERRORS = (
    httpx.HTTPError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    OSError,
)
"""The errors after which another request may succeed."""

_MAX_REDIRECTS = 5
_UNAUTHORIZED = 401
_REDIRECTS = {301, 302, 303, 307, 308}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml"""


@attrs.define(kw_only=True)
class OpenedMedia:
    """A response whose body has not been read yet.

    Attributes:
        url: The URL of the response, after redirects.
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        chunks: The parts of the body.
        connection: The connection. If None, the transport of the user does not provide it.
    """

    url: MediaUrl
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    connection: object = None

    @property
    def is_clean(self) -> bool:
        """Whether no byte was received after the body, as far as it is known."""
        return self.connection is None or is_clean(self.connection)


@attrs.define(kw_only=True)
class MediaOpener:
    """Opens files on the hosts that a client allows.

    Attributes:
        settings: The credentials, and the URL of the API.
        hosts: The allowed hosts.
        transport: The transport that the user passed. If None, each request uses a new connection.
        proxy: The proxy that the user passed. If None, the environment decides for each URL.
        environment: The proxies and the certificates from the environment.
    """

    settings: Settings
    hosts: MediaHosts
    transport: Transport | None = None
    proxy: ProxyTypes | None = None
    environment: Environment = attrs.field(factory=Environment)

    @asynccontextmanager
    async def open(self, url: MediaUrl, headers: Mapping[str, str]) -> AsyncGenerator[OpenedMedia]:
        """Send a GET request, and follow redirects.

        The credentials are sent only after a 401, and only to hosts that may receive them.

        Args:
            url: The URL.
            headers: Additional headers of the request.

        Yields:
            The response.

        Raises:
            MediaUrlError: The host of a redirect is not allowed, or a host has a private address.
            Exception: The request failed. The HTTP library decides which exception is raised: see `NETWORK_ERRORS`.
        """
        authorized: set[str] = set()
        for _ in range(_MAX_REDIRECTS + 2):
            authority = f"{url.scheme}://{url.authority}"
            async with self._request(url, self._headers(headers, with_credentials=authority in authorized)) as response:
                if response.status == _UNAUTHORIZED and url.takes_credentials and authority not in authorized:
                    authorized.add(authority)
                elif response.status in _REDIRECTS and "location" in response.headers:
                    url = self.hosts.resolve(response.headers["location"], base=url)
                else:
                    yield response
                    return
        raise MediaUrlError(f"there are more than {_MAX_REDIRECTS} redirects")

    def _headers(self, headers: Mapping[str, str], *, with_credentials: bool) -> dict[str, str]:
        credentials = base64.b64encode(f"{self.settings.auth_id}:{self.settings.auth_token}".encode()).decode()
        return {
            "Accept": "audio/*, */*;q=0.1",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": USER_AGENT,
            **({"Authorization": f"Basic {credentials}"} if with_credentials else {}),
            **headers,
        }

    @asynccontextmanager
    async def _request(self, url: MediaUrl, headers: Mapping[str, str]) -> AsyncGenerator[OpenedMedia]:
        if self.transport is not None:
            response = await self.transport.handle_async_request(
                httpx.Request("GET", str(url), headers={"Host": url.authority, **headers})
            )
            try:
                raw = decoded(response.headers.raw)
                yield OpenedMedia(url=url, status=response.status_code, headers=raw, chunks=aiter(response.stream))  # type: ignore[arg-type]
            finally:
                await response.aclose()
            return
        proxy = choose_proxy(str(url), self.proxy, self.environment)
        backend = PublicBackend() if url.must_be_public and proxy is None else AsyncioBackend()
        context = tls_context(self.environment) if url.scheme == "https" else None
        address = httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
        connection = connection_factory(context, proxy, backend).create_connection(address.origin)
        try:
            reply = await connection.handle_async_request(
                httpcore.Request("GET", address, headers=[("Host", url.authority), *headers.items()])
            )
            try:
                yield OpenedMedia(
                    url=url,
                    status=reply.status,
                    headers=decoded(reply.headers),
                    chunks=reply.aiter_stream(),
                    connection=connection,
                )
            finally:
                await reply.aclose()
        finally:
            await connection.aclose()


class PublicBackend(AsyncioBackend):
    """Connects only to public addresses, so that a forged DNS response cannot redirect requests to a private network.

    The name is resolved only once, so the client connects to the addresses that were checked.
    """

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection to a public address of a host.

        Raises:
            MediaUrlError: The host has an address that is not public.
            httpcore.ConnectError: The host cannot be found, or no address accepts the connection.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=1)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        private = [address for address in addresses if not _is_public(address)]
        if private:
            raise MediaUrlError(f"{host} resolves to {', '.join(private)}, which is not a public address")
        failure: httpcore.ConnectError | None = None
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        embedded = address.ipv4_mapped or address.sixtofour or nat64
        if embedded is None and address not in _GLOBAL_UNICAST:
            return False
        address = embedded or address
    return address.is_global and not address.is_multicast
