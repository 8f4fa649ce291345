"""Who is measured. Each peer is a module of its own, so that a process imports no other one.

A peer is an asynchronous context manager that takes a `Target` and gives a coroutine function that starts the
recording of the conference it is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any, NamedTuple

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
AUTH_TOKEN = "x" * 40

Start = Callable[[str], Awaitable[Any]]


class Target(NamedTuple):
    """Where to, over how many connections at the most, and for how many seconds a call may take."""

    url: str
    concurrency: int
    timeout: float = 120.0


Peer = Callable[[Target], AbstractAsyncContextManager[Start]]


class Entry(NamedTuple):
    label: str
    place: str
    loop: str = "asyncio"


PEERS = {
    "ours": Entry("plivo-record-async", "ours:default"),
    "ours-uvloop": Entry("plivo-record-async, uvloop", "ours:default", "uvloop"),
    "fast": Entry("plivo-record-async, fast_transport()", "ours:fast"),
    "fast-uvloop": Entry("plivo-record-async, fast_transport(), uvloop", "ours:fast", "uvloop"),
    "plivo": Entry("plivo, threads", "plivo_threads:threads"),
    "twilio": Entry("twilio, async client", "twilio_async:client"),
    "telnyx": Entry("telnyx, async client", "telnyx_async:client"),
    "httpx": Entry("raw httpx", "raw_httpx:client"),
    "aiohttp": Entry("raw aiohttp", "raw_aiohttp:client"),
    "socket": Entry("raw asyncio socket", "raw_socket:connections"),
}

SDKS = ("ours", "fast", "plivo", "twilio", "telnyx")
"""Those that know what a start is."""


def load(name: str) -> Peer:
    module, _, attribute = PEERS[name].place.partition(":")
    peer: Peer = getattr(import_module(f"bench.peers.{module}"), attribute)
    return peer
