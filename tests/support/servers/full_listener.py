"""A port that accepts no connection, because its queue is full, until the test says so."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress

import attrs

from tests.support.servers.open_sockets import connections_to

__all__ = ["FullListener", "full_listener"]


@attrs.frozen
class FullListener:
    """A listener whose queue is full: connecting gets no answer until `accept` makes room."""

    url: str
    _listener: socket.socket
    _fillers: ExitStack

    def accept(self) -> list[bytes]:
        """Accept all connections until the clients have closed them; return the bytes of each."""
        self._fillers.close()
        self._listener.settimeout(0.2)
        received: list[bytes] = []
        while connections_to(self.url):
            with suppress(TimeoutError):
                connection, _ = self._listener.accept()
                with connection:
                    received.append(_all_of(connection))
        return received


def _all_of(connection: socket.socket) -> bytes:
    received = b""
    with suppress(OSError):
        while piece := connection.recv(65536):
            received += piece
    return received


@contextmanager
def full_listener() -> Generator[FullListener]:
    """Listen on a free port with a full queue for the length of the block."""
    with ExitStack() as stack, ExitStack() as fillers:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield FullListener(f"http://127.0.0.1:{listener.getsockname()[1]}", listener, fillers)
