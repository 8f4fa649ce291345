"""A program that writes to an SQLite store and prints each acknowledged write.

``python sqlite_writer.py create PATH NAME TASKS``  creates and replaces forever, and prints ``start_id version``
``python sqlite_writer.py count PATH START_ID N``   replaces one record N times, in competition with others
``python sqlite_writer.py touch PATH START_ID``     replaces one record for each line on stdin, and prints when
``python sqlite_writer.py fork PATH``               uses a store on both sides of a fork
``python sqlite_writer.py full PATH LIMIT``         fills files of at most LIMIT bytes, then removes the limit
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

import attrs

from plivo_record_async.errors import ConfigurationError, StoreError
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.recording.lifecycle import plan
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.stores.sqlite.store import SQLiteStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def planned(start_id: str) -> FollowedRecording:
    return plan(start_id, StartRequest("standup"), NOW)


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def create(path: str, name: str, tasks: str) -> None:
    store = SQLiteStore(path)

    async def write(task: int) -> None:
        number = 0
        while True:
            record = await store.create(planned(f"{name}-{task}-{number}"))
            say(record.start_id, record.version)
            for version in (1, 2):
                record = attrs.evolve(record, version=version, gone_at=NOW + (version - 1) * timedelta(seconds=1))
                assert await store.replace(record)
                say(record.start_id, record.version)
            number += 1

    await asyncio.gather(*(write(task) for task in range(int(tasks))))


async def count(path: str, start_id: str, times: str) -> None:
    store = SQLiteStore(path)
    done = 0
    while done < int(times):
        record = await store.get(start_id)
        assert record is not None
        done += await store.replace(attrs.evolve(record, version=record.version + 1))
    await store.aclose()


async def touch(path: str, start_id: str) -> None:
    store = SQLiteStore(path)
    await store.get(start_id)
    say("ready")
    for _ in sys.stdin:
        record = await store.get(start_id)
        assert record is not None
        assert await store.replace(attrs.evolve(record, version=record.version + 1))
        say(time.monotonic())
    await store.aclose()


async def fork(path: str) -> None:
    store = SQLiteStore(path)
    await store.create(planned("parent"))
    if os.fork() == 0:
        try:
            await store.get("parent")
        except ConfigurationError as error:
            say(error)
        finally:
            os._exit(0)
    os.wait()
    assert await store.get("parent") is not None
    await store.aclose()


async def fork_and_close(path: str) -> None:
    store = SQLiteStore(path)
    await store.create(planned("parent"))
    if os.fork() == 0:
        asyncio.run(asyncio.wait_for(store.aclose(), 5))
        say("closed")
        os._exit(0)
    os.wait()
    assert await store.get("parent") is not None
    await store.aclose()


async def full(path: str, limit: str) -> None:
    store = SQLiteStore(path)
    await store.create(planned("first"))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), hard))
    number = 0
    try:
        while True:
            kept = await store.create(planned(f"start-{number}"))
            say("kept", kept.start_id)
            number += 1
    except StoreError as error:
        say("refused", error)
    assert await store.get("first") is not None
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    kept = await store.create(planned("after"))
    say("kept", kept.start_id)
    await store.aclose()


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    asyncio.run(globals()[command](*arguments))
