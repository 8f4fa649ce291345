"""What each callback is answered, over real HTTP, and what is stored of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urldefrag, urlencode, urlsplit
from uuid import uuid4

import attrs
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from plivo_record_async import CallbackPolicy, ClosedError, MemoryStore, RecordingTracker, StoreError
from plivo_record_async._clock import now
from plivo_record_async._ledger import Ledger
from plivo_record_async.emulator.callbacks import Callback, HttpCallback, Scheme
from plivo_record_async.interfaces import FollowedRecording, Store
from plivo_record_async.protocol.evidence import SendingBegan, StartAccepted
from plivo_record_async.protocol.lifecycle import apply, begin, plan
from plivo_record_async.protocol.models import RecordingEnded, StartRequest
from plivo_record_async.protocol.tokens import Place, issue_url
from plivo_record_async.receiver import LONGEST_BODY, run_lifespan
from tests.following import PUBLIC, TOKEN, FlakyStore, ScriptedPlivo, call_back, ended, others
from tests.serving import Caller, StartupFailedError, head, serving

FIELDS = ended()


def issued(place: Place = "recording", start_id: str = "start-1", *, public_url: str = PUBLIC) -> str:
    return CallbackPolicy().apply(issue_url(public_url, place, start_id, TOKEN))


def accepted(start_id: str = "start-1", *, public_url: str = PUBLIC) -> FollowedRecording:
    """A recording whose callbacks are to come."""
    request = StartRequest(
        "standup",
        callback_url=issued("recording", start_id, public_url=public_url),
        transcription_url=issued("transcription", start_id, public_url=public_url),
    )
    record = plan(start_id, request, now())
    for evidence in (SendingBegan(), StartAccepted(words="202")):
        record, _ = apply(record, evidence, now())
    return record


def signed(
    url: str | None = None,
    fields: dict[str, str] | None = None,
    *,
    method: str = "POST",
    token: str = TOKEN,
    scheme: Scheme = "V3",
) -> HttpCallback:
    """A callback as Plivo makes it."""
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


async def deliver(caller: Caller, callback: HttpCallback) -> int:
    reply = await caller.ask(callback.method, target_of(callback), dict(callback.headers), callback.content or b"")
    return reply.status


@asynccontextmanager
async def receiving(
    store: Store | None = None, *, public_url: str = PUBLIC, **options: Any
) -> AsyncGenerator[tuple[Caller, Store]]:
    """A tracker that uvicorn serves, a connection to it, and its store."""
    kept = store or MemoryStore()
    async with ScriptedPlivo().client() as client:
        tracker = RecordingTracker(client, public_url=public_url, store=kept)
        async with serving(tracker, **options) as url, Caller.to(url) as caller:
            yield caller, kept


async def state(store: Store, start_id: str = "start-1") -> str:
    record = await store.get(start_id)
    assert record is not None
    return record.state


# Taken in


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_callback_is_stored_and_acknowledged(method: str) -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        callback = signed(method=method)
        reply = await caller.ask(method, target_of(callback), dict(callback.headers), callback.content or b"")
        assert (reply.status, reply.body) == (200, b"OK\n")
        record = await store.get("start-1")
        assert record is not None
        assert isinstance(record.ended, RecordingEnded)
        assert (record.state, record.ended.duration_ms) == ("recorded", 61_000)


async def test_it_may_come_with_a_chunked_body() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        callback = signed()
        content = callback.content or b""
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:10], content[10:])]
        first = head("POST", target_of(callback), {**callback.headers, "Transfer-Encoding": "chunked"})
        await caller.say(first, *chunks, b"0\r\n\r\n")
        assert (await caller.hear()).status == 200
        assert await state(store) == "recorded"


async def test_each_kind_has_its_place() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        heard = {"recording_id": "rec-1", "transcription": "good morning", "duration": "61"}
        assert await deliver(caller, signed(issued("transcription"), heard)) == 200
        assert await state(store) == "transcribed"


@pytest.mark.parametrize("early", [False, True])
async def test_a_callback_that_it_has_begun_is_kept_as_that(*, early: bool) -> None:
    """The Record XML element is known to call back when it begins too, with a length of -1."""
    began = ended(recording_duration="-1", recording_duration_ms="-1", recording_end_ms="-1")
    async with receiving() as (caller, store):
        record = await store.create(begin("start-1", accepted().request, now()) if early else accepted())
        assert await deliver(caller, signed(fields=began)) == 200
        assert await state(store) == "started"
        if early:
            await Ledger(store=store).learn(record, StartAccepted(words="202"))
        assert await deliver(caller, signed()) == 200
        assert await state(store) == "recorded"


async def test_signatures_may_come_as_a_list_or_twice() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        assert await deliver(caller, signed(scheme="V3 list")) == 200
        callback = signed(fields=ended(recording_id="rec-2"))
        wrong = head("POST", target_of(callback), {"X-Plivo-Signature-V3": "bm8="}).removesuffix(b"\r\n")
        right = head("", "", {**callback.headers, "Content-Length": str(len(callback.content or b""))})
        await caller.say(wrong, right.partition(b"internal\r\n")[2], callback.content or b"")
        assert (await caller.hear()).status == 200
        record = await store.get("start-1")
        assert record is not None
        assert record.recording_id == "rec-2"


@pytest.mark.parametrize("copies", [2, 20])
async def test_what_comes_more_than_once_is_stored_once(copies: int) -> None:
    async with receiving() as (caller, store):
        before = await store.create(accepted())
        statuses = [await deliver(caller, signed()) for _ in range(copies)]
        assert statuses == [200] * copies
        record = await store.get("start-1")
        assert record is not None
        assert record.version == before.version + 1


async def test_what_comes_more_than_once_at_the_same_time_is_stored_once() -> None:
    store = MemoryStore()
    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC, store=store) as tracker:
        before = await store.create(accepted())
        replies = await asyncio.gather(*(call_back(tracker, issued(), FIELDS) for _ in range(20)))
        assert {reply.status_code for reply in replies} == {200}
        record = await store.get("start-1")
        assert record is not None
        assert record.version == before.version + 1


# Whose it is


async def test_a_callback_without_a_token_finds_its_recording_by_plivo_s_ids() -> None:
    async with receiving() as (caller, store):
        for number in (1, 2):
            record = await store.create(accepted(f"start-{number}"))
            answered = StartAccepted(words="202", api_id=f"api-{number}", recording_id="rec-2" if number == 2 else None)
            assert await store.replace(apply(record, answered, now())[0])
        bare = f"{PUBLIC}/recording"
        assert await deliver(caller, signed(bare, {"api_id": "api-1", "message": "started"})) == 200
        assert await state(store, "start-1") == "started"
        assert await deliver(caller, signed(bare, {"recording_id": "rec-2", "transcription": "hello"})) == 200
        assert await state(store, "start-2") == "transcribed"
        assert await deliver(caller, signed(bare, FIELDS)) == 200  # so far only its api_id is known
        assert await state(store, "start-1") == "recorded"
        assert await store.orphans() == []


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        (f"{PUBLIC}/recording", FIELDS),
        (f"{PUBLIC}/transcription", {"recording_id": "rec-9", "transcription": "hello"}),
        (f"{PUBLIC}/recording", {"api_id": "api-9", "message": "started"}),
        (f"{PUBLIC}/recording", {"something": "new"}),
        (issued(start_id="pruned"), FIELDS),
        (issued(), {"something": "new"}),
    ],
)
async def test_what_belongs_to_nobody_is_acknowledged_and_kept_as_an_orphan(url: str, fields: dict[str, str]) -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        assert await deliver(caller, signed(url, fields)) == 200
        [orphan] = await store.orphans()
        assert orphan.event.raw == fields
        assert await state(store) == "accepted"


async def test_what_is_pruned_at_that_moment_is_an_orphan() -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        await store.create(accepted())
        hold = store.hold("replace")
        delivery = asyncio.create_task(deliver(caller, signed()))
        await store.called("replace")
        await store.prune_one("start-1")
        hold.set()
        assert await delivery == 200
        assert len(await store.orphans()) == 1


# Refused


async def refusals(caller: Caller) -> AsyncIterator[tuple[int, bytes]]:
    """Each way to be refused: the status that is due, and the request."""
    good = signed()
    target, body = target_of(good), good.content or b""

    def request(
        method: str = "POST", target: str = target, headers: dict[str, str] | None = None, body: bytes = body
    ) -> bytes:
        given = dict(good.headers if headers is None else headers)
        return head(method, target, {**given, "Content-Length": str(len(body))}) + body

    def of(callback: HttpCallback) -> bytes:
        return request(callback.method, target_of(callback), dict(callback.headers), callback.content or b"")

    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        yield 405, request(method)
    for place in ("", "/", "/recordings", "/recording/more", "/__emulator__/state"):
        yield 404, request(target=f"/plivo{place}?{target.partition('?')[2]}")
    for forged in (
        issue_url(PUBLIC, "recording", "start-1", "foreign"),
        issue_url(PUBLIC, "recording", "start-1", TOKEN) + "0",
    ):
        yield 403, of(signed(forged))
    yield 403, of(signed(issued("transcription").replace("transcription?", "recording?")))
    yield 403, of(signed(token="foreign"))
    yield 403, of(signed(scheme="V2"))
    yield 403, of(signed(scheme="none"))
    yield 403, request(body=body + b"&more=1")
    yield 403, request(target=target + "&more=1")
    yield 400, request(headers={**good.headers, "Content-Type": "application/json"}, body=b"{}")
    yield 413, request(body=b"a" * (LONGEST_BODY + 1))


async def test_what_is_refused_is_refused_in_constant_words_and_changes_nothing() -> None:
    async with receiving() as (caller, store):
        record = await store.create(accepted())
        said: dict[int, set[bytes]] = {}
        async for status, request in refusals(caller):
            await caller.say(request)
            reply = await caller.hear()
            assert reply.status == status, request
            said.setdefault(status, set()).add(reply.body)
            assert reply.headers.get("allow") == ("GET, POST" if status == 405 else None)
        assert said.keys() == {400, 403, 404, 405, 413}
        assert {len(bodies) for bodies in said.values()} == {1}
        assert (await store.get("start-1"), await store.orphans()) == (record, [])
        assert await deliver(caller, signed()) == 200  # the same connection all the time


async def test_head_is_no_way_to_call_back() -> None:
    async with receiving() as (caller, _):
        await caller.say(head("HEAD", target_of(signed()), {}))
        assert (await caller.hear_head()).status == 405


async def test_what_is_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as (caller, _):
        assert await deliver(caller, signed(token="foreign")) == 403
    assert "a callback was refused with 403: no signature in" in caplog.text


async def test_a_forged_url_is_refused_before_the_body_is_read_or_the_store_asked() -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        store.calls.clear()
        callback = signed(issue_url(PUBLIC, "recording", "start-1", "foreign"))
        await caller.say(head("POST", target_of(callback), {**callback.headers, "Content-Length": "1000"}))
        assert (await caller.hear()).status == 403
        assert "get" not in store.calls


# Its size


def padded(size: int) -> HttpCallback:
    """A callback whose body is so many bytes long."""
    short = len(urlencode({**FIELDS, "new": ""}))
    callback = signed(fields={**FIELDS, "new": "a" * (size - short)})
    assert len(callback.content or b"") == size
    return callback


async def test_a_body_of_64_kib_is_read() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        assert await deliver(caller, padded(64 * 1024)) == 200
        assert await state(store) == "recorded"


async def test_a_longer_one_is_refused_and_the_connection_goes_on() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        assert await deliver(caller, padded(64 * 1024 + 1)) == 413
        assert await state(store) == "accepted"
        assert await deliver(caller, signed()) == 200


async def test_a_longer_one_is_refused_by_its_announcement() -> None:
    async with receiving() as (caller, _):
        callback = signed()
        await caller.say(head("POST", target_of(callback), {**callback.headers, "Content-Length": str(10**9)}))
        assert (await caller.hear()).status == 413


async def test_a_longer_one_is_refused_without_an_announcement_too() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        callback = padded(64 * 1024 + 1)
        content = callback.content or b""
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:60_000], content[60_000:])]
        await caller.say(
            head("POST", target_of(callback), {**callback.headers, "Transfer-Encoding": "chunked"}), *chunks
        )
        assert (await caller.hear()).status == 413  # though it may go on for ever
        await caller.say(b"0\r\n\r\n")
        assert await deliver(caller, signed()) == 200


@pytest.mark.parametrize(
    ("announced", "status"), [("9" * 5000, 413), ("65537", 413), ("65536", 200), ("many", 200), ("", 200)]
)
async def test_the_announcement_is_read_with_care(announced: str, status: int) -> None:
    """Whatever a server lets through."""
    callback = signed(f"{PUBLIC}/recording")
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

    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC) as tracker:
        await tracker(scope, receive, send)
    assert sent[0]["status"] == status


# When the store fails


@pytest.mark.parametrize("verb", ["get", "replace", "replaced"])
async def test_while_the_store_is_down_plivo_is_told_to_try_again(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        await store.create(accepted())
        store.broken = {verb}
        reply = await caller.ask(
            "POST", target_of(callback := signed()), dict(callback.headers), callback.content or b""
        )
        assert (reply.status, reply.body) == (503, b"Service Unavailable\n")
        [line] = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "a callback could not be stored and was answered 503" in line.message
        assert "the disk is full" in line.message
        assert line.exc_info is None, "of many such lines each has to be short"
        store.broken = set()
        assert await deliver(caller, signed()) == 200
        assert await state(store) == "recorded"


async def test_orphans_are_not_lost_either() -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        store.broken = {"keep_orphan"}
        assert await deliver(caller, signed(f"{PUBLIC}/recording")) == 503
        store.broken = set()
        assert await deliver(caller, signed(f"{PUBLIC}/recording")) == 200
        assert len(await store.orphans()) == 1


@pytest.mark.parametrize("verb", ["replace", "replaced"])
async def test_nothing_is_acknowledged_before_it_is_stored(verb: str) -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        await store.create(accepted())
        hold = store.hold(verb)
        delivery = asyncio.create_task(deliver(caller, signed()))
        await store.called(verb)
        await asyncio.sleep(0.05)
        assert not delivery.done()
        hold.set()
        assert await delivery == 200


# Who hangs up


@pytest.mark.parametrize("length", [0, 10])
async def test_who_hangs_up_midway_has_said_nothing(length: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        await store.create(accepted())
        callback = signed()
        content = callback.content or b""
        first = head("POST", target_of(callback), {**callback.headers, "Content-Length": str(len(content))})
        await caller.say(first, content[:length])
        await caller.hang_up()
        await asyncio.sleep(0.05)
        assert await state(store) == "accepted"
    assert caplog.text == ""


async def test_who_hangs_up_before_the_answer_is_stored_all_the_same() -> None:
    store = FlakyStore()
    async with receiving(store) as (caller, _):
        before = await store.create(accepted())
        hold = store.hold("replace")
        callback = signed()
        content = callback.content or b""
        await caller.say(
            head("POST", target_of(callback), {**callback.headers, "Content-Length": str(len(content))}), content
        )
        await store.called("replace")
        await caller.hang_up()
        hold.set()
        async with asyncio.timeout(10):
            changed = await store.watch("start-1", version=before.version)
        assert changed is not None
        assert changed.state == "recorded"


async def test_a_network_that_fails_at_the_answer_does_not_cost_the_handlers() -> None:
    store, handled = MemoryStore(), asyncio.Event()
    async with ScriptedPlivo().client() as client, RecordingTracker(client, public_url=PUBLIC, store=store) as tracker:

        @tracker.on(RecordingEnded)
        async def note(_: RecordingEnded) -> None:
            handled.set()

        await store.create(accepted())

        async def broken(scope: Any, receive: Any, _: Any) -> None:
            async def send(_: Any) -> None:
                raise OSError("broken pipe")

            await tracker(scope, receive, send)

        with pytest.raises(OSError, match="broken pipe"):
            await call_back(broken, issued(), FIELDS)
        async with asyncio.timeout(10):
            await handled.wait()


# Where it is reached


async def test_behind_a_proxy_that_ends_tls_nothing_needs_to_be_configured() -> None:
    public_url = "https://hooks.me.example:8443/a%20path/plivo"
    async with receiving(public_url=public_url) as (caller, store):
        await store.create(accepted(public_url=public_url))
        assert await deliver(caller, signed(issued(public_url=public_url))) == 200
        assert await state(store) == "recorded"


async def test_a_proxy_may_rewrite_the_path() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        callback = signed()
        target = target_of(callback).replace("/plivo/", "/internal/service/7/")
        assert (await caller.ask("POST", target, dict(callback.headers), callback.content or b"")).status == 200


async def test_a_framework_may_add_a_slash_to_the_path() -> None:
    async with receiving() as (caller, store):
        await store.create(accepted())
        callback = signed()
        target = target_of(callback).replace("?", "/?")
        assert (await caller.ask("POST", target, dict(callback.headers), callback.content or b"")).status == 200


async def test_after_a_move_the_urls_that_were_issued_before_still_hold() -> None:
    old, new = "https://old.example/hooks", "https://new.example"
    async with receiving(public_url=new) as (caller, store):
        await store.create(accepted(public_url=old))
        assert await deliver(caller, signed(issued(public_url=new))) == 403
        assert await deliver(caller, signed(issued(public_url=old))) == 200
        assert await state(store) == "recorded"


async def test_a_recording_without_a_transcription_url_is_called_there_all_the_same() -> None:
    async with receiving() as (caller, store):
        record = accepted()
        await store.create(attrs.evolve(record, request=attrs.evolve(record.request, transcription_url=None)))
        heard = {"recording_id": "rec-1", "transcription": "good morning"}
        assert await deliver(caller, signed(issued("transcription"), heard)) == 200
        assert await state(store) == "transcribed"


@pytest.mark.parametrize("framework", ["starlette", "nested", "fastapi", "fastapi nested", "root path"])
async def test_it_may_be_mounted_anywhere(framework: str) -> None:
    async with ScriptedPlivo().client() as client:
        store = MemoryStore()
        tracker = RecordingTracker(client, public_url=PUBLIC, store=store)

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

        async with serving(application, root_path=root_path) as url, Caller.to(url) as caller:
            await store.create(accepted())
            callback = signed()
            target = f"{path}/{target_of(callback).rpartition('/')[2]}"
            reply = await caller.ask("POST", target, dict(callback.headers), callback.content or b"")
            assert reply.status == 200
            assert await state(store) == "recorded"


# Served by itself


async def test_uvicorn_alone_begins_and_ends_it() -> None:
    store = FlakyStore()
    async with ScriptedPlivo().client() as client:
        tracker = RecordingTracker(client, public_url=PUBLIC, store=store)
        async with serving(tracker, lifespan="on"):
            await store.called("due", times=2)
            await tracker.start("standup")
        with pytest.raises(ClosedError):
            await store.get("start-1")
    assert others() == set()


async def test_a_store_that_cannot_be_read_does_not_let_it_begin(caplog: pytest.LogCaptureFixture) -> None:
    store = FlakyStore()
    store.broken = {"due"}
    with pytest.raises(StartupFailedError):
        async with receiving(store):
            pytest.fail("it began")
    assert "the disk is full" in caplog.text


class Breaking:
    """A context that fails where it is told to."""

    def __init__(self, where: str) -> None:
        self.where = where

    async def __aenter__(self) -> None:
        if self.where == "startup":
            raise StoreError("the disk is full")

    async def __aexit__(self, *_: object) -> None:
        if self.where == "shutdown":
            raise StoreError("the disk is full")


@pytest.mark.parametrize("where", ["startup", "shutdown"])
async def test_the_server_is_told_what_failed(where: str) -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(StoreError):
        await run_lifespan(receive, send, Breaking(where))
    assert sent[-1] == {"type": f"lifespan.{where}.failed", "message": "the disk is full"}


async def test_the_server_is_told_when_it_has_begun_and_ended() -> None:
    sent = list[Any]()

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await run_lifespan(receive, send, Breaking("nowhere"))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_urls_here_are_called_without_their_fragment() -> None:
    assert signed().url == urldefrag(issued()).url
