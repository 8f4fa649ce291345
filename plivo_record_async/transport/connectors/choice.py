"""The choice of the connector that a client uses."""

from __future__ import annotations

import httpx

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connections import Connections
from plivo_record_async.transport.connectors.connector import (
    Connector,
    NativeTransport,
    OtherTransport,
    Transport,
    packages_of,
)
from plivo_record_async.transport.connectors.httpx_adapter import HttpxAdapter
from plivo_record_async.transport.connectors.proxies import ProxyTypes, choose_proxy

__all__ = ["adapted", "fast_transport", "open_connector"]


def adapted(transport: Transport | OtherTransport | None) -> Transport | None:
    """Return a transport of httpx2 as one of httpx, and any other transport unchanged.

    Args:
        transport: The transport of the user. If None, there is none.

    Raises:
        ConfigurationError: The transport is of neither library.
    """
    if transport is None or isinstance(transport, Transport):
        return transport
    if "httpx2" in packages_of(transport):
        from plivo_record_async.transport.connectors.httpx2_adapter import adapt  # noqa: PLC0415 - an optional part

        if (as_httpx := adapt(transport)) is not None:
            return as_httpx
    raise ConfigurationError(
        "transport must be an httpx.AsyncBaseTransport or an httpx2.AsyncBaseTransport, "
        f"not {type(transport).__name__}: {transport!r}"
    )


def open_connector(
    settings: Settings,
    transport: Transport | None,
    *,
    proxy: ProxyTypes | None = None,
    environment: Environment = Environment(),  # noqa: B008 - frozen
) -> Connector:
    """Return the connector for the transport of a user, or one that uses the client's own connections.

    Args:
        settings: The account and the URL of the API.
        transport: The transport of the user. If None, the client uses its own connections.
        proxy: The proxy for all requests. If None, the environment decides.
        environment: The proxies and certificates that the environment variables name.

    Raises:
        ConfigurationError: The URL, the transport, the proxy or the certificates cannot be used.
    """
    try:
        httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"base_url (PLIVO_BASE_URL) is not a valid URL: {error}") from error
    match transport:
        case None:
            return Connections(settings, choose_proxy(settings.base_url, proxy, environment), environment)
        case NativeTransport():
            return transport.connector(settings, choose_proxy(settings.base_url, proxy, environment))
        case _ if proxy is not None:
            raise ConfigurationError(
                "proxy cannot be combined with this transport: pass the proxy to the transport, as in "
                "httpx.AsyncHTTPTransport(proxy=…), or omit the transport"
            )
        case _:
            return HttpxAdapter(settings, transport)


def fast_transport() -> Transport:
    """Return a transport that is written in Rust and needs less CPU time than the client's own connections.

    Use it as ``RecordClient(transport=fast_transport())``. It reports exactly whether a start was sent. Of the other
    requests, only those that failed to connect count as "not sent".

    Returns:
        A new transport. It can also be used with any `httpx.AsyncClient`.

    Raises:
        ConfigurationError: The extra ``fast`` is not installed.
    """
    try:
        from plivo_record_async.transport.connectors.pyreqwest_adapter import PyreqwestTransport  # noqa: PLC0415 - an optional part
    except ImportError as error:
        raise ConfigurationError(
            "fast_transport() needs the extra 'fast': pip install 'plivo-record-async[fast]'"
        ) from error
    return PyreqwestTransport()
