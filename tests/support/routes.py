"""The ways to send that are tested: each transport, directly, through a forward proxy and through a tunnel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import attrs
import httpx
import pytest

from plivo_record_async import fast_transport
from tests.support.client_calls import CANNOT_TELL, SENT

__all__ = ["ALL_ROUTES", "DIRECT", "Route", "over_all_routes", "over_routes"]


@attrs.frozen
class Route:
    """One way to send.

    Attributes:
        transport: ``default``, ``httpx`` or ``fast``.
        through: How a proxy is used: ``forward`` for a plain http address, ``tunnel`` (CONNECT) for https.
    """

    transport: Literal["default", "httpx", "fast"]
    through: Literal["nothing", "forward", "tunnel"] = "nothing"

    def __str__(self) -> str:
        return self.transport if self.through == "nothing" else f"{self.transport} {self.through}"

    def options(self, proxy: str | None = None, **pool: Any) -> dict[str, Any]:
        """What makes a client go this way; ``pool`` are httpx's options of a pool."""
        match self.transport:
            case "default":
                return {"proxy": proxy}
            case "httpx":
                return {"transport": httpx.AsyncHTTPTransport(proxy=proxy, **pool)}
            case "fast":
                return {"proxy": proxy, "transport": fast_transport()}

    def tells_of(self, method: str) -> bool:
        """Whether it tells when it sends: pyreqwest asks for the body then, if there is one."""
        return self.transport != "fast" or method == "POST"

    def sent(self, method: str = "POST") -> dict[str, Any]:
        """What is known of a request that was sent and got no answer."""
        if not self.tells_of(method):
            return {"phase": "connect", "evidence": CANNOT_TELL}
        return {"phase": "send" if self.transport == "fast" else "answer", "evidence": SENT}


DIRECT = Route("default")

ALL_ROUTES = [
    Route(transport, through)
    for through in ("nothing", "forward", "tunnel")
    for transport in ("default", "httpx", "fast")
]


def over_routes(ways: Iterable[Route]) -> Callable[..., Any]:
    return pytest.mark.parametrize("way", [pytest.param(way, id=str(way)) for way in ways])


over_all_routes = over_routes(ALL_ROUTES)
