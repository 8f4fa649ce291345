"""A server on real sockets that misbehaves as the test plans for each request, and counts what it executed.

It runs in an event loop in a thread of its own (see `background_loop`), so that nothing that the client does to its
own loop can hide a fault. A `Fault` is a coroutine function that gets the `ServerRequest` and answers it, or does not.
The faults that the tests use are in `tests.support.servers.faults`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import attrs

ESTABLISHED = 1
"""The first byte of Linux' tcp_info, for a connection that neither side has closed."""

TLS_SHUTDOWN_TIMEOUT = 0.5
"""How many seconds the server waits for a client to answer the end of TLS before it closes the connection."""


@attrs.define(kw_only=True)
class Arrival:
    """A request whose head has arrived in full."""

    method: str
    name: str
    at: float
    executed: bool = False


@attrs.define(eq=False)
class Connection:
    """A connection, and the ways to misuse it."""

    server: FaultServer
    sock: socket.socket
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    over: bool = False
    busy: bool = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close the connection with RST, not FIN."""
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.over = True

    async def close(self) -> None:
        """Close the connection with FIN, and return when that is done."""
        self.over = True
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def stall(self) -> None:
        """Do nothing until the test calls `FaultServer.release`, or forever."""
        await self.server.released.wait()


@attrs.define(eq=False, kw_only=True)
class ServerRequest(Connection):
    """A request on its connection; its head has been read, its body has not."""

    arrival: Arrival
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def name(self) -> str:
        return self.arrival.name

    async def read(self) -> bytes:
        if self.body is None:
            self.body = await self.reader.readexactly(int(self.headers.get("content-length", "0")))
        return self.body

    async def execute(self) -> None:
        """Read the whole request and do its work."""
        await self.read()
        self.arrival.executed = True

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a complete answer."""
        named = {"Content-Length": str(len(body)), **{key.replace("_", "-"): value for key, value in headers.items()}}
        if status == 204:
            del named["Content-Length"]
        await self.send(response_head(status, named) + body)


def is_open(sock: socket.socket) -> bool:
    """Whether neither side has closed the connection, as the kernel sees it now."""
    if sock.fileno() < 0:
        return False
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == ESTABLISHED


Fault = Callable[[ServerRequest], Awaitable[None]]
ConnectionFault = Callable[[Connection], Awaitable[None]]


def response_head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{key}: {value}" for key, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def started_body(name: str) -> bytes:
    """Return the body of the answer to a start, whose `api_id` names its request."""
    return json.dumps({"api_id": f"api-{name}", "message": "conference recording started"}).encode()


async def succeeds(exchange: ServerRequest) -> None:
    """Execute the request and answer with success: what a request meets for which nothing is planned."""
    await exchange.execute()
    match exchange.arrival.method:
        case "POST":
            await exchange.answer(202, started_body(exchange.name))
        case "GET":
            await exchange.answer(200, json.dumps({"recording_id": exchange.name}).encode())
        case _:
            await exchange.answer(204)


class FaultServer:
    """A server that meets each request with the fault that was planned for its conference.

    Attributes:
        connection_faults: What the next connections meet when they are accepted, before any byte.
        default_fault: What a request meets for which nothing is planned.
        arrivals: All requests whose head arrived, in their order.
        accepted: How many connections were ever accepted.
        most_open: The most connections that were ever open at once.
        errors: The errors of the server itself.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.connection_faults: deque[ConnectionFault] = deque()
        self.default_fault: Fault = succeeds
        self.arrivals: list[Arrival] = []
        self.accepted = 0
        self.most_open = 0
        self.errors: list[BaseException] = []
        self.released = asyncio.Event()
        self._tls = tls
        self._planned: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._sockets: dict[asyncio.Task[None], socket.socket] = {}
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._listener: socket.socket | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        await asyncio.sleep(0)  # a task that was cancelled before it began would not close its socket
        tasks = list(self._sockets)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=512)
        self._listener.setblocking(False)
        self._port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def refuse(self) -> None:
        """Close the port: connecting is refused from now on."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    @property
    def connections(self) -> list[Connection]:
        """The connections that are open."""
        return list(self._connections.values())

    async def close_connections(self) -> None:
        """Close all connections with FIN, as a server does with idle ones."""
        for connection in self.connections:
            await connection.close()

    async def settle(self) -> None:
        """Wait until the server does nothing that a client could still notice."""
        while any((each.busy or each.over) and is_open(each.sock) for each in self.connections):
            await asyncio.sleep(0.001)

    async def release(self) -> None:
        """Let all stalled requests continue."""
        self.released.set()

    def plan(self, name: str, *faults: Fault) -> None:
        """Plan the faults that the next requests for this conference meet, one each."""
        self._planned[name].extend(faults)

    def requests(self, name: str) -> int:
        """How many requests for this conference arrived."""
        return sum(arrival.name == name for arrival in self.arrivals)

    def executions(self, name: str, method: str = "POST") -> int:
        """How many starts (or stops) of this conference were executed."""
        return sum(arrival.executed and arrival.name == name and arrival.method == method for arrival in self.arrivals)

    def _accept(self, listener: socket.socket) -> None:
        """Not ``asyncio.start_server``: it loses connections that come while it closes."""
        with suppress(BlockingIOError):
            while True:
                sock, _ = listener.accept()
                self.accepted += 1
                task = asyncio.create_task(self._serve(sock))
                self._sockets[task] = sock
                self.most_open = max(self.most_open, sum(is_open(each) for each in self._sockets.values()))

    async def _serve(self, sock: socket.socket) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            connection = self._connections[task] = await self._greet(sock)
            await self._converse(connection)
            connection.writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self._drop(task)  # the client went away, or the test is over
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.errors.append(error)
            self._drop(task)
        finally:
            self._connections.pop(task, None)
            del self._sockets[task]

    def _drop(self, task: asyncio.Task[None]) -> None:
        if task in self._connections:
            self._connections[task].writer.transport.abort()
        else:
            self._sockets[task].close()

    async def _greet(self, sock: socket.socket) -> Connection:
        sock.setblocking(False)
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader),
            sock,
            ssl=self._tls,
            ssl_shutdown_timeout=TLS_SHUTDOWN_TIMEOUT if self._tls else None,
        )
        return Connection(self, sock, reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def _converse(self, connection: Connection) -> None:
        if self.connection_faults:
            await self.connection_faults.popleft()(connection)
        while not connection.over:
            exchange = await self._next(connection)
            planned = self._planned[exchange.name]
            fault = planned.popleft() if planned else self.default_fault
            connection.busy = True
            await fault(exchange)
            if not exchange.over:
                await exchange.read()
            connection.over |= exchange.over or exchange.headers.get("connection") == "close"
            connection.busy = False

    async def _next(self, connection: Connection) -> ServerRequest:
        lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        # …/v1/Account/{auth_id}/{Conference or Recording}/{name}/…
        name = unquote(target.partition("/Account/")[2].split("/")[2])
        arrival = Arrival(method=method, name=name, at=time.monotonic())
        self.arrivals.append(arrival)
        fields = (line.partition(":") for line in lines[1:] if line)
        headers = {key.lower(): value.strip() for key, _, value in fields}
        return ServerRequest(  # by name: before 25.4, attrs makes inherited arguments keyword-only too
            server=self,
            sock=connection.sock,
            reader=connection.reader,
            writer=connection.writer,
            arrival=arrival,
            headers=headers,
        )
