from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator
from plivo_record_async.tracking.handle import TrackedRecording

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


async def test_file_that_is_not_a_database_is_a_configuration_error(command: Command, db: Path) -> None:
    db.write_text("this is a text, and it is longer than a header" * 10)
    ended = await command("status", "another", "--db", str(db))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "not an SQLite database" in ended.stderr
    assert "acknowledged" not in ended.stderr
