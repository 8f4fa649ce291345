"""The response to each callback over real HTTP, and what is stored of it."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urldefrag, urlencode, urlsplit
from uuid import uuid4

import attrs
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from plivo_record_async import CallbackPolicy, ClosedError, MemoryStore, RecordingTracker, SQLiteStore, StoreError
from plivo_record_async._clock import now
from plivo_record_async.emulator.account.callbacks import Callback, HttpCallback, SignatureScheme
from plivo_record_async.protocol.callbacks.url_tokens import CallbackPath, issue_url
from plivo_record_async.protocol.models import RecordingEnded, StartRequest
from plivo_record_async.protocol.recording.evidence import SendingBegan, StartAccepted
from plivo_record_async.protocol.recording.lifecycle import apply, begin_sending, plan
from plivo_record_async.stores.interface import FollowedRecording, Store
from plivo_record_async.tracking.ledger import Ledger
from plivo_record_async.tracking.receiving.body_limits import BodyLimits
from plivo_record_async.tracking.receiving.receiver import LONGEST_BODY, MAX_DRAINING, Receiver, run_lifespan
from tests.support.servers.asgi_server import StartupFailedError, serving
from tests.support.servers.raw_http_client import RawHttpClient, request_head
from tests.support.tracker.callbacks import deliver_callback, ended_fields
from tests.support.tracker.flaky_store import FlakyStore
from tests.support.tracker.parts import PUBLIC_URL, other_tasks
from tests.support.tracker.scripted_plivo import TOKEN, ScriptedPlivo

FIELDS = ended_fields(api_id="api-1")


def issued(path: CallbackPath = "recording", start_id: str = "start-1", *, public_url: str = PUBLIC_URL) -> str:
    return CallbackPolicy().apply(issue_url(public_url, path, start_id, TOKEN))


def accepted(
    start_id: str = "start-1",
    *,
    public_url: str = PUBLIC_URL,
    api_id: str | None = "api-1",
    recording_id: str | None = None,
) -> FollowedRecording:
    """Return a recording whose callbacks have not arrived yet."""
    request = StartRequest(
        "standup",
        callback_url=issued("recording", start_id, public_url=public_url),
        transcription_url=issued("transcription", start_id, public_url=public_url),
    )
    record = plan(start_id, request, now())
    for evidence in (SendingBegan(), StartAccepted(description="202", api_id=api_id, recording_id=recording_id)):
        record, _ = apply(record, evidence, now())
    return record


def signed(
    url: str | None = None,
    fields: dict[str, str] | None = None,
    *,
    method: str = "POST",
    token: str = TOKEN,
    scheme: SignatureScheme = "V3",
) -> HttpCallback:
    """Return a genuine callback."""
    callback = Callback(
        kind="recording",
        url=issued() if url is None else url,
        method=method,
        fields=FIELDS if fields is None else fields,
        api_id="api-1",
    )
    return callback.signed(nonce=str(uuid4().int), auth_token=token, scheme=scheme)


def target_of(callback: HttpCallback) -> str:
    parts = urlsplit(callback.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def deliver(http_client: RawHttpClient, callback: HttpCallback) -> int:
    reply = await http_client.request(
        callback.method, target_of(callback), dict(callback.headers), callback.content or b""
    )
    return reply.status


@asynccontextmanager
async def receiving(
    store: Store | None = None,
    *,
    public_url: str = PUBLIC_URL,
    plivo: ScriptedPlivo | None = None,
    room: BodyLimits | None = None,
    mount: Callable[[RecordingTracker], Any] = lambda tracker: tracker,
    **options: Any,
) -> AsyncGenerator[tuple[RawHttpClient, Store]]:
    """A tracker that uvicorn serves, a connection to it, and its store."""
    kept = store or MemoryStore()
    async with (plivo or ScriptedPlivo()).client() as client:
        tracker = RecordingTracker(client, public_url=public_url, store=kept)
        if room is not None:
            receiver = tracker._receiver  # pyright: ignore[reportPrivateUsage]
            assert isinstance(receiver, Receiver)
            tracker._receiver = attrs.evolve(receiver, issued=room, others=room)  # pyright: ignore[reportPrivateUsage]
        async with serving(mount(tracker), **options) as url, RawHttpClient.connect(url) as http_client:
            yield http_client, kept


async def state(store: Store, start_id: str = "start-1") -> str:
    record = await store.get(start_id)
    assert record is not None
    return record.state


# Taken in


async def test_a_callback_is_stored_and_acknowledged() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed()
        reply = await http_client.request("POST", target_of(callback), dict(callback.headers), callback.content or b"")
        assert (reply.status, reply.body) == (200, b"OK\n")
        assert "connection" not in reply.headers
        record = await store.get("start-1")
        assert record is not None
        assert isinstance(record.ended, RecordingEnded)
        assert (record.state, record.ended.duration_ms) == ("recorded", 61_000)


async def test_callback_with_a_chunked_body_is_accepted() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed()
        content = callback.content or b""
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:10], content[10:])]
        first = request_head("POST", target_of(callback), {**callback.headers, "Transfer-Encoding": "chunked"})
        await http_client.send(first, *chunks, b"0\r\n\r\n")
        assert (await http_client.read_response()).status == 200
        assert await state(store) == "recorded"


async def test_each_kind_of_callback_has_its_own_url() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        heard = {"recording_id": "rec-1", "transcription": "good morning", "duration": "61"}
        assert await deliver(http_client, signed(issued("transcription"), heard)) == 200
        assert await state(store) == "transcribed"


@pytest.mark.parametrize("early", [False, True])
async def test_callback_that_recording_began_is_stored_as_such(*, early: bool) -> None:
    """The Record XML element also sends a callback when a recording begins, with a length of -1."""
    began = ended_fields(recording_duration="-1", recording_duration_ms="-1", recording_end_ms="-1")
    async with receiving() as (http_client, store):
        record = await store.create(begin_sending("start-1", accepted().request, now()) if early else accepted())
        assert await deliver(http_client, signed(fields=began)) == 200
        assert await state(store) == "started"
        if early:
            await Ledger(store=store).apply(record, StartAccepted(description="202"))
        assert await deliver(http_client, signed()) == 200
        assert await state(store) == "recorded"


async def test_signatures_may_be_a_list_or_repeated_headers() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        assert await deliver(http_client, signed(scheme="V3 list")) == 200
        callback = signed(fields={**FIELDS, "record_url": "https://media.example/rec-1.wav"})
        wrong = request_head("POST", target_of(callback), {"X-Plivo-Signature-V3": "bm8="}).removesuffix(b"\r\n")
        right = request_head("", "", {**callback.headers, "Content-Length": str(len(callback.content or b""))})
        await http_client.send(wrong, right.partition(b"internal\r\n")[2], callback.content or b"")
        assert (await http_client.read_response()).status == 200
        record = await store.get("start-1")
        assert record is not None
        assert record.record_url == "https://media.example/rec-1.wav"


@pytest.mark.parametrize("copies", [2, 20])
async def test_repeated_callback_is_stored_once(copies: int) -> None:
    async with receiving() as (http_client, store):
        before = await store.create(accepted())
        statuses = [await deliver(http_client, signed()) for _ in range(copies)]
        assert statuses == [200] * copies
        record = await store.get("start-1")
        assert record is not None
        assert record.version == before.version + 1


async def test_concurrent_copies_of_a_callback_are_stored_once() -> None:
    store = MemoryStore()
    async with (
        ScriptedPlivo().client() as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker,
    ):
        before = await store.create(accepted())
        replies = await asyncio.gather(*(deliver_callback(tracker, issued(), FIELDS) for _ in range(20)))
        assert {reply.status_code for reply in replies} == {200}
        record = await store.get("start-1")
        assert record is not None
        assert record.version == before.version + 1


# Not believed


UNREADABLE = {**FIELDS, "recording_duration_ms": "N/A"}


@pytest.mark.parametrize(
    ("url", "fields", "reason"),
    [
        (f"{PUBLIC_URL}/recording", FIELDS, "its URL names no start"),
        (f"{PUBLIC_URL}/recording?room=a", {"api_id": "api-1", "message": "started"}, "its URL names no start"),
        (f"{PUBLIC_URL}/recording", {"a": "b"}, "its URL names no start; its fields are not those of a known kind"),
        (
            issued(start_id="elsewhere"),
            FIELDS,
            "its start is not in this MemoryStore; if another process or an earlier run",
        ),
        (issued(), {"something": "new"}, "its fields are not those of a known kind of callback"),
        (issued(), {**FIELDS, "record_url": ""}, "record_url is missing"),
        (issued(), {**FIELDS, "record_url": "https://h/a b.mp3"}, "record_url"),
        (issued(), UNREADABLE, "recording_duration_ms"),
        (issued(), {**FIELDS, "record_ur": "lhttps://media.example/"}, "'record_ur' may be a known field"),
        (issued(), {"api_id": "api-2", "message": "started"}, "its api_id is 'api-2', but that of this recording is"),
        (issued(), {**FIELDS, "api_id": "api-2"}, "its api_id is 'api-2', but that of this recording is"),
        (issued("transcription"), {"recording_id": "rec-2", "transcription": "a"}, "its recording_id is 'rec-2', but"),
    ],
)
async def test_callback_that_is_not_trusted_is_acknowledged_kept_and_reconciled(
    url: str, fields: dict[str, str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    plivo = ScriptedPlivo()
    async with receiving(plivo=plivo) as (http_client, store):
        record = await store.create(accepted(recording_id="rec-1"))
        callback = signed(url, fields)
        for _ in range(3):
            assert await deliver(http_client, callback) == 200
        [orphan] = await store.orphans()
        assert orphan.reason.startswith(reason)
        assert orphan.event.raw == fields
        assert orphan.start_id == (None if "?plivo" not in url else "elsewhere" if "elsewhere" in url else "start-1")
        assert await store.get("start-1") == record
        await settled(plivo)
    assert plivo.queries.count("Recording/") == (0 if fields == {"a": "b"} else 1)
    [line] = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert "a callback was kept as an orphan: " in line
    assert len(line) <= 200
    for hidden in ("https://", "rec-2", "api-2", "b.mp3", "proof", "N/A"):
        assert hidden not in line


async def test_of_two_concurrent_contradicting_callbacks_one_is_trusted() -> None:
    store = FlakyStore()
    async with (
        ScriptedPlivo().client() as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker,
    ):
        await store.create(accepted())
        hold = store.hold("replace")
        calls = [deliver_callback(tracker, issued(), ended_fields(recording_id=f"rec-{number}")) for number in (1, 2)]
        calling = asyncio.gather(*calls)
        await store.called("replace", times=2)
        hold.set()
        assert [reply.status_code for reply in await calling] == [200, 200]
        record = await store.get("start-1")
        assert record is not None
        [orphan] = await store.orphans()
        assert {record.recording_id, orphan.event.raw["recording_id"]} == {"rec-1", "rec-2"}


async def test_a_callback_without_a_token_changes_nothing_whatever_ids_it_names() -> None:
    plivo = ScriptedPlivo()
    async with receiving(plivo=plivo) as (http_client, store):
        record = await store.create(accepted(recording_id="rec-1"))
        for fields in (FIELDS, {"recording_id": "rec-1", "transcription": "hello", "error": ""}):
            assert await deliver(http_client, signed(f"{PUBLIC_URL}/recording", fields)) == 200
        assert await store.get("start-1") == record
        assert len(await store.orphans()) == 2
        await settled(plivo)
    assert plivo.queries.count("Recording/") == 1


async def test_all_splits_of_one_capture_are_one_orphan_of_its_start() -> None:
    """Some of the splits move the token into a name, so that the URL seems to have no token."""
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed(fields={"something": "new", "zone": "x"})
        headers, target = dict(callback.headers), target_of(callback)
        address, _, query = target.partition("?")
        start, proof = query.split("&")
        hidden = f"{address}?{proof.replace('_', '%5F')}%26{quote(start, safe='')}"  # one pair, to whoever decodes it
        for cut_target, body in (
            (hidden, "something=new&zone=x"),
            (target, "something=new&zone=x"),
            (target, "somethingn=ew&zone=x"),
            (target, "s=omethingnew&z=onex"),
            (hidden, "somethin=gnew&zone=x"),
        ):
            reply = await http_client.request("POST", cut_target, headers, body.encode())
            assert reply.status == 200, (cut_target, body)
        [orphan] = await store.orphans()
        assert orphan.start_id == "start-1"
        await store.forget("start-1", now=now())
        assert (await http_client.request("POST", hidden, headers, b"something=new&zone=x")).status == 200
        assert await store.orphans() == []


async def test_orphan_in_a_persistent_store_says_that_another_store_may_have_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving(SQLiteStore(tmp_path / "recordings.db")) as (http_client, store):
        assert await deliver(http_client, signed()) == 200
        [orphan] = await store.orphans()
        await store.aclose()
    assert orphan.reason == "its start is not in this store; it was pruned, or another store has it"
    assert "start start-1: a callback was kept as an orphan: its start is not in this store" in caplog.text


async def settled(plivo: ScriptedPlivo) -> None:
    """Wait until no request is in progress."""
    asked = -1
    while asked != len(plivo.requests):
        asked = len(plivo.requests)
        await asyncio.sleep(0.05)


async def test_callback_of_a_record_pruned_meanwhile_is_an_orphan() -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        await store.create(accepted())
        hold = store.hold("replace")
        delivery = asyncio.create_task(deliver(http_client, signed()))
        await store.called("replace")
        await store.prune_one("start-1")
        hold.set()
        assert await delivery == 200
        assert len(await store.orphans()) == 1


# Refused


async def refusals(http_client: RawHttpClient) -> AsyncIterator[tuple[int, bytes]]:
    """Each reason for a rejection: the expected status, and the request."""
    good = signed()
    target, body = target_of(good), good.content or b""

    def request(
        method: str = "POST", target: str = target, headers: dict[str, str] | None = None, body: bytes = body
    ) -> bytes:
        given = dict(good.headers if headers is None else headers)
        return request_head(method, target, {**given, "Content-Length": str(len(body))}) + body

    def of(callback: HttpCallback) -> bytes:
        return request(callback.method, target_of(callback), dict(callback.headers), callback.content or b"")

    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        yield 405, request(method)
    yield 405, of(signed(method="GET"))
    for path in ("", "/", "/recordings", "/recording/more", "/__emulator__/state"):
        yield 404, request(target=f"/plivo{path}?{target.partition('?')[2]}")
    for forged in (
        issue_url(PUBLIC_URL, "recording", "start-1", "foreign"),
        issue_url(PUBLIC_URL, "recording", "start-1", TOKEN) + "0",
        issued("transcription").replace("transcription?", "recording?"),
    ):
        yield 403, of(signed(forged, token="foreign"))
    yield 403, of(signed(token="foreign"))
    yield 403, of(signed(scheme="V2"))
    yield 403, of(signed(scheme="none"))
    yield 403, request(body=body + b"&more=1")
    yield 403, request(headers={**good.headers, "X-Plivo-Signature-V3-Nonce": "1.2"})
    yield 403, request(headers={**good.headers, "X-Plivo-Signature-V3-Nonce": "1" * 3000})
    yield 403, request(headers={**good.headers, "X-Plivo-Signature-V3": ",".join(["bm8="] * 1000)})
    yield 403, request(headers={**good.headers, **{f"X-Plivo-Signature-{number}": "a" for number in range(20)}})
    yield 403, request(target=f"{target}&{target.partition('?')[2]}")
    yield 400, request(target=f"/plivo/recording?a=b#{target.partition('?')[2]}")
    yield 400, request(target=f"/plivo#/recording?{target.partition('?')[2]}")
    yield 400, request(body=b"&".join([b"a"] * 1000))
    yield 400, request(headers={**good.headers, "Content-Type": "application/json"}, body=b"{}")
    yield 413, request(body=b"a" * (LONGEST_BODY + 1))


async def test_rejection_has_constant_text_and_changes_nothing() -> None:
    async with receiving() as (http_client, store):
        record = await store.create(accepted())
        bodies_by_status: dict[int, set[bytes]] = {}
        async for status, request in refusals(http_client):
            await http_client.send(request)
            reply = await http_client.read_response()
            assert reply.status == status, request
            bodies_by_status.setdefault(status, set()).add(reply.body)
            assert reply.headers.get("allow") == ("POST" if status == 405 else None)
        assert bodies_by_status.keys() == {400, 403, 404, 405, 413}
        assert {len(bodies) for bodies in bodies_by_status.values()} == {1}
        assert (await store.get("start-1"), await store.orphans()) == (record, [])
        assert await deliver(http_client, signed()) == 200  # the same connection all the time


async def test_head_request_is_rejected() -> None:
    async with receiving() as (http_client, _):
        await http_client.send(request_head("HEAD", target_of(signed()), {}))
        assert (await http_client.read_response_head()).status == 405


async def test_rejection_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as (http_client, _):
        assert await deliver(http_client, signed(token="foreign")) == 403
    assert "a callback was rejected with 403: none of its signatures matches" in caplog.text


async def test_a_forged_callback_to_a_forged_url_is_rejected_without_asking_the_store() -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        store.calls.clear()
        assert (
            await deliver(
                http_client, signed(issue_url(PUBLIC_URL, "recording", "start-1", "foreign"), token="foreign")
            )
            == 403
        )
        assert "get" not in store.calls


@pytest.mark.parametrize(
    "url",
    [
        issue_url(PUBLIC_URL, "recording", "start-1", "a token that was replaced"),
        issue_url(PUBLIC_URL, "recording", "start-1", TOKEN) + "0",
        issue_url(PUBLIC_URL, "transcription", "start-1", TOKEN).replace("transcription?", "recording?"),
    ],
)
async def test_a_genuine_callback_to_a_url_without_a_valid_proof_is_kept_and_changes_nothing(url: str) -> None:
    async with receiving() as (http_client, store):
        record = await store.create(accepted())
        assert await deliver(http_client, signed(url)) == 200
        [orphan] = await store.orphans()
        assert orphan.reason.startswith("its URL names a start, but the proof in it was made with none of auth_tokens")
        assert (orphan.start_id, await store.get("start-1")) == (None, record)


async def test_a_genuine_callback_to_a_url_without_a_valid_proof_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with receiving() as (http_client, _):
        assert await deliver(http_client, signed(issue_url(PUBLIC_URL, "recording", "start-1", "replaced"))) == 200
    assert "a callback was kept as an orphan: its URL names a start, but the proof in it" in caplog.text


# Its size


def padded(size: int) -> HttpCallback:
    """Return a callback with a body of this many bytes."""
    short = len(urlencode({**FIELDS, "new": ""}))
    callback = signed(fields={**FIELDS, "new": "a" * (size - short)})
    assert len(callback.content or b"") == size
    return callback


async def test_a_body_of_2_mib_is_read() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        assert await deliver(http_client, padded(LONGEST_BODY)) == 200
        assert await state(store) == "recorded"


async def test_longer_body_is_rejected_and_the_connection_stays_open() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        assert await deliver(http_client, padded(LONGEST_BODY + 1)) == 413
        assert await state(store) == "accepted"
        assert await deliver(http_client, signed()) == 200


async def test_longer_body_is_rejected_by_its_content_length() -> None:
    async with receiving() as (http_client, _):
        callback = signed()
        await http_client.send(
            request_head("POST", target_of(callback), {**callback.headers, "Content-Length": str(10**9)})
        )
        assert (await http_client.read_response()).status == 413


async def test_longer_body_without_content_length_is_rejected() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = padded(LONGEST_BODY + 1)
        content = callback.content or b""
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:60_000], content[60_000:])]
        await http_client.send(
            request_head("POST", target_of(callback), {**callback.headers, "Transfer-Encoding": "chunked"}), *chunks
        )
        reply = await http_client.read_response()  # though the body may go on for ever
        assert (reply.status, reply.headers["connection"]) == (413, "close")


@pytest.mark.parametrize(
    ("announced", "status"),
    [("9" * 5000, 413), (str(LONGEST_BODY + 1), 413), (str(LONGEST_BODY), 200), ("many", 200), ("", 200)],
)
async def test_content_length_is_parsed_strictly(announced: str, status: int) -> None:
    """The test passes any length that a server might accept."""
    callback = signed(f"{PUBLIC_URL}/recording")
    sent = list[Any]()
    headers = {**callback.headers, "Content-Length": announced}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/recording",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": callback.content}

    async def send(message: Any) -> None:
        sent.append(message)

    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC_URL) as tracker:
        await tracker(scope, receive, send)
    assert sent[0]["status"] == status


# Its time, and the room for it


async def test_body_that_does_not_arrive_in_time_is_rejected(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(room=BodyLimits(max_bytes=10**6, seconds=0.05)) as (http_client, _):
        callback = signed()
        await http_client.send(
            request_head("POST", target_of(callback), {**callback.headers, "Content-Length": "1000"}), b"a=b"
        )
        reply = await http_client.read_response()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
    assert "a callback was rejected with 408: its body was not received within 0.05 seconds" in caplog.text


async def test_genuine_callback_is_admitted_although_attackers_use_all_space() -> None:
    """This holds even if the attackers know its URL, and even if it is the first callback of its start."""
    async with AsyncExitStack() as stack:
        http_client, store = await stack.enter_async_context(receiving(room=BodyLimits(max_bytes=10**6, seconds=60)))
        await store.create(accepted())
        callback = signed(token="foreign")
        slow = request_head("POST", target_of(callback), {**callback.headers, "Content-Length": "1000"})
        outsiders = [await stack.enter_async_context(RawHttpClient.connect(http_client.url)) for _ in range(40)]
        for outsider in outsiders:
            await outsider.send(slow)
        assert (await outsiders[0].read_response()).status == 503
        assert await deliver(http_client, signed()) == 200
        assert await state(store) == "recorded"


async def test_request_rejected_by_its_head_is_answered_before_its_body() -> None:
    async with AsyncExitStack() as stack:
        http_client, _ = await stack.enter_async_context(receiving())
        unsigned = request_head("POST", target_of(signed()), {"Content-Length": "1000"})
        outsiders = [
            await stack.enter_async_context(RawHttpClient.connect(http_client.url)) for _ in range(2 * MAX_DRAINING)
        ]
        for outsider in outsiders:
            await outsider.send(unsigned, b"a")
        for outsider in outsiders:
            reply = await outsider.read_response()
            assert (reply.status, reply.headers["connection"]) == (403, "close")


async def test_client_that_goes_on_sending_receives_the_response() -> None:
    async with receiving() as (http_client, _):
        await http_client.send(request_head("POST", target_of(signed()), {"Content-Length": "1000"}))
        await http_client.send(b"a" * 1000)
        reply = await http_client.read_response()
        assert (reply.status, reply.headers.get("connection")) == (403, None)
        assert (await http_client.request("POST", "/plivo/nowhere")).status == 404


async def test_a_connection_that_serves_other_requests_too_is_not_closed() -> None:
    callback, sent = signed(), list[Any]()
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "2",
        "method": "POST",
        "path": "/plivo/recording",
        "query_string": b"",
        "headers": [(b"content-type", b"text/plain")],
    }

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC_URL) as tracker:
        await tracker(scope, receive, send)
    assert callback.url
    assert sent[0]["status"] == 403
    assert b"connection" not in dict(sent[0]["headers"])


# When the store fails


@pytest.mark.parametrize("verb", ["get", "replace", "replaced"])
async def test_callback_gets_a_503_while_the_store_is_down(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        await store.create(accepted())
        store.broken = {verb}
        reply = await http_client.request(
            "POST", target_of(callback := signed()), dict(callback.headers), callback.content or b""
        )
        assert (reply.status, reply.body) == (503, b"Service Unavailable\n")
        [line] = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "a callback could not be stored and was answered with 503" in line.message
        assert "the disk is full" in line.message
        assert line.exc_info is None, "of many such lines each has to be short"
        store.broken = set()
        assert await deliver(http_client, signed()) == 200
        assert await state(store) == "recorded"


async def test_orphan_gets_a_503_while_the_store_is_down() -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        store.broken = {"keep_orphan"}
        assert await deliver(http_client, signed(f"{PUBLIC_URL}/recording")) == 503
        store.broken = set()
        assert await deliver(http_client, signed(f"{PUBLIC_URL}/recording")) == 200
        assert len(await store.orphans()) == 1


@pytest.mark.parametrize("verb", ["replace", "replaced"])
async def test_callback_is_acknowledged_only_after_it_is_stored(verb: str) -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        await store.create(accepted())
        hold = store.hold(verb)
        delivery = asyncio.create_task(deliver(http_client, signed()))
        await store.called(verb)
        await asyncio.sleep(0.05)
        assert not delivery.done()
        hold.set()
        assert await delivery == 200


# Who hangs up


@pytest.mark.parametrize("length", [0, 10])
async def test_callback_of_a_client_that_disconnects_midway_changes_nothing(
    length: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        await store.create(accepted())
        callback = signed()
        content = callback.content or b""
        first = request_head("POST", target_of(callback), {**callback.headers, "Content-Length": str(len(content))})
        await http_client.send(first, content[:length])
        await http_client.close()
        await asyncio.sleep(0.05)
        assert await state(store) == "accepted"
    assert caplog.text == ""


async def test_callback_is_stored_although_the_client_disconnects_before_the_response() -> None:
    store = FlakyStore()
    async with receiving(store) as (http_client, _):
        before = await store.create(accepted())
        hold = store.hold("replace")
        callback = signed()
        content = callback.content or b""
        await http_client.send(
            request_head("POST", target_of(callback), {**callback.headers, "Content-Length": str(len(content))}),
            content,
        )
        await store.called("replace")
        await http_client.close()
        hold.set()
        async with asyncio.timeout(10):
            changed = await store.watch("start-1", version=before.version)
        assert changed is not None
        assert changed.state == "recorded"


async def test_handlers_run_although_sending_the_response_fails() -> None:
    store, handled = MemoryStore(), asyncio.Event()
    async with (
        ScriptedPlivo().client() as client,
        RecordingTracker(client, public_url=PUBLIC_URL, store=store) as tracker,
    ):

        @tracker.on(RecordingEnded)
        async def note(_: RecordingEnded) -> None:
            handled.set()

        await store.create(accepted())

        async def broken(scope: Any, receive: Any, _: Any) -> None:
            async def send(_: Any) -> None:
                raise OSError("broken pipe")

            await tracker(scope, receive, send)

        with pytest.raises(OSError, match="broken pipe"):
            await deliver_callback(broken, issued(), FIELDS)
        async with asyncio.timeout(10):
            await handled.wait()


# Where it is reached


async def test_callback_through_a_tls_terminating_proxy_needs_no_configuration() -> None:
    public_url = "https://hooks.me.example:8443/a%20path/plivo"
    async with receiving(public_url=public_url) as (http_client, store):
        await store.create(accepted(public_url=public_url))
        assert await deliver(http_client, signed(issued(public_url=public_url))) == 200
        assert await state(store) == "recorded"


async def test_a_proxy_may_rewrite_the_path() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed()
        target = target_of(callback).replace("/plivo/", "/internal/service/7/")
        assert (
            await http_client.request("POST", target, dict(callback.headers), callback.content or b"")
        ).status == 200


@pytest.mark.parametrize("change", ["reordered", "more", "repeated", "re-encoded"])
async def test_a_gateway_may_change_the_query(change: str) -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed()
        address, _, query = target_of(callback).partition("?")
        start, proof = query.split("&")
        changed = {
            "reordered": f"{proof}&{start}",
            "more": f"trace=a%20b&{query}&utm_source=gateway",
            "repeated": f"&&a=1&a=2&{query}&",
            "re-encoded": f"{start.replace('-', '%2D')}&{proof}",
        }[change]
        reply = await http_client.request(
            "POST", f"{address}?{changed}", dict(callback.headers), callback.content or b""
        )
        assert reply.status == 200
        assert await state(store) == "recorded"


async def test_a_gateway_that_adds_to_a_url_without_a_token_is_not_trusted() -> None:
    async with receiving() as (http_client, store):
        callback = signed(f"{PUBLIC_URL}/recording")
        target = f"{target_of(callback)}?trace=1"
        reply = await http_client.request("POST", target, dict(callback.headers), callback.content or b"")
        assert (reply.status, await store.orphans()) == (403, [])


async def test_a_framework_may_add_a_slash_to_the_path() -> None:
    async with receiving() as (http_client, store):
        await store.create(accepted())
        callback = signed()
        target = target_of(callback).replace("?", "/?")
        assert (
            await http_client.request("POST", target, dict(callback.headers), callback.content or b"")
        ).status == 200


async def test_urls_issued_before_a_change_of_public_url_stay_valid() -> None:
    old, new = "https://old.example/hooks", "https://new.example"
    async with receiving(public_url=new) as (http_client, store):
        await store.create(accepted(public_url=old))
        assert await deliver(http_client, signed(issued(public_url=new))) == 403
        assert await deliver(http_client, signed(issued(public_url=old))) == 200
        assert await state(store) == "recorded"


async def test_callback_to_a_transcription_url_that_was_not_requested_is_accepted() -> None:
    async with receiving() as (http_client, store):
        record = accepted()
        await store.create(attrs.evolve(record, request=attrs.evolve(record.request, transcription_url=None)))
        heard = {"recording_id": "rec-1", "transcription": "good morning"}
        assert await deliver(http_client, signed(issued("transcription"), heard)) == 200
        assert await state(store) == "transcribed"


@pytest.mark.parametrize("framework", ["starlette", "nested", "fastapi", "fastapi nested", "root path"])
async def test_tracker_may_be_mounted_anywhere(framework: str) -> None:
    async with ScriptedPlivo().client() as client:
        store = MemoryStore()
        tracker = RecordingTracker(client, public_url=PUBLIC_URL, store=store)

        @asynccontextmanager
        async def lifespan(_: object) -> AsyncGenerator[None]:
            async with tracker:
                yield

        path, root_path = "/plivo", ""
        application: Any
        match framework:
            case "starlette":
                application = Starlette(routes=[Mount("/plivo", tracker)], lifespan=lifespan)
            case "nested":
                path = "/api/v1/plivo"
                inner = Starlette(routes=[Mount("/plivo", tracker)])
                application = Starlette(routes=[Mount("/api/v1", inner)], lifespan=lifespan)
            case "fastapi":
                application = FastAPI(lifespan=lifespan)
                application.mount("/plivo", tracker)
            case "fastapi nested":
                path = "/api/plivo"
                sub = FastAPI()
                sub.mount("/plivo", tracker)
                application = FastAPI(lifespan=lifespan)
                application.mount("/api", sub)
            case _:
                application, root_path = tracker, "/plivo"

        async with serving(application, root_path=root_path) as url, RawHttpClient.connect(url) as http_client:
            await store.create(accepted())
            callback = signed()
            target = f"{path}/{target_of(callback).rpartition('/')[2]}"
            reply = await http_client.request("POST", target, dict(callback.headers), callback.content or b"")
            assert reply.status == 200
            assert await state(store) == "recorded"


# Served by itself


async def test_uvicorn_starts_and_stops_a_tracker() -> None:
    store = FlakyStore()
    async with ScriptedPlivo().client() as client:
        tracker = RecordingTracker(client, public_url=PUBLIC_URL, store=store)
        async with serving(tracker, lifespan="on"):
            await store.called("due", times=2)
            await tracker.start("standup")
        with pytest.raises(ClosedError):
            await store.get("start-1")
    assert other_tasks() == set()


async def test_startup_fails_if_the_store_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    store = FlakyStore()
    store.broken = {"due"}
    with pytest.raises(StartupFailedError):
        async with receiving(store):
            pytest.fail("it began")
    assert "the disk is full" in caplog.text


class Breaking:
    """A context manager that fails at startup, at shutdown, or not at all."""

    def __init__(self, where: str) -> None:
        self.where = where

    async def __aenter__(self) -> None:
        if self.where == "startup":
            raise StoreError("the disk is full")

    async def __aexit__(self, *_: object) -> None:
        if self.where == "shutdown":
            raise StoreError("the disk is full")


@pytest.mark.parametrize("where", ["startup", "shutdown"])
async def test_startup_failure_is_reported_to_the_server(where: str) -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(StoreError):
        await run_lifespan(receive, send, Breaking(where))
    assert sent[-1] == {"type": f"lifespan.{where}.failed", "message": "the disk is full"}


async def test_startup_and_shutdown_are_reported_to_the_server() -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await run_lifespan(receive, send, Breaking("nowhere"))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_callback_urls_are_called_without_their_fragment() -> None:
    assert signed().url == urldefrag(issued()).url


# What is written down


def starlette(tracker: RecordingTracker) -> Any:
    return Starlette(routes=[Mount("/plivo", tracker)])


def fastapi(tracker: RecordingTracker) -> Any:
    app = FastAPI()
    app.mount("/plivo", tracker)
    return app


def by_itself(tracker: RecordingTracker) -> Any:
    return tracker


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("mount", [by_itself, starlette, fastapi])
async def test_access_log_contains_no_proof(
    mount: Callable[[RecordingTracker], Any],
    http: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests in this process may have let uvicorn configure its loggers.
    log = io.StringIO()
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "handlers", [logging.StreamHandler(log)])
    caplog.set_level(logging.INFO, logger="uvicorn.access")
    async with receiving(mount=mount, http=http, access_log=True) as (http_client, store):
        await store.create(accepted())
        assert await deliver(http_client, signed()) == 200
        assert await deliver(http_client, signed(token="foreign")) == 403
        assert (
            await deliver(
                http_client, signed(issue_url(PUBLIC_URL, "recording", "start-1", "foreign"), token="foreign")
            )
            == 403
        )
        assert await deliver(http_client, signed(method="GET")) == 405
        assert await deliver(http_client, signed(scheme="none")) == 403
    shown = [line.partition('"')[2] for line in log.getvalue().splitlines()]
    assert shown == [
        'POST /plivo/recording?plivo_record_start=start-1 HTTP/1.1" 200',
        'POST /plivo/recording?plivo_record_start=start-1 HTTP/1.1" 403',
        'POST /plivo/recording HTTP/1.1" 403',
        'GET /plivo/recording HTTP/1.1" 405',
        'POST /plivo/recording HTTP/1.1" 403',
    ]


async def test_attackers_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as (http_client, _):
        for _ in range(100):
            target = f"/plivo/{'a' * 5000}?{'b' * 5000}"
            reply = await http_client.request(
                "POST", target, {"Content-Type": "c" * 5000, "X-Plivo-Signature-V3": "d" * 5000}
            )
            assert reply.status == 404
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) < 30
    assert max(map(len, lines)) <= 200
