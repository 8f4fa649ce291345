"""Which connector a client uses."""

from __future__ import annotations

import httpx

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import Environment, Settings
from plivo_record_async.transport.connectors.connections import Connections
from plivo_record_async.transport.connectors.connector import Connector, NativeTransport, Transport
from plivo_record_async.transport.connectors.httpx_adapter import HttpxAdapter
from plivo_record_async.transport.connectors.proxies import ProxyTypes, choose_proxy

__all__ = ["fast_transport", "open_connector"]


def open_connector(
    settings: Settings,
    transport: Transport | None,
    *,
    proxy: ProxyTypes | None = None,
    environment: Environment = Environment(),  # noqa: B008 - frozen
) -> Connector:
    """Return the connector for a user's transport, or else one that uses the package's own connections.

    Args:
        settings: The account and the address of the API.
        transport: The user's transport. If None, the package uses its own connections.
        proxy: The proxy through which the API is called. If None, the environment decides.
        environment: The proxies and certificates that the environment names.

    Raises:
        ConfigurationError: The address, the transport, the proxy or the certificates cannot be used.
    """
    try:
        httpx.URL(settings.base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"base_url (PLIVO_BASE_URL) is not an address: {error}") from error
    match transport:
        case None:
            return Connections(settings, choose_proxy(settings.base_url, proxy, environment), environment)
        case NativeTransport():
            return transport.connector(settings, choose_proxy(settings.base_url, proxy, environment))
        case Transport() if proxy is not None:
            raise ConfigurationError(
                "proxy and transport exclude each other: give the proxy to the transport, as in "
                "httpx.AsyncHTTPTransport(proxy=…), or leave the transport out"
            )
        case Transport():
            return HttpxAdapter(settings, transport)
        case _:
            raise ConfigurationError(
                f"transport must be an httpx.AsyncBaseTransport, not {type(transport).__name__}: {transport!r}"
            )


def fast_transport() -> Transport:
    """Return a transport that is written in Rust: ``RecordClient(transport=fast_transport())``.

    It reports exactly whether a start was sent. Of other requests, only those that failed to connect count as "not
    sent".

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
