"""Captured, forged and odd callbacks over real HTTP: what they change, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import attrs
import httpx
import pytest

from plivo_record_async import (
    MemoryStore,
    RecordClient,
    RecordingTracker,
    SQLiteStore,
    TrackedRecording,
    UnknownCallback,
    sign_callback_v3,
)
from plivo_record_async.emulator import Emulator
from plivo_record_async.stores.interface import Store
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.servers.raw_http_client import RawHttpClient, Response, request_head

FORM = "application/x-www-form-urlencoded"


class Counting(httpx.AsyncHTTPTransport):
    """Real connections that keep the paths of the GET requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @property
    def questions(self) -> int:
        """How often the same path was requested. One reconciliation requests each path once."""
        return max(Counter(self.asked).values(), default=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.asked.append(request.url.path.split("/", 4)[4])
        return await super().handle_async_request(request)


@attrs.frozen(kw_only=True)
class Captured:
    """A request as an attacker on the network could have captured it."""

    target: str
    headers: dict[str, str]
    fields: dict[str, str]


class Eavesdropper:
    """An ASGI application around a tracker that captures its requests."""

    def __init__(self, tracker: RecordingTracker) -> None:
        self._tracker = tracker
        self.captured: list[Captured] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._tracker(scope, receive, send)
            return
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        fields = dict(httpx.QueryParams(b"".join(message["body"] for message in messages).decode()))
        signed = {name: value for name, value in headers.items() if name.startswith("x-plivo")}
        self.captured.append(Captured(target=target, headers=signed, fields=fields))

        async def again() -> Any:
            return messages.pop(0)

        await self._tracker(scope, again, send)


@attrs.frozen(kw_only=True)
class Scene:
    """A tracker on a real socket, its account at a real emulator, and a connection of an attacker."""

    plivo: Emulator
    tracker: RecordingTracker
    transport: Counting
    listening: Eavesdropper
    public_url: str
    attacker: RawHttpClient

    async def send(
        self, target: str, fields: dict[str, str] | str, headers: dict[str, str], *, method: str = "POST"
    ) -> Response:
        body = (fields if isinstance(fields, str) else urlencode(fields)).encode()
        return await self.attacker.request(method, target, {"Content-Type": FORM, **headers}, body)

    async def sign_and_send(self, url: str, fields: dict[str, str], nonce: str = "1") -> int:
        """Send a callback with these fields and a valid signature; return the status of the response."""
        signature = sign_callback_v3("POST", url, fields, nonce, self.plivo.auth_token)
        headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
        parts = urlsplit(url)
        return (await self.send(f"{parts.path}?{parts.query}", fields, headers)).status

    async def issued(self, recording: TrackedRecording, place: str = "recording") -> str:
        record = await self.tracker._ledger.get(recording.start_id)  # pyright: ignore[reportPrivateUsage]
        url = record.request.callback_url if place == "recording" else record.request.transcription_url
        assert url is not None
        return url.partition("#")[0]

    async def recorded(self, room: str, **options: Any) -> TrackedRecording:
        """Return a recording that has ended."""
        recording = await self.tracker.start(room, **options)
        await self.plivo.end_conference(room)
        await recording.recorded(timeout=20)
        await self.plivo.callbacks_settled()
        return recording

    async def quiet(self) -> None:
        """Wait until every question to Plivo that was begun has been answered."""
        tasks = self.tracker._follower._session.tasks._droppable  # pyright: ignore[reportPrivateUsage]
        while asking := [task for task in tasks if "ReconciliationQueue._work" in repr(task.get_coro())]:
            await asyncio.wait(asking)


@asynccontextmanager
async def scene(store: Store | None = None, *, public_url: str | None = None) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        plivo = await stack.enter_async_context(Emulator())
        listener = free_listener()
        public_url = public_url or f"{url_of(listener)}/plivo"
        transport = Counting()
        client = await stack.enter_async_context(
            RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url, transport=transport)
        )
        tracker = RecordingTracker(client, public_url=public_url, store=store)
        listening = Eavesdropper(tracker)
        url = await stack.enter_async_context(serving(listening, listener=listener))
        attacker = await stack.enter_async_context(RawHttpClient.connect(url))
        yield Scene(
            plivo=plivo,
            tracker=tracker,
            transport=transport,
            listening=listening,
            public_url=public_url,
            attacker=attacker,
        )


# Captured callbacks


def one_name(text: str) -> str:
    """Return a text encoded so that a query has it as a single name without a value."""
    return quote(text, safe="")


async def test_a_chosen_room_name_does_not_change_the_recording_of_a_victim() -> None:
    async with scene() as it:
        victim = await it.recorded("board")
        before = await victim.status()
        evil = json.dumps({"record_url": "https://evil.example/x.mp3", "recording_id": before.recording_id})
        for room in (
            f"x=1&recording_id={before.recording_id}&transcription=we pay 1,000,000&z=",
            f"x=1&recording_id={before.recording_id}&record_url=https://evil.example/x.mp3&z=",
            f"x=1&response={evil}&z=",
            f"x.recording_id{before.recording_id}transcriptionwe pay 1,000,000",
        ):
            await it.recorded(room)
        for captured in tuple(it.listening.captured):
            target, _, issued = captured.target.partition("?")
            signed = "&".join(sorted(issued.split("&")))
            form = "".join(name + value for name, value in sorted(captured.fields.items()))
            for method in ("GET", "POST"):
                for query in possible_queries(f"{signed}.{form}"):
                    reply = await it.send(f"{target}?{query}", "", captured.headers, method=method)
                    assert reply.status in ({405} if method == "GET" else {200, 400, 403})
            for name in ("recording_id", "record_url", "transcription", "response"):
                for fields in shifted_forms(form, name):
                    reply = await it.send(captured.target, fields, captured.headers)
                    assert reply.status in {200, 403}
        after = await victim.status()
        asked_since = attrs.evolve(after, updated_at=before.updated_at, history=before.history)
        assert asked_since == before  # Plivo may have been asked about it, which the history and the time show
        assert after.history[: len(before.history)] == before.history
        assert len(await it.tracker.orphans()) <= len(it.listening.captured)


def possible_queries(text: str) -> list[str]:
    """Return the queries that have this signed text, with the end of the first name at each ``=``, or at the end."""
    signs = [position for position, sign in enumerate(text) if sign == "="]
    return [f"{one_name(text[:position])}={quote(text[position + 1 :], safe='&=')}" for position in signs] + [
        one_name(text)
    ]


def shifted_forms(form: str, name: str) -> list[dict[str, str]]:
    """Return forms with the same signed text that have a field of this name where the text contains the name."""
    positions = [position for position in range(1, len(form)) if form.startswith(name, position)]
    return [{form[:position]: "", name: form[position + len(name) :]} for position in positions]


async def test_token_in_the_fragment_is_ignored() -> None:
    async with scene() as it:
        await it.recorded("mine")
        victim = await it.tracker.start("board")
        path = f"{urlsplit(it.public_url).path}/recording"
        captured = next(each for each in it.listening.captured if "recording_id" in each.fields)
        other_token = urlsplit(await it.issued(victim)).query
        own = "&".join(sorted(captured.target.partition("?")[2].split("&")))
        for target in (
            f"{path}?{one_name(own)}#&{other_token}",
            f"{path}#?{one_name(own)}&{other_token}",
            f"{path}?{own}#{other_token}",
            f"{path}?#&{other_token}",
        ):
            assert (await it.send(target, captured.fields, captured.headers)).status == 400
        assert (await victim.status()).state in {"accepted", "started"}
        assert await it.tracker.orphans() == []


async def test_callback_of_one_start_does_not_apply_to_another() -> None:
    async with scene() as it:
        await it.recorded("mine")
        victim = await it.tracker.start("board")
        target = urlsplit(await it.issued(victim))
        for captured in tuple(it.listening.captured):
            reply = await it.send(f"{target.path}?{target.query}", captured.fields, captured.headers)
            assert reply.status in ({200} if captured.target.endswith(target.query) else {403})
        assert (await victim.status()).state in {"accepted", "started"}


@pytest.mark.parametrize("replays", [300])
async def test_replayed_callbacks_add_no_rows_and_no_lookups(tmp_path: Path, replays: int) -> None:
    async with scene(SQLiteStore(tmp_path / "recordings.db")) as it:
        recording = await it.recorded("board")
        recording_id = (await recording.status()).recording_id
        fields = {"recording_id": str(recording_id), "transcription": "hello", "error": ""}
        it.transport.asked.clear()
        for _ in range(replays):
            assert await it.sign_and_send(f"{it.public_url}/recording", fields) == 200
        await it.quiet()
        assert len(await it.tracker.orphans()) == 1
        assert it.transport.questions == 1
        assert (await recording.status()).state == "recorded"


# Odd, but genuine callbacks


SPOKEN = "会议室里的人说了很多话。"


@pytest.mark.parametrize(
    "text",
    ["word " * 14_000, "four hours of words " * 9_300, SPOKEN * 15_000],
    ids=["90 minutes", "four hours", "letters that are escaped"],
)
async def test_a_long_transcript_is_stored(text: str, tmp_path: Path) -> None:
    async with scene(SQLiteStore(tmp_path / "recordings.db")) as it:
        recording = await it.recorded("board", transcribe=True)
        url = await it.issued(recording, "transcription")
        assert (await recording.status()).state in {"recorded", "transcribed"}
        again = {"recording_id": str((await recording.status()).recording_id), "transcription": text, "error": ""}
        assert await it.sign_and_send(url, again) == 200
        assert await it.tracker.orphans() == []
        heard = await recording.transcribed(timeout=20)
        assert heard.transcription is not None


ODD: Sequence[dict[str, str]] = (
    {"record_url": ""},
    {"record_url": "https://media.example/a b.mp3"},
    {"recording_duration": "None"},
    {"recording_duration": "22s"},
    {"recording_start_ms": "2026-01-01T00:00:00Z"},
    {"recording_id": "another"},
    {"api_id": "another"},
    {"message_uuid": "x", "record_ur": "lhttps://media.example/a.mp3"},
)


@pytest.mark.parametrize("change", ODD)
async def test_odd_callback_is_kept_and_plivo_is_asked_until_the_state_is_certain(
    change: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with scene() as it:
        recording = await it.tracker.start("board")
        async with asyncio.timeout(20):
            while (status := await recording.status()).recording_id is None:
                await asyncio.sleep(0.01)
        it.transport.asked.clear()
        fields = {
            "api_id": str(status.api_id),
            "conference_name": "board",
            "record_url": "https://media.example/a.mp3",
            "recording_id": str(status.recording_id),
            "recording_duration": "61",
            "recording_duration_ms": "61000",
        }
        url = await it.issued(recording)
        for nonce in ("1", "2", "1"):
            assert await it.sign_and_send(url, fields | change, nonce) == 200
        orphans = await it.tracker.orphans()
        assert [orphan.event.raw for orphan in orphans] == [fields | change] * 2
        assert all(orphan.reason and orphan.start_id == recording.start_id for orphan in orphans)
        await it.quiet()
        assert it.transport.questions == 1
        assert (await recording.status()).state == "started"
        warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert sum("was kept as an orphan" in line for line in warned) == 2
        await it.plivo.end_conference("board")
        assert (await recording.recorded(timeout=20)).record_url != fields["record_url"]


async def test_at_most_20_odd_callbacks_of_a_start_are_kept_and_cause_one_lookup(tmp_path: Path) -> None:
    async with scene(SQLiteStore(tmp_path / "recordings.db")) as it:
        recording = await it.recorded("board")
        url = await it.issued(recording)
        it.transport.asked.clear()
        for number in range(100):
            assert await it.sign_and_send(url, {"something": f"odd {number}"}, f"{number}") == 200
        await it.quiet()
        orphans = await it.tracker.orphans()
        assert [orphan.event for orphan in orphans] == [
            UnknownCallback(raw={"something": f"odd {number}"}, reason=orphans[0].reason)
            for number in range(99, 79, -1)
        ]
        assert it.transport.questions == 1


async def test_worker_with_its_own_memory_store_explains_an_unknown_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    public_url = "http://127.0.0.1:9/plivo"  # whatever stands in front of both workers
    async with scene(MemoryStore(), public_url=public_url) as one, scene(MemoryStore(), public_url=public_url) as other:
        recording = await one.tracker.start("board")
        url = await one.issued(recording)
        fields = {"api_id": str((await recording.status()).api_id), "message": "started"}
        other_tokens = attrs.evolve(other, plivo=one.plivo)
        assert other.plivo.auth_token == one.plivo.auth_token
        assert await other_tokens.sign_and_send(url, fields) == 200
        [orphan] = await other.tracker.orphans()
        assert orphan.start_id == recording.start_id
        assert orphan.event.raw == fields
    assert f"start {recording.start_id}: a callback was kept as an orphan: its start is not in this MemoryStore" in (
        caplog.text
    )


# Many requests at once


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_slow_bodies_are_refused_by_their_head_and_genuine_callbacks_are_admitted(http: str) -> None:
    async with AsyncExitStack() as stack:
        plivo = await stack.enter_async_context(Emulator())
        listener = free_listener()
        client = await stack.enter_async_context(RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url))
        tracker = RecordingTracker(client, public_url=f"{url_of(listener)}/plivo")
        url = await stack.enter_async_context(serving(tracker, listener=listener, http=http))
        slow = request_head("POST", "/plivo/recording", {"Content-Type": FORM, "Content-Length": "100000"})
        outsiders = [await stack.enter_async_context(RawHttpClient.connect(url)) for _ in range(300)]
        for outsider in outsiders:
            await outsider.send(slow)
        recording = await tracker.start("board")
        await plivo.end_conference("board")
        await recording.recorded(timeout=20)
        assert {(await outsider.read_response()).status for outsider in outsiders} == {403}
