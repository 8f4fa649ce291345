"""The public tracker: starting, following, waiting, handlers, forgetting, opening and closing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest

from plivo_record_async import (
    ApiResponse,
    CallbackPolicy,
    ClosedError,
    ConfigurationError,
    MemoryStore,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordingEnded,
    RecordingState,
    RecordingTracker,
    SQLiteStore,
    StartRequest,
    StoreError,
    TrackedRecording,
    TranscriptionEnded,
    UnknownCallback,
    UnknownStartError,
    _clock,
)
from tests.support.samples.recordings import STATES
from tests.support.tracker.callbacks import deliver_callback, ended_fields
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.parts import PUBLIC_URL, SHORT_INTERVALS, other_tasks, wait_for_state
from tests.support.tracker.records import PATIENT
from tests.support.tracker.scripted_plivo import AUTH_ID, TOKEN, ScriptedPlivo, accepted_response, listed

OLD = "the-token-before-the-rotation"
REJECTED = httpx.Response(404, json={"api_id": "api-1", "error": "not found"})
QUIET = attrs.evolve(SHORT_INTERVALS, confirm_within=timedelta(hours=1))


@asynccontextmanager
async def tracking(plivo: ScriptedPlivo | None = None, **options: Any) -> AsyncGenerator[RecordingTracker]:
    given: dict[str, Any] = {"public_url": PUBLIC_URL, "tracking": QUIET, **options}
    async with (plivo or ScriptedPlivo()).client() as client, RecordingTracker(client, **given) as tracker:
        yield tracker


def called_url(plivo: ScriptedPlivo, start: int = -1) -> str:
    url: str = plivo.starts[start]["callback_url"]
    return url


# Construction


@pytest.mark.parametrize(
    "url", ["me.example/plivo", "ftp://me.example", "https://me.example?a=1", "https://u@me", "", 5]
)
async def test_invalid_public_url_is_rejected(url: Any) -> None:
    async with ScriptedPlivo().client() as client:
        with pytest.raises(ConfigurationError, match=r"^public_url must be"):
            RecordingTracker(client, public_url=url)


@pytest.mark.parametrize("tokens", ["", [], ["a", ""], ()])
async def test_tracker_without_auth_tokens_is_rejected(tokens: Any) -> None:
    async with ScriptedPlivo().client() as client:
        with pytest.raises(ConfigurationError, match=r"^auth_tokens must contain"):
            RecordingTracker(client, public_url=PUBLIC_URL, auth_tokens=tokens)


async def test_repr_of_a_tracker_shows_no_secrets() -> None:
    client_shown = f"RecordClient(auth_id={AUTH_ID!r}, base_url='https://api.example')"
    async with tracking(auth_tokens=(TOKEN, OLD)) as tracker:
        assert repr(tracker) == f"RecordingTracker({client_shown}, public_url={PUBLIC_URL!r})"


async def test_trailing_slash_of_the_public_url_is_ignored() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo, public_url=f"{PUBLIC_URL}/") as tracker:
        await tracker.start("standup")
    assert called_url(plivo).startswith(f"{PUBLIC_URL}/recording?")


# Starting


async def test_recording_is_followed_from_acceptance_to_transcript() -> None:
    plivo = ScriptedPlivo(accepted_response("api-1"))
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup", file_format="wav", transcribe=True, transcription_type="auto")
        assert (recording.conference_name, (await recording.status()).state) == ("standup", "accepted")
        [sent] = plivo.starts
        assert (sent["file_format"], sent["transcription_type"]) == ("wav", "auto")
        response = {"response": '{"api_id": "api-1", "message": "conference recording started"}'}
        for url, fields in [
            (sent["callback_url"], response),
            (sent["callback_url"], ended_fields()),
            (sent["transcription_url"], {"recording_id": "rec-1", "transcription": "good morning"}),
        ]:
            assert (await deliver_callback(tracker, url, fields)).status_code == 200
        assert (await recording.recorded(timeout=0)).duration_ms == 61_000
        assert (await recording.transcribed(timeout=0)).transcription == "good morning"
        assert (await recording.status()).state == "transcribed"


async def test_callback_policy_is_in_the_fragment_of_the_callback_url() -> None:
    plivo = ScriptedPlivo()
    policy = CallbackPolicy(retries=1, retry_on=("all",), total_ms=None, region="mumbai")
    async with tracking(plivo, policy=policy) as tracker:
        await tracker.start("standup")
    assert urlsplit(called_url(plivo)).fragment == "rc=1&rp=all&er=mumbai"


async def test_start_of_unknown_outcome_can_be_followed() -> None:
    plivo = ScriptedPlivo(httpx.ReadTimeout("no answer"))
    async with tracking(plivo) as tracker:
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        assert unknown.value.start_id is not None
        recording = await tracker.get(unknown.value.start_id)
        assert (await recording.status()).state == "unknown"
        wait = asyncio.create_task(recording.recorded(timeout=10))
        assert (await deliver_callback(tracker, called_url(plivo), ended_fields())).status_code == 200
        assert (await wait).recording_id == "rec-1"


async def test_second_start_with_the_same_dedupe_key_returns_an_equal_handle() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        first = await tracker.start("standup", dedupe_key="monday")
        assert await tracker.start("standup", dedupe_key="monday") == first
        assert await tracker.get(first.start_id) == first
    assert len(plivo.starts) == 1


async def test_invalid_arguments_raise_before_anything_is_stored_or_sent() -> None:
    plivo, store = ScriptedPlivo(), FlakyStore()
    async with tracking(plivo, store=store) as tracker:
        with pytest.raises(ValueError, match="file_format"):
            await tracker.start("standup", file_format="ogg")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="conference_name"):
            await tracker.start("")
        with pytest.raises(ValueError, match="timeout"):
            await tracker.start("standup", timeout=0)
    assert (store.start_ids, plivo.requests) == ([], [])


async def test_timeout_of_a_start_applies_to_its_call() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with tracking(ScriptedPlivo(never)) as tracker:
        with pytest.raises(OutcomeUnknownError, match="the deadline passed"):
            await tracker.start("standup", timeout=0.5)


async def test_get_of_an_unknown_start_raises_unknown_start_error() -> None:
    async with tracking() as tracker:
        with pytest.raises(UnknownStartError, match="'start-0'"):
            await tracker.get("start-0")


async def test_get_with_an_empty_id_is_rejected() -> None:
    async with tracking() as tracker:
        with pytest.raises(TypeError, match="start_id of an error is None if a client raised the error"):
            await tracker.get(OutcomeUnknownError("start", "no answer", phase="answer", evidence="reset").start_id)


# Many


async def test_start_many_starts_like_start() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        items: list[str | StartRequest] = [
            "a",
            StartRequest("b", file_format="wav"),
            "",
            StartRequest("c", callback_url="https://elsewhere"),
        ]
        outcomes = {
            outcome.request: outcome async for outcome in tracker.start_many(items, transcribe=True, concurrency=2)
        }
        assert [outcomes[item].ok for item in items] == [True, True, False, False]
        for item in items[:2]:
            recording = outcomes[item].result
            assert isinstance(recording, TrackedRecording)
            assert (await recording.status()).state == "accepted"
    assert [start.get("file_format") for start in plivo.starts] == [None, "wav"]
    assert all({"callback_url", "transcription_url"} <= start.keys() for start in plivo.starts)


async def test_each_start_of_a_batch_has_its_own_outcome() -> None:
    plivo = ScriptedPlivo(accepted_response(), REJECTED, httpx.ReadTimeout("no answer"))
    async with tracking(plivo) as tracker:
        outcomes = [outcome async for outcome in tracker.start_many(["a", "b", "c"], concurrency=1)]
        assert [type(outcome.error) for outcome in outcomes] == [type(None), NotFoundError, OutcomeUnknownError]
        last = outcomes[-1].error
        assert isinstance(last, OutcomeUnknownError)
        assert last.start_id is not None
        assert (await (await tracker.get(last.start_id)).status()).state == "unknown"


async def test_invalid_timeout_of_a_batch_is_an_error_of_the_call() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        with pytest.raises(ValueError, match="timeout"):
            tracker.start_many(["a", "b"], timeout=0)
    assert plivo.starts == []


async def test_leaving_a_batch_early_stores_the_outcome_of_each_start() -> None:
    go, store = asyncio.Event(), FlakyStore()

    async def waiting(_: httpx.Request) -> httpx.Response:
        await go.wait()
        return accepted_response()

    async with tracking(ScriptedPlivo(accepted_response(), waiting, waiting), store=store) as tracker:
        batch = tracker.start_many(["a", "b", "c"], concurrency=3)
        assert (await anext(batch)).ok
        await batch.aclose()
        go.set()
        for start_id in store.start_ids:
            await wait_for_state(store, start_id, "accepted")


async def test_batch_with_dedupe_keys_may_run_again() -> None:
    plivo = ScriptedPlivo(httpx.ConnectError("refused"), httpx.ReadTimeout("no answer"))

    def key(room: str) -> str:
        return f"monday {room}"

    async with tracking(plivo) as tracker:
        rooms = ["a", "b", "c"]
        first = [o async for o in tracker.start_many(rooms, dedupe_key=key, concurrency=1)]
        again = [o async for o in tracker.start_many(rooms, dedupe_key=key, concurrency=1)]
        assert [o.ok for o in first] == [False, False, True]
        assert [o.ok for o in again] == [True, True, True]
        assert again[2].result == first[2].result
    assert len(plivo.starts) == 4


# Handlers


# Finding recordings


async def test_recording_whose_start_id_was_lost_is_found(tmp_path: Path) -> None:
    plivo = ScriptedPlivo()
    path = tmp_path / "recordings.db"
    async with tracking(plivo, store=SQLiteStore(path)) as tracker:
        for conference in ("standup", "🎙 会议", "retro"):
            await tracker.start(conference)
        started = await tracker.start("🎙 会议")
    async with tracking(plivo, store=SQLiteStore(path)) as tracker:
        found = [status async for status in tracker.recordings()]
        assert [status.conference_name for status in found] == ["🎙 会议", "retro", "🎙 会议", "standup"]
        assert [status.updated_at for status in found] == sorted((s.updated_at for s in found), reverse=True)
        handle = await tracker.get(found[0].start_id)
        assert handle == started
        assert found[0] == await handle.status()
        assert [status async for status in tracker.recordings(conference_name="🎙 会议")] == [found[0], found[2]]
        assert [status async for status in tracker.recordings(updated_after=found[1].updated_at)] == found[:2]


async def test_recordings_are_found_by_one_state_or_several() -> None:
    async with tracking(ScriptedPlivo(REJECTED)) as tracker:
        with pytest.raises(NotFoundError):
            await tracker.start("nobody")
        accepted = await tracker.start("standup")
        choices: list[RecordingState | Iterable[RecordingState]] = [
            "accepted", ["accepted"], {"accepted", "unknown"}, ("accepted", "accepted")
        ]  # fmt: skip
        for state in choices:
            found = [status.start_id async for status in tracker.recordings(state=state)]
            assert found == [accepted.start_id]
        both = [status.state async for status in tracker.recordings(state=("rejected", "accepted"))]
        assert both == ["accepted", "rejected"]
        assert [status async for status in tracker.recordings(state="recorded")] == []


async def test_recordings_are_counted_by_state() -> None:
    async with tracking(ScriptedPlivo(REJECTED)) as tracker:
        assert await tracker.counts() == dict.fromkeys(STATES, 0)
        with pytest.raises(NotFoundError):
            await tracker.start("standup")
        for _ in range(3):
            await tracker.start("standup")
        counts = await tracker.counts()
        assert (counts["accepted"], counts["rejected"], counts["unknown"], sum(counts.values())) == (3, 1, 0, 4)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"state": "done"}, ValueError, "state must be one or several of planned, .*, not 'done'"),
        ({"state": ["recorded", "RECORDED"]}, ValueError, "not 'RECORDED'"),
        ({"state": []}, ValueError, "state must not be empty"),
        ({"state": ""}, ValueError, "not ''"),
        ({"state": 5}, TypeError, "state must be a str or an iterable of str, not int: 5"),
        ({"state": [None]}, TypeError, "not one that contains None"),
        ({"conference_name": ""}, ValueError, "conference_name must not be empty"),
        ({"conference_name": "lone \ud83d"}, ValueError, "conference_name contains a lone surrogate"),
        ({"conference_name": 5}, TypeError, "conference_name must be a str"),
        ({"updated_after": datetime(2026, 3, 1)}, ValueError, "updated_after must be aware"),  # noqa: DTZ001
        ({"updated_after": "2026-03-01"}, TypeError, "updated_after must be a datetime"),
    ],
)
async def test_invalid_filter_is_an_error_of_the_call(arguments: Any, error: type[Exception], words: str) -> None:
    async with tracking() as tracker:
        with pytest.raises(error, match=words):
            tracker.recordings(**arguments)


async def test_handler_gets_the_event_and_on_request_the_recording() -> None:
    plivo, handled = ScriptedPlivo(accepted_response("api-1")), asyncio.Queue[Any]()
    async with tracking(plivo) as tracker:

        @tracker.on(RecordingEnded)
        async def archive(event: RecordingEnded, recording: TrackedRecording) -> None:
            await handled.put((event, recording))

        @tracker.on(TranscriptionEnded)
        async def index(event: TranscriptionEnded) -> None:
            await handled.put(event)

        class Service:
            @staticmethod
            async def note(event: ApiResponse) -> None:
                await handled.put(event)

        assert tracker.on(ApiResponse)(Service.note) is Service.note
        assert (archive.__name__, index.__name__) == ("archive", "index")

        recording = await tracker.start("standup", transcribe=True)
        urls = plivo.starts[0]
        await deliver_callback(tracker, urls["callback_url"], ended_fields())
        event, its_recording = await handled.get()
        assert (event, its_recording) == (await recording.recorded(), recording)
        await deliver_callback(tracker, urls["transcription_url"], {"recording_id": "rec-1", "transcription": "hello"})
        assert await handled.get() == await recording.transcribed()
        await deliver_callback(tracker, urls["callback_url"], {"api_id": "api-1", "message": "started"})
        assert isinstance(await handled.get(), ApiResponse)
    assert handled.empty()


@pytest.mark.parametrize("event", [UnknownCallback, str, RecordingEnded(record_url="https://f", api_id="a")])
async def test_only_events_of_recordings_have_handlers(event: Any) -> None:
    async with tracking() as tracker:
        with pytest.raises(TypeError, match="one of ApiResponse, RecordingEnded, TranscriptionEnded"):
            tracker.on(event)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"store": "recordings.db"}, r"SQLiteStore\('recordings.db'\) to keep recordings there"),
        ({"policy": "rc=5"}, "policy must be a CallbackPolicy, not 'rc=5'"),
        ({"tracking": 5}, "tracking must be a TrackingPolicy, not 5"),
        ({"auth_tokens": b"token"}, "auth_tokens must be a str or several"),
        ({"auth_tokens": ["token", None]}, "auth_tokens must be a str or several"),
    ],
)
async def test_invalid_argument_of_a_tracker_is_named(arguments: dict[str, Any], words: str) -> None:
    async with ScriptedPlivo().client() as client:
        with pytest.raises(TypeError, match=words):
            RecordingTracker(client, public_url=PUBLIC_URL, **arguments)


async def test_a_handler_must_be_async() -> None:
    def function(_: RecordingEnded) -> None: ...

    class Archive:
        def __call__(self, _: RecordingEnded) -> None: ...

    async with tracking() as tracker:
        register: Callable[[Any], Any] = tracker.on(RecordingEnded)
        for handler in (function, Archive(), Archive, partial(function), "archive", None):
            with pytest.raises(TypeError, match="must be an async function"):
                register(handler)


async def test_a_handler_is_called_with_what_it_can_take() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        got: list[tuple[Any, ...]] = []

        async def alone(event: RecordingEnded, *, bucket: str = "s3") -> None:
            got.append((event, bucket))

        async def both(event: RecordingEnded, recording: TrackedRecording, *, bucket: str) -> None:
            got.append((event, recording.start_id, bucket))

        class Archive:
            async def __call__(self, event: RecordingEnded, *, bucket: str = "here") -> None:
                got.append((event, bucket))

            async def keep(self, event: RecordingEnded, recording: TrackedRecording) -> None:
                got.append((event, recording.start_id, "kept"))

        tracker.on(RecordingEnded)(alone)
        tracker.on(RecordingEnded)(partial(both, bucket="gs"))
        archive = Archive()
        assert tracker.on(RecordingEnded)(archive) is archive
        tracker.on(RecordingEnded)(partial(archive, bucket="az"))
        tracker.on(RecordingEnded)(archive.keep)
        recording = await tracker.start("standup")
        await deliver_callback(tracker, called_url(plivo), ended_fields())
        event = await recording.recorded(timeout=10)
        while len(got) < 5:
            await asyncio.sleep(0)
        assert got == [
            (event, "s3"),
            (event, recording.start_id, "gs"),
            (event, "here"),
            (event, "az"),
            (event, recording.start_id, "kept"),
        ]


async def test_a_handler_that_cannot_be_called_is_rejected() -> None:
    async def none() -> None: ...
    async def three(event: RecordingEnded, recording: TrackedRecording, more: str) -> None: ...

    async with tracking() as tracker:
        register: Callable[[Any], Any] = tracker.on(RecordingEnded)
        for handler in (none, three):
            with pytest.raises(TypeError, match="must be callable with one argument"):
                register(handler)


async def test_handler_runs_after_the_callback_is_acknowledged() -> None:
    plivo, order = ScriptedPlivo(), list[str]()
    async with tracking(plivo) as tracker:

        @tracker.on(RecordingEnded)
        async def archive(_: RecordingEnded) -> None:
            order.append("handled")

        await tracker.start("standup")

        async def slow_network(scope: Any, receive: Any, send: Any) -> None:
            async def sending(message: Any) -> None:
                await asyncio.sleep(0.02)
                order.append(message["type"])
                await send(message)

            await tracker(scope, receive, sending)

        await deliver_callback(slow_network, called_url(plivo), ended_fields())
    assert order == ["http.response.start", "http.response.body", "handled"]


# Rotation


async def test_callbacks_signed_with_an_old_auth_token_are_accepted() -> None:
    plivo, store = ScriptedPlivo(), MemoryStore()
    async with plivo.client() as client:
        before = RecordingTracker(client, public_url=PUBLIC_URL, store=store, auth_tokens=OLD, tracking=QUIET)
        recording = await before.start("standup")
        during = RecordingTracker(client, public_url=PUBLIC_URL, store=store, auth_tokens=(TOKEN, OLD), tracking=QUIET)
        after = RecordingTracker(client, public_url=PUBLIC_URL, store=store, tracking=QUIET)
        url = called_url(plivo)
        assert (await deliver_callback(after, url, ended_fields(), token=OLD)).status_code == 403
        assert (await deliver_callback(during, url, ended_fields(), token="neither")).status_code == 403
        assert (await recording.status()).state == "accepted"
        assert (await deliver_callback(during, url, ended_fields(), token=OLD)).status_code == 200
        assert (await recording.status()).state == "recorded"
        again = await during.start("standup")
        assert (await deliver_callback(after, called_url(plivo), ended_fields(), scheme="V3 list")).status_code == 200
        assert (await again.status()).state == "recorded"
        await during.aclose()


# What belongs to nobody, and what is forgotten


async def test_callback_without_a_recording_is_kept_as_an_orphan() -> None:
    async with tracking() as tracker:
        before = datetime.now(UTC)
        for number in range(3):
            assert (
                await deliver_callback(tracker, f"{PUBLIC_URL}/recording", ended_fields(recording_id=f"rec-{number}"))
            ).is_success
        orphans = await tracker.orphans()
        assert [orphan.event.raw["recording_id"] for orphan in orphans] == ["rec-2", "rec-1", "rec-0"]
        assert all(before <= orphan.received_at <= datetime.now(UTC) for orphan in orphans)
        assert await tracker.orphans(limit=1) == orphans[:1]


async def test_prune_deletes_old_recordings() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        running, over = await tracker.start("standup"), await tracker.start("standup")
        await deliver_callback(tracker, called_url(plivo), ended_fields())
        assert await tracker.prune(before=datetime.now(UTC) - timedelta(days=1)) == 0
        assert await tracker.prune(before=datetime.now(UTC) + timedelta(days=1)) == 1
        with pytest.raises(UnknownStartError):
            await tracker.get(over.start_id)
        assert await tracker.get(running.start_id) == running
        # Plivo may say it once more.
        assert (await deliver_callback(tracker, called_url(plivo), ended_fields())).status_code == 200
        assert len(await tracker.orphans()) == 1


async def test_the_time_of_pruning_must_be_aware() -> None:
    async with tracking() as tracker:
        with pytest.raises(ValueError, match=r"^before must be aware"):
            await tracker.prune(before=datetime(2026, 1, 1))  # noqa: DTZ001


# Forgetting


async def test_forget_deletes_a_recording_with_its_orphans_and_wakes_its_waiters() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup", dedupe_key="monday")
        assert (await deliver_callback(tracker, called_url(plivo), {"something": "odd"})).status_code == 200
        assert len(await tracker.orphans()) == 1
        waiting = asyncio.create_task(recording.recorded())
        await asyncio.sleep(0)
        await tracker.forget(recording.start_id)
        with pytest.raises(UnknownStartError):
            await asyncio.wait_for(waiting, 10)
        with pytest.raises(UnknownStartError):
            await tracker.get(recording.start_id)
        assert await tracker.orphans() == []
        await tracker.forget(recording.start_id)
        assert (await tracker.start("standup", dedupe_key="monday")).start_id != recording.start_id


async def test_callback_of_a_forgotten_start_is_acknowledged_and_not_kept() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup")
        await tracker.forget(recording.start_id)
        assert (await deliver_callback(tracker, called_url(plivo), ended_fields())).status_code == 200
        assert await tracker.orphans() == []


async def test_a_start_can_be_forgotten_while_it_is_being_sent() -> None:
    reached, go, store = asyncio.Event(), asyncio.Event(), FlakyStore()

    async def answer(_: httpx.Request) -> httpx.Response:
        reached.set()
        await go.wait()
        return accepted_response()

    async with tracking(ScriptedPlivo(answer), store=store) as tracker:
        starting = asyncio.create_task(tracker.start("standup"))
        await reached.wait()
        await tracker.forget(store.start_ids[0])
        go.set()
        recording = await starting
        with pytest.raises(UnknownStartError):
            await recording.status()


async def test_forgetting_an_unknown_start_raises_unknown_start_error() -> None:
    async with tracking() as tracker:
        for delete in (False, True):
            with pytest.raises(UnknownStartError):
                await tracker.forget("nobody", delete_recording=delete)


@pytest.mark.parametrize("status", [204, 404])
async def test_forget_deletes_plivos_file_first_if_it_exists(status: int) -> None:
    plivo = ScriptedPlivo()
    plivo.deletion = httpx.Response(status, json={"api_id": "a", "error": "not found"} if status == 404 else None)
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup")
        await deliver_callback(tracker, called_url(plivo), ended_fields())
        await tracker.forget(recording.start_id, delete_recording=True)
        assert plivo.deleted == ["Recording/rec-1/"]
        with pytest.raises(UnknownStartError):
            await recording.status()


async def test_nothing_is_forgotten_if_plivo_does_not_delete_its_file() -> None:
    plivo = ScriptedPlivo()
    plivo.deletion = httpx.Response(403, json={"api_id": "a", "error": "not yours"})
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup")
        await deliver_callback(tracker, called_url(plivo), ended_fields())
        with pytest.raises(PermissionDeniedError):
            await tracker.forget(recording.start_id, delete_recording=True)
        assert (await recording.status()).state == "recorded"


@pytest.mark.parametrize("fields", [None, {"api_id": "api-1", "message": "started"}, ended_fields(recording_id="")])
async def test_file_that_does_not_exist_yet_or_has_no_known_id_cannot_be_deleted(fields: dict[str, str] | None) -> None:
    plivo = ScriptedPlivo(accepted_response("api-1"))
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup")
        if fields is not None:
            assert (await deliver_callback(tracker, called_url(plivo), fields)).status_code == 200
        state = (await recording.status()).state
        with pytest.raises(ValueError, match=f"cannot be deleted, because the recording is {state} and"):
            await tracker.forget(recording.start_id, delete_recording=True)
        assert (await recording.status()).state == state
        assert plivo.deleted == []


async def test_forget_of_a_start_without_a_file_deletes_no_file() -> None:
    plivo, store = ScriptedPlivo(REJECTED), FlakyStore()
    async with tracking(plivo, store=store) as tracker:
        with pytest.raises(NotFoundError):
            await tracker.start("standup")
        await tracker.forget(store.start_ids[0], delete_recording=True)
        assert plivo.deleted == []


# Running


async def test_running_tracker_reconciles_silent_recordings() -> None:
    plivo, store = ScriptedPlivo(httpx.ReadTimeout("no answer")), FlakyStore()
    plivo.live = False
    async with tracking(plivo, store=store) as tracker:
        with pytest.raises(OutcomeUnknownError):
            await tracker.start("standup")
        await wait_for_state(store, store.start_ids[0], "absent")


async def test_closing_a_tracker_leaves_no_task() -> None:
    store = FlakyStore()
    async with tracking(store=store) as tracker:
        recording = await tracker.start("standup")
        assert len(other_tasks()) == 4
    assert other_tasks() == set()
    handles: list[Callable[[], Awaitable[Any]]] = [recording.status, recording.recorded]
    for call in handles:
        with pytest.raises(ClosedError, match="is closed; enter it again"):
            await call()


async def test_calls_on_a_closed_tracker_raise_closed_error() -> None:
    plivo = ScriptedPlivo()
    async with tracking(plivo) as tracker:
        recording = await tracker.start("standup")
    start_id = recording.start_id
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: tracker.start("standup"),
        lambda: tracker.get(start_id),
        lambda: tracker.forget(start_id),
        lambda: tracker.forget(start_id, delete_recording=True),
        lambda: tracker.prune(before=datetime.now(UTC)),
        tracker.orphans,
        tracker.counts,
        lambda: anext(tracker.recordings()),
        tracker.check,
    ]
    for call in calls:
        with pytest.raises(ClosedError, match=r"this tracker is closed\. Enter it again with"):
            await call()
    [outcome] = [outcome async for outcome in tracker.start_many(["standup"])]
    assert isinstance(outcome.error, ClosedError)
    assert (await deliver_callback(tracker, called_url(plivo), ended_fields())).status_code == 503
    assert len(plivo.starts) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_closed_tracker_can_be_entered_again(kind: str, tmp_path: Path) -> None:
    plivo, handled = ScriptedPlivo(), list[str]()
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "recordings.db")
    async with plivo.client() as client:
        tracker = RecordingTracker(client, public_url=PUBLIC_URL, tracking=QUIET, store=store)

        @tracker.on(RecordingEnded)
        async def archive(_: RecordingEnded, recording: TrackedRecording) -> None:
            handled.append(recording.start_id)

        recordings = list[TrackedRecording]()
        for number in range(3):
            async with tracker:
                recordings.append(await tracker.start(f"room-{number}"))
                assert [(await one.status()).state for one in recordings[:-1]] == ["recorded"] * number
                assert (
                    await deliver_callback(tracker, called_url(plivo), ended_fields(f"room-{number}"))
                ).status_code == 200
                await recordings[-1].recorded(timeout=10)
        assert handled == [one.start_id for one in recordings], "handlers are those of the tracker, not of one entry"
    assert other_tasks() == set()


async def test_reopened_tracker_reconciles_silent_recordings() -> None:
    plivo, store = ScriptedPlivo(httpx.ReadTimeout("no answer")), FlakyStore()
    async with tracking(plivo, store=store) as tracker:
        with pytest.raises(OutcomeUnknownError):
            await tracker.start("standup")
    plivo.live = False
    async with tracker._client, tracker:  # pyright: ignore[reportPrivateUsage]
        await wait_for_state(store, store.start_ids[0], "absent")


async def test_tracker_closes_when_the_last_block_is_left() -> None:
    async with tracking() as tracker:
        async with tracker:
            async with tracker:
                pass
            await tracker.start("a")
        await tracker.start("b")
        await tracker.aclose()
        with pytest.raises(ClosedError):
            await tracker.start("c")


async def test_check_raises_if_the_store_cannot_commit(tmp_path: Path) -> None:
    path = tmp_path / "recordings.db"
    async with tracking(store=SQLiteStore(path, busy_timeout=0.05)) as tracker:
        await tracker.check()
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process keeps it locked"):
                await tracker.check()
        await tracker.check()


async def test_closing_twice_is_harmless() -> None:
    async with tracking() as tracker:
        await tracker.aclose()
        await tracker.aclose()


async def test_entering_a_running_tracker_changes_nothing() -> None:
    """Its lifespan enters it, and the code that starts recordings beside the server enters it too."""
    async with tracking() as tracker:
        async with tracker:
            await tracker.start("standup")
        await tracker.start("standup")


async def test_tracker_does_not_start_if_the_store_cannot_be_read() -> None:
    store = FlakyStore()
    store.broken = {"due"}
    async with ScriptedPlivo().client() as client:
        tracker = RecordingTracker(client, public_url=PUBLIC_URL, store=store)
        with pytest.raises(StoreError):
            await tracker.__aenter__()
        store.broken = set()
        async with tracker:
            await tracker.start("standup")


# ASGI


async def test_lifespan_opens_and_closes_the_tracker() -> None:
    received, sent = asyncio.Queue[Any](), asyncio.Queue[Any]()
    async with ScriptedPlivo().client() as client:
        tracker = RecordingTracker(client, public_url=PUBLIC_URL)
        lifespan = asyncio.create_task(tracker({"type": "lifespan"}, received.get, sent.put))
        await received.put({"type": "lifespan.startup"})
        assert await sent.get() == {"type": "lifespan.startup.complete"}
        await tracker.start("standup")
        await received.put({"type": "lifespan.shutdown"})
        await lifespan
        assert await sent.get() == {"type": "lifespan.shutdown.complete"}
        with pytest.raises(ClosedError):
            await tracker.start("standup")


async def test_tracker_accepts_only_http_and_lifespan() -> None:
    async with tracking() as tracker:
        sent = list[Any]()

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        await tracker({"type": "websocket", "path": "/recording"}, receive, send)
        assert sent == [{"type": "websocket.close", "code": 1003}]
        with pytest.raises(ValueError, match="'mqtt'"):
            await tracker({"type": "mqtt"}, receive, send)


# Without a public URL


async def test_tracker_without_a_public_url_answers_requests_with_404() -> None:
    async with tracking(public_url=None) as tracker:
        assert "public_url=None" in repr(tracker)
        response = await deliver_callback(tracker, f"{PUBLIC_URL}/recording", ended_fields())
        assert response.status_code == 404
        assert "public_url" in response.text


async def test_public_url_may_be_given_by_position() -> None:
    plivo = ScriptedPlivo()
    async with plivo.client() as client, RecordingTracker(client, PUBLIC_URL) as tracker:
        await tracker.start("standup")
    assert called_url(plivo).startswith(PUBLIC_URL)


@pytest.mark.parametrize("public_url", [None, PUBLIC_URL])
async def test_reconcile_asks_about_everything_that_is_not_resolved(public_url: str | None) -> None:
    plivo = ScriptedPlivo(httpx.ReadTimeout("no answer"))
    options: dict[str, Any] = {"public_url": public_url, "tracking": PATIENT}
    async with tracking(plivo, **options) as tracker:
        with pytest.raises(OutcomeUnknownError) as unknown:
            await tracker.start("standup")
        assert [status.state async for status in tracker.reconcile()] == ["unknown"]
        plivo.rows = [listed("rec-1", at=_clock.now())]
        [status] = [status async for status in tracker.reconcile()]
        assert (status.start_id, status.state, status.recording_id) == (unknown.value.start_id, "recorded", "rec-1")
        assert [status async for status in tracker.reconcile()] == []
    with pytest.raises(ClosedError):
        await anext(tracker.reconcile())
