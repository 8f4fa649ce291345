"""The server that all are measured against: raw asyncio, HTTP/1.1 keep-alive, one answer to everything.

What a request meets stands in its path, so that every SDK can be told by way of the name of the conference:

- ``fault-503-…``: executed, then answered 503;
- ``fault-stall-…``: executed, never answered;
- ``fault-reset-…``: executed, then the connection is reset;
- anything else: 202 and the JSON of a start.

``GET /state`` tells the CPU seconds that the server has spent, how many requests it has seen, and how many starts of
each name with a fault it has executed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import struct
import time
from collections import Counter
from typing import cast

import uvloop

START = {
    "api_id": "2867b6e2-58c3-11e1-86da-adf28403fe48",
    "message": "conference recording started",
    "recording_id": "93bc7c6a-3b2b-11e3-aaaa-12a06c9ad4be",
    "url": "https://media.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Recording/93bc7c6a-3b2b-11e3-aaaa-12a06c9ad4be.mp3",
}
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
FAULT = re.compile(rb"fault-(503|stall|reset)-[\w-]+")


def answer(status: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


STARTED = answer("202 Accepted", START)
UNAVAILABLE = answer("503 Service Unavailable", {"error": "out of order"})

executions: Counter[str] = Counter()
answers = itertools.count(1)


class Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one only in what it does

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.received, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            target, self.received = self.received[: self.received.find(b"\r")], self.received[whole:]
            self.respond(target)

    def respond(self, target: bytes) -> None:
        answered = next(answers)
        if fault := FAULT.search(target):
            executions[fault[0].decode()] += 1
            self.misbehave(fault[1])
        elif target.startswith(b"GET /state"):
            state = {"cpu": time.process_time(), "answers": answered, "executions": executions}
            self.transport.write(answer("200 OK", state))
        else:
            self.transport.write(STARTED)

    def misbehave(self, fault: bytes) -> None:
        if fault == b"503":
            self.transport.write(UNAVAILABLE)
        elif fault == b"reset":
            lingering = struct.pack("ii", 1, 0)  # closed with RST, not FIN
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            self.transport.abort()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
