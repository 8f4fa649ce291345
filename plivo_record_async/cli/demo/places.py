"""Where the demo plays: the local Plivo, or the real one. Needs the extra ``emulator``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext

from plivo_record_async.cli.demo.events import Room
from plivo_record_async.cli.demo.listener import Listener
from plivo_record_async.cli.demo.story import Plan
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.protocol.models import CallbackEvent
from plivo_record_async.settings import Settings

__all__ = ["Listening", "Place", "live_place", "local_place"]

Listening = Callable[
    [Callable[[str, CallbackEvent], None], Callable[[CallbackRejectedError], None]], AbstractAsyncContextManager[None]
]
"""Takes callbacks inside its block, and gives each to one of the two functions: what is verified, what is refused."""

Place = AbstractAsyncContextManager[tuple[RecordClient, Plan, Listening]]

_BETWEEN_ENDS = 0.1
"""Seconds: time to watch conferences end one by one."""

_SYNCHRONOUS = {1, 3}
"""Of each five conferences, those whose start is synchronous, the first being 0."""


@asynccontextmanager
async def local_place(count: int, *, seconds: float) -> AsyncGenerator[tuple[RecordClient, Plan, Listening]]:
    """A local Plivo, where any conference is live, and a listener that it can reach by itself."""
    async with (
        Emulator() as plivo,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
    ):
        with closing(Listener(plivo.auth_token)) as listener:
            rooms = _rooms([f"room-{number:02}" for number in range(1, count + 1)], listener)
            yield client, _local_plan(plivo, listener, rooms, seconds), listener.listening


def _local_plan(plivo: Emulator, listener: Listener, rooms: tuple[Room, ...], seconds: float) -> Plan:
    async def end_conference(name: str) -> None:
        await asyncio.sleep(_BETWEEN_ENDS)
        await plivo.end_conference(name)

    return Plan(
        plivo=plivo.url,
        listener=listener.url,
        rooms=rooms,
        seconds=seconds,
        patience=5,
        ending=tuple(room.name for room in rooms if room.mode == "async")[::2],
        end_conference=end_conference,
        executions=plivo.executions,
        answers=True,
    )


@asynccontextmanager
async def live_place(
    names: Sequence[str], *, public_url: str | None, port: int, seconds: float
) -> AsyncGenerator[tuple[RecordClient, Plan, Listening]]:
    """The real Plivo, or whatever PLIVO_BASE_URL names; asynchronous mode only if the listener can be reached.

    Raises:
        ConfigurationError: Credentials are missing, or the port is taken.
    """
    settings = Settings.read(None, None, None)
    async with RecordClient() as client:
        if public_url is None:
            yield client, _live_plan(settings, None, _rooms(names, None), seconds), _not_listening
            return
        with closing(Listener(settings.auth_token, public_url=public_url, port=port)) as listener:
            yield client, _live_plan(settings, listener, _rooms(names, listener), seconds), listener.listening


def _live_plan(settings: Settings, listener: Listener | None, rooms: tuple[Room, ...], seconds: float) -> Plan:
    url = None if listener is None else listener.url
    return Plan(plivo=settings.base_url, listener=url, rooms=rooms, seconds=seconds, patience=60)


def _rooms(names: Sequence[str], listener: Listener | None) -> tuple[Room, ...]:
    return tuple(
        Room(name=name, callback_url=listener.issue(name) if listener and number % 5 not in _SYNCHRONOUS else None)
        for number, name in enumerate(names)
    )


def _not_listening(_heard: object, _refuse: object) -> AbstractAsyncContextManager[None]:
    return nullcontext()
