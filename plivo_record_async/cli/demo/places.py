"""Where the demo plays: the local Plivo, or the real one. Needs the extra ``emulator``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path

from plivo_record_async.cli.demo.events import Room
from plivo_record_async.cli.demo.story import Followed, Plan
from plivo_record_async.client import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.serving import open_listener, serving, url_of
from plivo_record_async.stores import SQLiteStore
from plivo_record_async.tracker import RecordingTracker

__all__ = ["Place", "live_place", "local_place"]

Place = AbstractAsyncContextManager[Plan]

_BETWEEN_ENDS = 0.1
"""Seconds: time to watch conferences end one by one."""

_SYNCHRONOUS, _TRANSCRIBED = {1, 3}, {0}
"""Of each five conferences, the first being 0, those whose start is synchronous; and those with a transcript."""


@asynccontextmanager
async def local_place(count: int, *, seconds: float, db: Path) -> AsyncGenerator[Plan]:
    """A local Plivo, where any conference is live, and a tracker that it can reach by itself."""
    rooms = _rooms([f"room-{number:02}" for number in range(1, count + 1)], transcribed=_TRANSCRIBED)
    async with (
        Emulator() as plivo,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        _following(client, port=0, db=db) as followed,
    ):

        async def end_conference(name: str) -> None:
            await asyncio.sleep(_BETWEEN_ENDS)
            await plivo.end_conference(name)

        yield Plan(
            client=client,
            followed=followed,
            rooms=rooms,
            seconds=seconds,
            patience=5,
            ending=tuple(room.name for room in rooms if room.mode == "async")[::2],
            end_conference=end_conference,
            executions=plivo.executions,
            callbacks_settled=plivo.callbacks_settled,
        )


@asynccontextmanager
async def live_place(
    names: Sequence[str], *, public_url: str | None, port: int, seconds: float, db: Path
) -> AsyncGenerator[Plan]:
    """The real Plivo, or whatever PLIVO_BASE_URL names; asynchronous mode only if the tracker can be reached.

    No transcripts are asked for: they cost money, and take minutes.

    Raises:
        ConfigurationError: Credentials are missing, the port is taken, or the URL is misshapen.
    """
    async with RecordClient() as client:
        if public_url is None:
            yield Plan(client=client, rooms=tuple(Room(name=name) for name in names), seconds=seconds, patience=60)
            return
        async with _following(client, port=port, public_url=public_url, db=db) as followed:
            yield Plan(client=client, followed=followed, rooms=_rooms(names), seconds=seconds, patience=60)


@asynccontextmanager
async def _following(
    client: RecordClient, *, port: int, public_url: str | None = None, db: Path
) -> AsyncGenerator[Followed]:
    store = SQLiteStore(db)
    with closing(open_listener("127.0.0.1", port)) as listening:
        url = url_of(listening)
        tracker = RecordingTracker(client, public_url=public_url or url, store=store)
        async with tracker, serving(tracker, listening):
            yield Followed(tracker=tracker, store=store, url=url)


def _rooms(names: Sequence[str], *, transcribed: Collection[int] = ()) -> tuple[Room, ...]:
    return tuple(
        Room(name=name, mode="sync" if number % 5 in _SYNCHRONOUS else "async", transcribe=number % 5 in transcribed)
        for number, name in enumerate(names)
    )
