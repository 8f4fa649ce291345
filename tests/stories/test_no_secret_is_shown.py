"""No log record, error, ``repr`` or pickle contains a secret, and the search that every test runs would find one."""

from __future__ import annotations

import json
import logging
import pickle
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async import (
    AttemptReport,
    CallbackRejectedError,
    PlivoRecordError,
    RecordClient,
    RecordingTracker,
    SQLiteStore,
    parse_callback,
    sign_callback_v3,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.serving import open_listener, serving, url_of
from tests.support.secret_search import SecretSearch

TOKEN = "s3cret-" * 5
SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")
PROOF = re.compile(r"plivo_record_proof=([0-9a-f]+)")
TRANSCRIPT = "This is what was said in standup."


@pytest.fixture
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator(auth_token=TOKEN) as emulator:
        yield emulator


async def followed_objects(
    plivo: Emulator, store: SQLiteStore, reports: list[AttemptReport]
) -> tuple[list[Any], list[PlivoRecordError]]:
    """Follow a recording to its transcript, and return each object and each error that a program gets on the way."""
    client = RecordClient(plivo.auth_id, TOKEN, base_url=plivo.url, on_attempt=reports.append, max_retries=0)
    errors: list[PlivoRecordError] = []
    with open_listener("127.0.0.1", 0) as listener:
        async with client, store:
            tracker = RecordingTracker(client, public_url=url_of(listener), store=store)
            async with tracker, serving(tracker, listener):
                recording = await tracker.start("standup", transcribe=True)
                with pytest.raises(PlivoRecordError) as late:
                    await recording.transcribed(timeout=0.01)
                await plivo.end_conference("standup")
                ended = await recording.recorded(timeout=20)
                transcript = await recording.transcribed(timeout=20)
                assert (transcript.transcription, ended.recording_id is not None) == (TRANSCRIPT, True)
                status = await recording.status()
                rows = [row async for row in client.list_recordings()]
                written = await client.get_transcription(ended.recording_id or "")
                plivo.faults.on("start", times=1).status(503, executed=True)
                with pytest.raises(PlivoRecordError) as unknown:
                    await tracker.start("unknown")
                plivo.faults.on("start", times=1).reset_before_execution()
                outcomes = [each async for each in tracker.start_many(["lost", "found"], concurrency=1)]
                page = await store.records(limit=10)
                parts = [client, client.settings, tracker, store, recording, status, ended, transcript, written]
                errors += [late.value, unknown.value]
                errors += [each.error for each in outcomes if isinstance(each.error, PlivoRecordError)]
    with pytest.raises(PlivoRecordError) as closed:
        await client.start_recording("standup")
    with pytest.raises(PlivoRecordError) as refused:
        await RecordClient(plivo.auth_id, TOKEN[::-1], base_url=plivo.url).list_conferences()
    return [*parts, rows, outcomes, page], [*errors, closed.value, refused.value]


def rejected_callbacks(plivo: Emulator) -> list[PlivoRecordError]:
    """Return the errors of genuine callbacks that were changed on the way."""
    errors: list[PlivoRecordError] = []
    for delivery in plivo.deliveries:
        sent = delivery.sent
        assert sent is not None
        assert sent.content is not None
        changed: list[tuple[Mapping[str, str], bytes]] = [({}, sent.content), (sent.headers, sent.content + b"&a=b")]
        for headers, body in changed:
            with pytest.raises(CallbackRejectedError) as caught:
                parse_callback(sent.method, delivery.url, headers, body, auth_tokens=TOKEN)
            errors.append(caught.value)
    return errors


async def test_no_object_and_no_error_shows_a_secret(
    plivo: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "plivo_record_async")
    reports: list[AttemptReport] = []
    objects, errors = await followed_objects(plivo, SQLiteStore(tmp_path / "r.db"), reports)
    errors += rejected_callbacks(plivo)
    sent = json.dumps([request.to_dict() for request in plivo.requests] + [d.to_dict() for d in plivo.deliveries])
    proofs, signatures = set(PROOF.findall(sent)), set(SIGNATURE.findall(sent))
    secrets = {TOKEN, TOKEN[::-1], *proofs, *signatures}
    assert len(proofs) >= 2
    assert len(signatures) >= 2
    shown = [repr(each) for each in [*objects, *reports]]
    shown += [text for error in errors for text in (str(error), repr(error))]
    shown += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert [(secret, text) for secret in [*secrets, TRANSCRIPT] for text in shown if secret in text] == []
    pickles = [pickle.dumps(each, protocol=0).decode("latin-1") for each in [*errors, *reports]]
    assert [(secret, text) for secret in secrets for text in pickles if secret in text] == []
    assert len(caplog.records) > 10


def secret_search_of_the_token() -> SecretSearch:
    search = SecretSearch()
    search.add_token(TOKEN.encode())
    return search


def found_by(search: SecretSearch) -> list[str]:
    """Return what was found, without the text that contained it."""
    return [text.partition(": ")[0] for text in search.found]


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "plivo_record_async", "msg": message, "levelno": logging.DEBUG, **extra})


@pytest.mark.parametrize(
    ("message", "extra", "what"),
    [
        (f"sent with {TOKEN}", {}, "an auth token"),
        ("sent", {"error": TOKEN}, "an auth token"),
        ("sent to https://me.example/cb?plivo_record_start=1&plivo_record_proof=0af", {}, "a proof"),
        ("received", {"signature": "A" * 43 + "="}, "a signature"),
        ("headers", {"headers": [(b"Authorization", b"Basic " + b"A" * 40)]}, "credentials"),
        ("file", {"url": "https://media.plivo.com/v1/Account/MA/Recording/0-1.mp3"}, "the URL of a recorded file"),
        (TRANSCRIPT, {}, "a transcript"),
    ],
)
def test_search_finds_secrets_in_log_records(message: str, extra: dict[str, object], what: str) -> None:
    search = secret_search_of_the_token()
    search.filter(record(message, **extra))
    assert found_by(search) == [f"a record of the logger plivo_record_async contains {what}"]


@pytest.fixture
def finds_one(secret_search: SecretSearch) -> Any:
    """Expect the search of this test to find something, and let the test pass."""
    yield
    assert len(secret_search.found) >= 1
    secret_search.found.clear()


@pytest.mark.usefixtures("finds_one")
def test_search_finds_secrets_in_errors() -> None:
    search = secret_search_of_the_token()
    search.search_error(PlivoRecordError(f"rejected {TOKEN}"))
    assert found_by(search) == [
        f"the {part} of a PlivoRecordError contains an auth token" for part in ("text", "repr", "pickle")
    ]


@pytest.mark.usefixtures("finds_one")
async def test_search_knows_the_token_of_a_client_and_sees_records_that_are_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with RecordClient("MA" + "X" * 18, "an-unusual-token-of-a-client", base_url="http://127.0.0.1:9"):
        logging.getLogger("plivo_record_async").debug("sent with %s", "an-unusual-token-of-a-client")
    assert caplog.records == []


@pytest.mark.usefixtures("finds_one")
async def test_search_sees_the_errors_that_a_test_catches() -> None:
    sign_callback_v3("POST", "https://me.example/", {}, "1", "an-unusual-token-of-a-tracker")
    with pytest.raises(PlivoRecordError):
        raise PlivoRecordError("an-unusual-token-of-a-tracker")
