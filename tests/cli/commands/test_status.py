from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import attrs
import pytest
from click.testing import Result

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore, TranscriptionEnded
from plivo_record_async.emulator import Emulator
from plivo_record_async.tracking.handle import TrackedRecording
from tests.support.samples.recordings import planned, recording

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "recordings.db"


@pytest.fixture
async def started(plivo: Emulator, db: Path) -> TrackedRecording:
    """A recording that was started, and for which no callback has arrived."""
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, public_url="http://127.0.0.1:9", store=SQLiteStore(db)) as tracker,
    ):
        return await tracker.start("stand\x07up")


async def test_status_shows_the_state_and_its_history(command: Command, started: TrackedRecording, db: Path) -> None:
    ended = await command("status", started.start_id, "--db", str(db), PLIVO_AUTH_ID=None, PLIVO_AUTH_TOKEN=None)
    assert (ended.exit_code, ended.stderr) == (0, "")
    facts, _, steps = ended.stdout.partition("\n\n")
    known = dict(line.split(maxsplit=1) for line in facts.splitlines())
    assert list(known) == ["start_id", "conference_name", "state", "api_id", "updated_at"]
    assert (known["start_id"], known["state"]) == (started.start_id, "accepted")
    assert known["conference_name"] == "stand\\x07up"
    assert [line.split()[1:3] for line in steps.splitlines()] == [
        ["planned", "planned"],
        ["sending_began", "sending"],
        ["accepted", "accepted"],
    ]


async def test_status_as_json_is_one_object(command: Command, started: TrackedRecording, db: Path) -> None:
    ended = await command("status", started.start_id, "--json", "--db", str(db))
    (line,) = ended.stdout.splitlines()
    status = json.loads(line)
    assert (status["type"], status["state"]) == ("RecordingStatus", "accepted")
    assert (status["conference_name"], status["duration_ms"], status["transcription"]) == ("stand\x07up", None, None)
    assert [step["kind"] for step in status["steps"]] == ["planned", "sending_began", "accepted"]


async def test_unknown_start_is_a_failure(command: Command, started: TrackedRecording, db: Path) -> None:
    ended = await command("status", "another", "--db", str(db))
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == f"error: {db} has no start with the ID 'another'. It may have been deleted\n"


async def test_missing_file_is_a_usage_error_and_is_not_created(command: Command, db: Path) -> None:
    ended = await command("status", "another", "--db", str(db))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "does not exist" in ended.stderr
    assert not db.exists()


def started_ids(lines: str) -> list[str]:
    return [word.removeprefix("start_id=") for word in lines.split() if word.startswith("start_id=")]


@pytest.fixture
async def three(plivo: Emulator, db: Path) -> list[str]:
    """Three starts: accepted, rejected and unknown. Return their IDs."""
    plivo.faults.on("start", conference="b\nb").status(404)
    plivo.faults.on("start", conference="c").reset_after_execution()
    async with (
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
        RecordingTracker(client, public_url="http://127.0.0.1:9", store=SQLiteStore(db)) as tracker,
    ):
        outcomes = [outcome async for outcome in tracker.start_many(["a", "b\nb", "c"], concurrency=1)]
        assert [outcome.ok for outcome in outcomes] == [True, False, False]
    async with aclosing(SQLiteStore(db)) as store:
        return [record.start_id for record in reversed(await store.records())]


async def test_recordings_are_listed_the_latest_change_first(command: Command, three: list[str], db: Path) -> None:
    ended = await command("status", "--store", str(db), PLIVO_AUTH_ID=None, PLIVO_AUTH_TOKEN=None)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert started_ids(ended.stdout) == three[::-1]
    lines = [line.split("  ") for line in ended.stdout.splitlines()]
    assert [line[1].strip() for line in lines] == ["unknown", "rejected", "accepted"]
    assert "  b\\nb  " in ended.stdout


async def test_list_is_filtered_and_limited(command: Command, three: list[str], db: Path) -> None:
    for words, expected in (
        (["--state", "accepted", "--state", "rejected"], [three[1], three[0]]),
        (["--conference", "b\nb"], [three[1]]),
        (["--limit", "2"], [three[2], three[1]]),
        (["--updated-after", "2100-01-01"], []),
        (["--updated-after", "2000-01-01", "--state", "unknown"], [three[2]]),
        (["--state", "transcribed"], []),
    ):
        ended = await command("status", "--store", str(db), *words)
        assert (ended.exit_code, started_ids(ended.stdout)) == (0, expected)


async def test_listed_recordings_as_json_are_statuses(command: Command, three: list[str], db: Path) -> None:
    ended = await command("status", "--store", str(db), "--json", "--state", "rejected")
    (row,) = map(json.loads, ended.stdout.splitlines())
    assert (row["type"], row["start_id"], row["conference_name"]) == ("RecordingStatus", three[1], "b\nb")
    assert ("history" in row, "404" in row["error"]) == (False, True)


async def test_list_with_more_recordings_than_a_page_is_complete(command: Command, db: Path, plivo: Emulator) -> None:
    async with aclosing(SQLiteStore(db)) as store:
        for number in range(101):
            await store.create(planned(f"start-{number:03}"))
    for words, number in (([], 101), (["--limit", "100"], 100), (["--limit", "101"], 101)):
        ended = await command("status", "--store", str(db), *words)
        assert len(set(started_ids(ended.stdout))) == ended.stdout.count("\n") == number


async def test_recordings_are_counted_by_state(command: Command, three: list[str], db: Path) -> None:
    ended = await command("status", "--store", str(db), "--count")
    assert ended.stdout == "accepted     1\nrejected     1\nunknown      1\n"
    as_json = await command("status", "--store", str(db), "--count", "--json")
    counts = {row["state"]: row["count"] for row in map(json.loads, as_json.stdout.splitlines())}
    assert (len(counts), counts["unknown"], counts["recorded"]) == (12, 1, 0)


async def test_transcript_is_printed_alone(command: Command, db: Path) -> None:
    text = "one\x1b\ntwo"
    record = recording("transcribed")
    async with aclosing(SQLiteStore(db)) as store:
        await store.create(attrs.evolve(record, transcription=TranscriptionEnded(recording_id="r", transcription=text)))
    ended = await command("status", record.start_id, "--transcript", "--db", str(db))
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "one\\x1b\ntwo\n", "")
    as_json = await command("status", record.start_id, "--transcript", "--db", str(db), "--json")
    assert json.loads(as_json.stdout) == {"type": "Transcript", "start_id": record.start_id, "transcription": text}


async def test_missing_transcript_is_a_failure(command: Command, started: TrackedRecording, db: Path) -> None:
    ended = await command("status", started.start_id, "--transcript", "--db", str(db))
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "has no transcript; its state is accepted" in ended.stderr


@pytest.mark.parametrize(
    "words",
    [["an-id", "--count"], ["an-id", "--limit", "1"], ["--transcript"], ["--count", "--state", "unknown"]],
)
async def test_options_that_contradict_each_other_are_a_usage_error(command: Command, words: list[str]) -> None:
    ended = await command("status", *words)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.endswith(" status --help\n")


async def test_file_that_is_not_a_database_is_a_configuration_error(command: Command, db: Path) -> None:
    db.write_text("this is a text, and it is longer than a header" * 10)
    ended = await command("status", "another", "--db", str(db))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "not an SQLite database" in ended.stderr
    assert "acknowledged" not in ended.stderr
