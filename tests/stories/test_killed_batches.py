"""A batch is terminated and killed, and resumed: each room is recorded once, and each file is on disk or named.

The default number of rooms keeps the suite short. This is the run for 2,000 rooms, which takes about three minutes::

    BATCH_ROOMS=2000 python -m pytest tests/stories/test_killed_batches.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async.emulator import Emulator
from plivo_record_async.stores import SQLiteStore
from plivo_record_async.stores.paging import list_records
from tests.support.programs.cli_process import AUTH_ID, AUTH_TOKEN, json_lines, start_command
from tests.support.untyped_libraries import miniaudio

ROOMS = int(os.environ.get("BATCH_ROOMS", "40"))
MISSING = "not live"
"""A room that Plivo does not know."""


@pytest.fixture(autouse=True)
def _processes(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # they start, kill and end processes, and decode files


def started(plivo: Emulator) -> int:
    return len(plivo.state()["conferences"])


class Operator:
    """An operator who runs one batch again and again."""

    def __init__(self, plivo: Emulator, store: Path, *words: str) -> None:
        self._plivo = plivo
        self._store = store
        self._words = ("batch", "start", *words, "--store", str(store), "--json")

    async def interrupt(self, number: signal.Signals, after: int, *words: str) -> tuple[int | None, str]:
        """Run the batch, send it a signal when so many rooms are started, and return its exit code and output."""
        process = await start_command(self._plivo.url, *self._words, *words, "--concurrency", "4")
        running = asyncio.create_task(process.communicate())
        while started(self._plivo) < after:
            await asyncio.sleep(0.05)
        process.send_signal(number)
        out, _ = await running
        return process.returncode, out.decode()

    async def finish(self, *words: str) -> tuple[int | None, str]:
        """Run the batch until each room that was recorded has its file, and return its exit code and output.

        If the process was killed between the moments when a start was stored and when it was sent, nothing proves for
        some minutes that it was not executed. The operator then ends the batch.
        """
        _, left = await self._starting()
        process = await start_command(self._plivo.url, *self._words, *words)
        assert process.stdout is not None
        assert process.stderr is not None
        lines: asyncio.Queue[str] = asyncio.Queue()
        reading = asyncio.create_task(self._read(process.stdout, lines))
        errors = asyncio.create_task(process.stderr.read())
        await self._end_conferences(left)
        expected = started(self._plivo) + 1  # the rooms that are recorded, and the missing one
        out = [await lines.get() for _ in range(expected)]
        if expected < ROOMS + 1:
            process.send_signal(signal.SIGTERM)
        await asyncio.gather(reading, errors)
        while not lines.empty():
            out.append(lines.get_nowait())
        return await process.wait(), "".join(out)

    @staticmethod
    async def _read(stdout: asyncio.StreamReader, lines: asyncio.Queue[str]) -> None:
        async for line in stdout:
            lines.put_nowait(line.decode())

    async def _starting(self) -> tuple[int, set[str]]:
        """Return how many starts are in the store, and the rooms of those that have no outcome."""
        async with SQLiteStore(self._store) as store:
            number = sum((await store.counts()).values())
            without = list_records(store, states=("planned", "sending"))
            return number, {record.request.conference_name async for record in without}

    async def _end_conferences(self, left: set[str]) -> None:
        """End all conferences when each start has been made, except those that the killed process left."""
        while True:
            number, without_outcome = await self._starting()
            if number == ROOMS + 1 and without_outcome <= left:
                break
            await asyncio.sleep(0.1)
        for name, conference in list(self._plivo.state()["conferences"].items()):
            if conference["recording"]:
                await self._plivo.end_conference(name)


def check_outcomes(outcomes: list[dict[str, Any]], plivo: Emulator, files: Path) -> None:
    """Check that each room has a file that can be played, or a reason."""
    assert len(outcomes) == ROOMS + 1
    for outcome in outcomes:
        if outcome["conference_name"] == MISSING:
            assert outcome["type"] in {"NotFoundError", "RecordingFailedError"}
        elif not outcome["ok"]:
            assert outcome["type"] == "OutcomeUnknownError", outcome
            assert plivo.executions(outcome["conference_name"]) == 0
        else:
            assert outcome["state"] == "recorded"
            assert plivo.executions(outcome["conference_name"]) == 1
            assert miniaudio.decode_file(outcome["path"]).num_frames > 0 or outcome["duration_ms"] == 0
    assert sum(not outcome["ok"] for outcome in outcomes) <= 1 + 4, "one room is not live, and 4 calls were in progress"
    assert {path.name for path in files.iterdir()} == {Path(each["path"]).name for each in outcomes if each["ok"]}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("public", [True, False], ids=["callbacks", "polling"])
async def test_batch_that_is_terminated_and_killed_is_finished(tmp_path: Path, *, public: bool) -> None:
    rooms, files = tmp_path / "rooms.csv", tmp_path / "files"
    rows = [f"room {number},{'wav' if number % 2 else 'mp3'}" for number in range(ROOMS)]
    rooms.write_text("\n".join(["conference_name,file_format", *rows, f"{MISSING},"]))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = ("--public-url", f"http://127.0.0.1:{port}/plivo") if public else ()
    async with Emulator(auth_id=AUTH_ID, auth_token=AUTH_TOKEN) as plivo:
        plivo.faults.on("start", conference=MISSING).status(404, executed=False)
        words = (str(rooms), "--batch", "monday", "--download", str(files), *url)
        operator = Operator(plivo, tmp_path / "s.db", *words)
        code, out = await operator.interrupt(signal.SIGTERM, ROOMS // 3)
        *outcomes, summary = json_lines(out)
        assert code == 143
        assert summary["not_begun"] == ROOMS + 1 - len(outcomes)
        assert summary["unfinished"] + summary["unknown"] == len(outcomes), "each start that was made has an outcome"
        code, _ = await operator.interrupt(signal.SIGKILL, ROOMS * 2 // 3, "--resume")
        assert code == -signal.SIGKILL
        code, out = await operator.finish("--resume")
        *outcomes, summary = json_lines(out)
        assert code in {1, 143}
        assert summary["done"] == sum(outcome["ok"] for outcome in outcomes)
        check_outcomes(outcomes, plivo, files)
        plivo.assert_no_duplicate_starts()
