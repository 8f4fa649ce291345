"""A server on a raw socket that records the bytes of each request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import attrs

__all__ = ["STARTED", "STOPPED", "RecordedRequest", "RequestRecorder"]

_STARTED = b'{"api_id": "2867b6e2", "message": "conference recording started", "recording_id": "r", "url": "http://u"}'

STARTED = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_STARTED),
    _STARTED,
)
STOPPED = b"HTTP/1.1 204 No Content\r\n\r\n"


@attrs.frozen(kw_only=True)
class RecordedRequest:
    """A request as it arrived.

    Attributes:
        connection: The number of the connection on which it arrived, from 1.
        method: Its method.
        target: Its target, percent-encoded as it arrived.
        headers: Its header fields, names in lower case.
        body: Its body.
    """

    connection: int
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class RequestRecorder:
    """A server that answers every start and stop with success, and keeps the bytes of each request.

    Args:
        host: The address on which it listens.
        started: The bytes of its response to a start.
        tls: Its TLS settings. If None, it is a plain HTTP server.

    Attributes:
        requests: The requests in the order in which they arrived.
        connections: How many connections were made.
        open: The connections that the client has not closed, by their number.
    """

    def __init__(self, host: str = "127.0.0.1", *, started: bytes = STARTED, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[RecordedRequest] = []
        self.connections = 0
        self._host = host
        self._started = started
        self._tls = tls
        self._server: asyncio.Server
        self.open: dict[int, asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self.open.values():
            writer.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        self.open[connection] = writer
        while request := await _read_request(reader, connection):
            self.requests.append(request)
            has_no_body = request.method == "DELETE" and "?" not in request.target
            writer.write(STOPPED if has_no_body else self._started)
            await writer.drain()
        del self.open[connection]
        writer.close()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> RecordedRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    request_line, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return RecordedRequest(connection=connection, method=method, target=target, headers=headers, body=body)
