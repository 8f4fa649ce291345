"""However much is lost, in the end the state of every start agrees with what Plivo executed.

The processes of the client are killed, answers are lost, and callbacks are lost, duplicated, delayed and unsigned. To
run it with more starts, use ``pytest tests/stories/test_everything_is_resolved.py --starts 10000 -s --timeout 0``.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from blockbuster import BlockBuster

from plivo_record_async import SQLiteStore, _clock
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores.interface import FollowedRecording
from tests.support.servers.asgi_server import free_listener

PROGRAM: Final = Path(__file__).parents[1] / "support" / "programs" / "follower_program.py"
LIMIT: Final = 3000
"""The quota of the account: requests in 5 seconds. That of Plivo is a tenth of it, and would make the test longer."""

SHARE: Final = LIMIT // 10
WINDOW: Final = timedelta(seconds=5)


@attrs.define
class Lives:
    """The lives of the client's process, one after another.

    Attributes:
        plivo: The local Plivo.
        path: The file of the store.
        count: The number of starts.
        port: The port at which the process receives callbacks. If 0, it polls.
        started: The rooms whose starts have an outcome.
        periods: When each life began and ended.
    """

    plivo: Emulator
    path: Path
    count: int
    port: int
    started: set[str] = attrs.field(factory=set[str])
    periods: list[tuple[datetime, datetime]] = attrs.field(factory=list[tuple[datetime, datetime]])

    @asynccontextmanager
    async def life(self) -> AsyncGenerator[asyncio.StreamReader]:
        """Run the process, and kill it at the end of the block."""
        arguments = [str(argument) for argument in (PROGRAM, self.path, self.count, LIMIT, self.port)]
        account = {"PLIVO_AUTH_ID": self.plivo.auth_id, "PLIVO_AUTH_TOKEN": self.plivo.auth_token}
        began = _clock.now()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**os.environ, **account, "PLIVO_BASE_URL": self.plivo.url},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()
            await process.communicate()
            self.periods.append((began, _clock.now()))

    async def start(self, output: asyncio.StreamReader, until: int | None = None) -> None:
        """Wait until so many starts have an outcome. If None, until the process has started everything."""
        while until is None or len(self.started) < until:
            line = (await output.readline()).decode().strip()
            assert line, "the process has ended by itself"
            if line == "started":
                break
            self.started |= {line} - {"go"}


def is_final(record: FollowedRecording) -> bool:
    """Return whether nothing can be learned any more."""
    if record.state in {"recorded", "transcribed"}:
        return record.ended is not None and (record.transcription is not None or not record.expects_transcript)
    return record.state in {"absent", "rejected", "failed", "not_sent"}


async def final_records(path: Path, count: int) -> dict[str, FollowedRecording]:
    """Wait until so many records are all final; return them by their rooms."""
    store = SQLiteStore(path)
    while True:  # a record that changes while the pages are read may be missing in them
        records: list[FollowedRecording] = []
        while page := await store.records(older_than=records[-1] if records else None):
            records += page
        open_records = [record for record in records if not is_final(record)]
        if len(records) == count and not open_records:
            break
        for record in open_records:
            latest: FollowedRecording | None = record
            while latest is not None and not is_final(latest):
                latest = await store.watch(record.start_id, version=latest.version)
    await store.aclose()
    return {record.conference_name: record for record in records}


async def play(lives: Lives, chance: random.Random) -> dict[str, FollowedRecording]:
    """Start everything while the process is killed again and again, end the conferences, and return the records."""
    plivo = lives.plivo
    for _ in range(3):
        async with lives.life() as output:
            await lives.start(output, until=len(lives.started) + chance.randint(1, lives.count // 6))
    rooms = [f"room-{number}" for number in range(lives.count)]
    chance.shuffle(rooms)
    async with lives.life() as output:
        await lives.start(output)
        await end(plivo, rooms[: len(rooms) // 2])
        await asyncio.sleep(chance.random())
    async with lives.life() as output:
        await lives.start(output)  # those of which nothing was sent before
        await end(plivo, rooms)
        return await final_records(lives.path, lives.count)


async def end(plivo: Emulator, rooms: Sequence[str]) -> None:
    for room in rooms:
        await plivo.open_conference(room)  # nothing was executed in it, or it has ended already
        await plivo.end_conference(room)


def check(lives: Lives, records: dict[str, FollowedRecording]) -> None:
    """Check that the records agree with what was executed."""
    recordings: dict[str, dict[str, Any]] = {
        each["conference_name"]: each for each in lives.plivo.state()["recordings"]
    }
    lives.plivo.assert_no_duplicate_starts()
    assert records.keys() == {f"room-{number}" for number in range(lives.count)}
    for room, record in records.items():
        executed = recordings.get(room)
        assert (record.ended is not None) == (executed is not None), f"{record}: {executed}"
        if executed is not None:
            assert record.recording_id == executed["recording_id"]
            assert executed["executed_transcriptions"] <= 1
            if record.expects_transcript:
                assert record.state == "transcribed", record


def busiest_window(times: Sequence[datetime]) -> int:
    """Return the largest number of requests in any window."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("polls", [False, True], ids=["with callbacks", "polling"])
async def test_every_start_has_a_final_state_that_agrees_with_plivo(
    tmp_path: Path, blockbuster: BlockBuster, request: pytest.FixtureRequest, *, polls: bool
) -> None:
    blockbuster.deactivate()  # processes are started and killed
    count = int(request.config.getoption("--starts") or 0)
    with free_listener() as listener:
        port = 0 if polls else listener.getsockname()[1]
    began = _clock.now()
    async with Emulator(seed=count, keep=100 * count) as plivo:
        plivo.faults.randomly(rate=0.15, on="start")
        plivo.faults.randomly(rate=0.3, on="callback")
        plivo.faults.randomly(rate=0.03, on="get")
        plivo.faults.randomly(rate=0.03, on="list")
        lives = Lives(plivo, tmp_path / "recordings.db", count, port)
        records = await play(lives, random.Random(count))
        check(lives, records)
        requests, deliveries = plivo.requests, len(plivo.deliveries)
    asked = [each.time for each in requests if each.operation not in {"start", "stop"}]
    most = max(busiest_window([time for time in asked if begin <= time < end_]) for begin, end_ in lives.periods)
    assert most <= SHARE
    states = Counter(record.state for record in records.values())
    print(  # noqa: T201 - the figures
        f"\n{count} starts in {_clock.now() - began}: {dict(states)}; {len(requests) - len(asked)} starts were sent, "
        f"{len(asked)} questions were asked ({len(asked) / count:.2f} for each start), at most {most} of {SHARE} in "
        f"5 seconds; {deliveries} callbacks were delivered; the process was killed {len(lives.periods)} times"
    )
