"""A program that receives callbacks: ``receiver_program.py STORE [PUBLIC_URL [NOTES [stuck]]]``.

STORE is an SQLite file or a ``postgresql://`` address. The program prints its URL when it accepts requests. Its handler
writes to the file NOTES when it begins and when it ends; with ``stuck`` it never ends. The account comes from the
environment.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from datetime import timedelta
from pathlib import Path

import uvicorn

from plivo_record_async import (
    RecordClient,
    RecordingEnded,
    RecordingTracker,
    SQLiteStore,
    TrackedRecording,
    TrackingPolicy,
)
from plivo_record_async.serving import open_listener, url_of
from plivo_record_async.stores import PostgresStore

TRACKING = TrackingPolicy(handler_lease=timedelta(seconds=0.5))


class Server(uvicorn.Server):
    """Says where it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        for listener in sockets or []:
            print(url_of(listener), flush=True)  # noqa: T201


def keep_notes(tracker: RecordingTracker, notes: Path, *, stuck: bool) -> None:
    """Note when the handler begins, and when it ends."""

    def note(words: str) -> None:
        with notes.open("a") as file:
            file.write(f"{words}\n")

    @tracker.on(RecordingEnded)
    async def handle(_: RecordingEnded, recording: TrackedRecording) -> None:
        note(f"{recording.start_id} began")
        if stuck:
            await asyncio.Event().wait()
        note(f"{recording.start_id} ended")


async def receive(store: str, public_url: str = "", notes: str = "", stuck: str = "") -> None:
    """Serve until SIGTERM."""
    with open_listener("127.0.0.1", 0) as listener:
        async with RecordClient() as client:
            tracker = RecordingTracker(
                client,
                public_url=public_url or url_of(listener),
                store=PostgresStore(store) if "://" in store else SQLiteStore(store, busy_timeout=0.5),
                tracking=TRACKING,
            )
            if notes:
                keep_notes(tracker, Path(notes), stuck=bool(stuck))
            config = uvicorn.Config(tracker, log_level="critical", timeout_graceful_shutdown=1)
            await Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(receive(*sys.argv[1:]))
