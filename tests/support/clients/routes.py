"""The routes on which requests are tested: each transport, without a proxy, with a forward proxy and with a tunnel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import attrs
import httpcore2 as httpcore2  # noqa: PLC0414 - httpx2 would import it in the event loop, which may not be blocked
import httpx
import httpx2
import pytest

from plivo_record_async import fast_transport
from tests.support.clients.calls import CANNOT_TELL, SENT

__all__ = ["ALL_ROUTES", "DIRECT", "Route", "httpx2_transport", "on_every_route", "on_routes"]


def httpx2_transport(**options: Any) -> httpx2.AsyncHTTPTransport:
    """Return a transport of httpx2 with the certificates of httpx. Its default is to read those of the system."""
    return httpx2.AsyncHTTPTransport(verify=httpx.create_ssl_context(), **options)


@attrs.frozen
class Route:
    """A transport, and the proxy that it goes through.

    Attributes:
        transport: ``default``, ``httpx``, ``httpx2`` or ``fast``.
        proxy: How a proxy is used: ``forward`` for a plain http address, ``tunnel`` (CONNECT) for https.
    """

    transport: Literal["default", "httpx", "httpx2", "fast"]
    proxy: Literal["nothing", "forward", "tunnel"] = "nothing"

    def __str__(self) -> str:
        return self.transport if self.proxy == "nothing" else f"{self.transport} {self.proxy}"

    def options(self, proxy: str | None = None, **pool: Any) -> dict[str, Any]:
        """Return the arguments of a client that uses this route; ``pool`` are options of httpx's pool."""
        match self.transport:
            case "default":
                return {"proxy": proxy}
            case "httpx":
                return {"transport": httpx.AsyncHTTPTransport(proxy=proxy, **pool)}
            case "httpx2":
                return {"transport": httpx2_transport(proxy=proxy, **pool)}
            case "fast":
                return {"proxy": proxy, "transport": fast_transport()}

    def reports_sending_of(self, method: str) -> bool:
        """Return whether it reports when it sends: pyreqwest does so by reading the body, if there is one."""
        return self.transport != "fast" or method == "POST"

    def evidence_of_sending(self, method: str = "POST") -> dict[str, Any]:
        """Return the attributes of the error of a request that was sent and got no answer."""
        if not self.reports_sending_of(method):
            return {"phase": "connect", "evidence": CANNOT_TELL}
        return {"phase": "send" if self.transport == "fast" else "answer", "evidence": SENT}


DIRECT = Route("default")

ALL_ROUTES = [
    Route(transport, proxy)
    for proxy in ("nothing", "forward", "tunnel")
    for transport in ("default", "httpx", "httpx2", "fast")
]


def on_routes(routes: Iterable[Route]) -> Callable[..., Any]:
    """Run a test once for each route; the fixtures `server` and `client` follow it."""
    return pytest.mark.parametrize("route", [pytest.param(route, id=str(route)) for route in routes])


on_every_route = on_routes(ALL_ROUTES)
