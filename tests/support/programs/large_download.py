"""Downloads a file of a length from a server in another process, and prints the largest resident memory in bytes."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
from multiprocessing.connection import Connection

from plivo_record_async import RecordClient

CHUNK = b"ID3" + bytes(64 * 1024 - 3)


async def serve(length: int, port_to: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode())
        left = length
        while left:
            piece = CHUNK[:left]
            writer.write(piece)
            await writer.drain()
            left -= len(piece)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port_to.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_server(length: int, port_to: Connection) -> None:
    asyncio.run(serve(length, port_to))


async def download(port: int, path: str) -> None:
    url = f"http://127.0.0.1:{port}"
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=url) as client:
        await client.download_recording(f"{url}/r.mp3", path)


if __name__ == "__main__":
    port_from, port_to = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run_server, args=(int(sys.argv[1]), port_to))
    process.start()
    asyncio.run(download(port_from.recv(), sys.argv[2]))
    process.kill()
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
