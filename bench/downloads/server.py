"""A server in a process of its own that sends files of any length: ``python -m bench.downloads.server`` prints its URL.

The path of a URL is the length: ``/1000000.mp3`` has a million bytes. They are not read from a disk.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

BLOCK = b"ID3" + bytes(2**20 - 3)
TARGET = re.compile(rb"GET /(\d+)\.mp3 ")


def answer(connection: socket.socket) -> None:
    with connection, suppress(ConnectionError):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65_536)
        found = TARGET.match(head)
        assert found, head
        left = int(found[1])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: %d\r\n\r\n" % left)
        while left:
            piece = memoryview(BLOCK)[:left]
            connection.sendall(piece)
            left -= len(piece)


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
