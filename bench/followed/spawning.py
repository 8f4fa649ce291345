"""The Plivo that starts are measured against: it answers each with "async api spawned" and an id of its own."""

from __future__ import annotations

import asyncio
import itertools

import uvloop

from bench.followed.cores import pin
from bench.server import Connection, answer

numbers = itertools.count()


class Spawning(Connection):
    def respond(self, target: bytes) -> None:  # noqa: ARG002 - all are answered alike
        spawned = {"api_id": f"2867b6e2-58c3-11e1-86da-{next(numbers):012}", "message": "async api spawned"}
        self.transport.write(answer("202 Accepted", spawned))


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Spawning, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    pin(1)
    uvloop.run(serve())
