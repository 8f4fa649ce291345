"""The client: its arguments, both modes, batches, opening and closing, and a test with respx in ten lines."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from plivo_record_async import (
    AttemptReport,
    AuthenticationError,
    ClosedError,
    Conference,
    ConfigurationError,
    NotFoundError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    PendingResponse,
    RateLimit,
    RecordClient,
    Recording,
    RecordingStarted,
    RecordingStopped,
    StartRequest,
    StopRequest,
    Transcription,
    TranscriptionRequested,
    _clock,
)
from plivo_record_async.protocol.api import endpoints

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "tokentokentokentokentokentokentokentoken"
ACCOUNT = f"https://api.plivo.com/v1/Account/{AUTH_ID}"

STANDUP: dict[str, Any] = {"conference_name": "standup"}
CALLBACK = "https://me.example/cb?room=a%20b&x=%2F#ct=2000&rt=3000&rc=5"

STARTED = {"api_id": "a", "message": "conference recording started", "recording_id": "r", "url": "http://u"}
BEGAN = RecordingStarted(api_id="a", message="conference recording started", recording_id="r", url="http://u")
SPAWNED = {"api_id": "a", "message": "async api spawned"}

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50).filter(
    lambda name: name not in {".", ".."}
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PLIVO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def client(**options: Any) -> RecordClient:
    return RecordClient(AUTH_ID, TOKEN, **options)


class Plivo:
    """A server that responds as Plivo does, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        asynchronous = "callback_url" in request.url.params or b"callback_url" in request.content
        if asynchronous:
            return httpx.Response(202, json=SPAWNED)
        return httpx.Response(204) if request.method == "DELETE" else httpx.Response(202, json=STARTED)

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    def names(self) -> list[str]:
        return [unquote(request.url.raw_path.decode().split("/")[-3]) for request in self.requests]


def asked(route: respx.Route) -> list[httpx.Request]:
    calls: Any = route.calls
    return [call.request for call in calls]


@pytest.fixture
def plivo() -> Plivo:
    return Plivo()


@respx.mock
async def test_respx_example_has_ten_lines() -> None:
    route = respx.post(f"{ACCOUNT}/Conference/standup/Record/").respond(202, json=STARTED)
    async with RecordClient(AUTH_ID, TOKEN) as client:
        started = await client.start_recording("standup", file_format="wav")
    assert started.recording_id == "r"
    assert route.called


@respx.mock
async def test_respx_intercepts_stops_and_lookups() -> None:
    respx.delete(f"{ACCOUNT}/Conference/standup/Record/").respond(204)
    respx.get(f"{ACCOUNT}/Recording/r/").respond(200, json={"recording_id": "r"})
    async with client() as plivo:
        assert await plivo.stop_recording("standup") == RecordingStopped()
        assert await plivo.get_recording("r") == Recording(recording_id="r")


# Modes and arguments


async def test_start_without_a_callback_url_returns_the_recording(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        assert await calls.start_recording("standup") == BEGAN
        assert plivo.last.content == b"{}"
        assert await calls.stop_recording("standup") == RecordingStopped()
        assert plivo.last.content == b""


async def test_start_with_a_callback_url_returns_only_the_api_id(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        assert await calls.start_recording("standup", callback_url=CALLBACK) == PendingResponse("a")
        assert await calls.stop_recording("standup", callback_url=CALLBACK) == PendingResponse("a")


async def test_every_argument_is_sent_as_given(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        await calls.start_recording(
            "standup",
            file_format="wav",
            transcription_type="auto",
            transcription_url=f"{CALLBACK}&t",
            transcription_method="GET",
            callback_url=CALLBACK,
            callback_method="POST",
        )
        assert json.loads(plivo.last.content) == {
            "file_format": "wav",
            "transcription_type": "auto",
            "transcription_url": f"{CALLBACK}&t",
            "transcription_method": "GET",
            "callback_url": CALLBACK,
            "callback_method": "POST",
        }
        assert f'"{CALLBACK}"'.encode() in plivo.last.content
        await calls.stop_recording("standup", callback_url=CALLBACK, callback_method="GET")
        assert plivo.last.content == b""
        assert parse_qsl(plivo.last.url.query.decode()) == [("callback_url", CALLBACK), ("callback_method", "GET")]


@settings(max_examples=50)
@given(NAMES)
async def test_any_conference_name_arrives_unchanged(name: str) -> None:
    plivo = Plivo()
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        await calls.start_recording(name)
        await calls.stop_recording(name)
    assert plivo.names() == [name, name]
    with respx.mock:
        route = respx.route().respond(202, json=STARTED)
        async with client() as calls:
            await calls.start_recording(name)
    path = asked(route)[-1].url.raw_path.decode()
    assert [unquote(part) for part in path.split("/")[4:]] == ["Conference", name, "Record", ""]


BAD: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"conference_name": ""}, ValueError),
    ({"conference_name": "."}, ValueError),
    ({"conference_name": ".."}, ValueError),
    ({"conference_name": "\ud800"}, ValueError),
    ({"conference_name": 5}, TypeError),
    ({"conference_name": None}, TypeError),
    ({"callback_url": "/cb"}, ValueError),
    ({"callback_url": "ftp://h/cb"}, ValueError),
    ({"callback_url": ""}, ValueError),
    ({"callback_method": "GET"}, ValueError),
    ({"callback_url": CALLBACK, "callback_method": "PUT"}, ValueError),
    ({"conference_name": "a&b", "callback_url": CALLBACK, "callback_method": "GET"}, ValueError),
    ({"timeout": 0}, ValueError),
    ({"timeout": "30"}, TypeError),
]
BAD_STARTS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"file_format": "ogg"}, ValueError),
    ({"transcription_type": ""}, ValueError),
    ({"transcription_url": "me.example"}, ValueError),
    ({"transcription_method": "post"}, ValueError),
]


@pytest.mark.parametrize(("arguments", "error"), BAD + BAD_STARTS)
async def test_bad_arguments_of_a_start_raise_before_anything_is_sent(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with respx.mock(assert_all_called=False) as router:
        route = router.route().respond(202, json=STARTED)
        async with client() as calls:
            with pytest.raises(error, match=list(arguments)[-1]):
                await calls.start_recording(**(STANDUP | arguments))
    assert not route.called


@pytest.mark.parametrize(("arguments", "error"), BAD)
async def test_bad_arguments_of_a_stop_raise_before_anything_is_sent(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with respx.mock(assert_all_called=False) as router:
        route = router.route().respond(204)
        async with client() as calls:
            with pytest.raises(error, match=list(arguments)[-1]):
                await calls.stop_recording(**(STANDUP | arguments))
    assert not route.called


# The client itself


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, ValueError),
        ({"timeout": "30"}, TypeError),
        ({"timeout": float("nan")}, ValueError),
        ({"max_retries": -1}, ValueError),
        ({"max_retries": 1.5}, TypeError),
        ({"max_connections": 0}, ValueError),
        ({"max_connections": True}, TypeError),
        ({"rate_limit": 300}, TypeError),
        ({"rate_limit": (300, 5)}, TypeError),
        ({"base_url": "api.plivo.com"}, ConfigurationError),
        ({"transport": object()}, ConfigurationError),
    ],
)
def test_error_names_an_invalid_option(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        client(**options)


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", AUTH_ID)
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("PLIVO_BASE_URL", "http://127.0.0.1:8080/")
    assert repr(RecordClient()) == f"RecordClient(auth_id={AUTH_ID!r}, base_url='http://127.0.0.1:8080')"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), "PLIVO_AUTH_ID"), ((AUTH_ID,), "PLIVO_AUTH_TOKEN"), ((AUTH_ID.lower(), TOKEN), "PLIVO_AUTH_ID")],
)
def test_error_names_missing_and_malformed_credentials(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        RecordClient(*arguments)


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in f"{client()!r} {client()} {vars(client())}"


async def test_call_on_a_closed_client_raises_closed_error() -> None:
    calls = client()
    async with calls:
        pass
    await calls.aclose()
    with pytest.raises(ClosedError, match=r"start of 'standup': the client is closed.*async with client:") as caught:
        await calls.start_recording("standup")
    assert not isinstance(caught.value, NotSentError)
    outcomes = [outcome async for outcome in calls.stop_many(["a", "b"])]
    assert {type(outcome.error) for outcome in outcomes} == {ClosedError}
    with pytest.raises(ClosedError):
        await anext(calls.list_recordings())


async def test_a_closed_client_can_be_entered_again(plivo: Plivo) -> None:
    calls = client(transport=httpx.MockTransport(plivo))
    for _ in range(3):
        async with calls:
            assert await calls.start_recording("standup") == BEGAN
    with pytest.raises(ClosedError):
        await calls.start_recording("standup")
    assert len(plivo.requests) == 3


async def test_nested_blocks_close_the_client_when_the_last_one_is_left(plivo: Plivo) -> None:
    calls = client(transport=httpx.MockTransport(plivo))
    async with calls:
        async with calls:
            pass
        assert await calls.start_recording("standup") == BEGAN
    with pytest.raises(ClosedError):
        await calls.start_recording("standup")


async def test_closing_waits_no_longer_than_its_grace() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    calls = client(transport=httpx.MockTransport(never))
    task = asyncio.create_task(calls.start_recording("standup"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await calls.aclose(grace=0.01)
    with pytest.raises(OutcomeUnknownError):
        await task


def test_a_client_works_in_one_event_loop_after_another(plivo: Plivo) -> None:
    calls = client(transport=httpx.MockTransport(plivo))

    async def entered() -> RecordingStarted:
        async with calls:
            return await calls.start_recording("standup")

    for _ in range(2):
        assert asyncio.run(calls.start_recording("standup")) == BEGAN
    for _ in range(2):
        assert asyncio.run(entered()) == BEGAN
    with pytest.raises(ClosedError):
        asyncio.run(calls.start_recording("standup"))


async def test_client_in_use_in_another_event_loop_raises_configuration_error(plivo: Plivo) -> None:
    calls = client(transport=httpx.MockTransport(plivo))
    await calls.start_recording("standup")

    def elsewhere(call: Callable[[], Any]) -> None:
        async def main() -> None:
            await call()

        asyncio.run(main())

    for call in (lambda: calls.start_recording("standup"), calls.aclose, calls.__aenter__):
        with pytest.raises(ConfigurationError, match=r"in another event loop that is still open; make one in each"):
            await asyncio.to_thread(elsewhere, call)
    await calls.aclose()
    assert len(plivo.requests) == 1


@pytest.mark.parametrize("closed", [False, True])
def test_the_quota_is_kept_from_one_event_loop_to_the_next(closed: bool, plivo: Plivo) -> None:
    """Two starts are allowed in a minute, so the third one waits, although each is made in another event loop."""
    calls = client(transport=httpx.MockTransport(plivo), rate_limit=RateLimit(2, per=60.0))

    async def start(timeout: float | None = None) -> None:
        if not closed:
            await calls.start_recording("standup", timeout=timeout)
            return
        async with calls:
            await calls.start_recording("standup", timeout=timeout)

    asyncio.run(start())
    asyncio.run(start())
    with pytest.raises(NotSentError, match="waiting for the account's quota"):
        asyncio.run(start(timeout=0.05))
    assert len(plivo.requests) == 2


def test_a_client_made_outside_of_an_event_loop_works_in_one(plivo: Plivo) -> None:
    calls = client(transport=httpx.MockTransport(plivo))

    async def main() -> RecordingStarted:
        async with calls:
            return await calls.start_recording("standup")

    assert asyncio.run(main()) == BEGAN


FORK = f"""
import asyncio, os, httpx
from plivo_record_async import ConfigurationError, RecordClient

async def plivo(request):
    return httpx.Response(202, json={STARTED!r})

used = RecordClient({AUTH_ID!r}, {TOKEN!r}, transport=httpx.MockTransport(plivo))
unused = RecordClient({AUTH_ID!r}, {TOKEN!r}, transport=httpx.MockTransport(plivo))
closed = RecordClient({AUTH_ID!r}, {TOKEN!r}, transport=httpx.MockTransport(plivo))

async def entered(client):
    async with client:
        await client.start_recording("entered")

asyncio.run(used.start_recording("parent"))
asyncio.run(entered(closed))
if child := os.fork():
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status))
try:
    asyncio.run(used.start_recording("child"))
except ConfigurationError as error:
    assert "before this process was forked; make one in each process" in str(error), error
    asyncio.run(unused.start_recording("child"))
    asyncio.run(entered(closed))
    os._exit(7)
os._exit(1)
"""


@pytest.mark.skipif(not hasattr(sys.modules["os"], "fork"), reason="there are no forks here")
def test_client_used_before_a_fork_raises_configuration_error() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (7, "")


async def test_one_client_serves_many_tasks(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo), rate_limit=None) as calls:
        names = [f"room {number}" for number in range(500)]
        await asyncio.gather(*(calls.start_recording(name) for name in names))
    assert sorted(plivo.names()) == sorted(names)


async def test_quota_is_shared_by_all_calls_of_a_client(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo), rate_limit=RateLimit(2, per=60)) as calls:
        await calls.start_recording("a")
        await calls.stop_recording("a")
        with pytest.raises(NotSentError, match="the account's quota"):
            await calls.start_recording("b", timeout=0.05)
    assert plivo.names() == ["a", "a"]


@respx.mock
async def test_errors_are_typed() -> None:
    respx.post(f"{ACCOUNT}/Conference/standup/Record/").respond(404, json={"api_id": "x", "error": "not found"})
    respx.delete(f"{ACCOUNT}/Conference/standup/Record/").respond(401, json={"error": "no such account"})
    async with client() as calls:
        with pytest.raises(NotFoundError, match=r"start of 'standup': Plivo answered 404 \(not found\), api_id x"):
            await calls.start_recording("standup")
        with pytest.raises(AuthenticationError, match="stop of 'standup': Plivo answered 401"):
            await calls.stop_recording("standup")


def test_timeout_of_the_client_is_shown() -> None:
    assert (client().timeout, client(timeout=7).timeout) == (30.0, 7)


@respx.mock
async def test_clock_of_plivo_is_estimated_from_responses() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    headers = {"Date": format_datetime(tomorrow, usegmt=True)}
    respx.get(f"{ACCOUNT}/Conference/").respond(200, json={"conferences": []}, headers=headers)
    async with client() as calls:
        for _ in range(2):
            await calls.list_conferences()
        estimate = calls.plivo_clock.time(_clock.read())
    assert estimate is not None
    assert abs(estimate - tomorrow) < timedelta(minutes=1)


def test_client_shows_its_settings() -> None:
    calls = client(base_url="http://h/", rate_limit=RateLimit(7, per=1))
    assert (calls.settings.auth_id, calls.settings.base_url) == (AUTH_ID, "http://h")
    assert calls.rate_limit == RateLimit(7, per=1)
    assert client().rate_limit == RateLimit(300, per=5.0)
    assert client(rate_limit=None).rate_limit is None


async def report_later(report: AttemptReport) -> None: ...


@pytest.mark.parametrize("on_attempt", [report_later, "print"])
def test_on_attempt_must_be_a_function_that_is_not_async(on_attempt: Any) -> None:
    with pytest.raises(TypeError, match=r"^on_attempt must "):
        client(on_attempt=on_attempt)


async def test_the_request_of_any_endpoint_can_be_sent(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        assert await calls.call(endpoints.start_recording(StartRequest("standup")), timeout=5) == BEGAN


# Batches


def as_list(names: list[Any]) -> list[Any]:
    return names


def as_generator(names: list[Any]) -> Iterator[Any]:
    yield from names


async def as_async(names: list[Any]) -> AsyncIterator[Any]:
    for name in names:
        yield name


@pytest.mark.parametrize("source", [as_list, as_generator, as_async])
async def test_many_starts_and_stops(plivo: Plivo, source: Callable[[list[Any]], Any]) -> None:
    starts: list[str | StartRequest] = ["a", StartRequest("b", callback_url=CALLBACK), StartRequest("c")]
    stops: list[str | StopRequest] = ["a", StopRequest("b", callback_url=CALLBACK)]
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        started = {id(o.request): o.result async for o in calls.start_many(source(starts))}
        stopped = {id(o.request): o.result async for o in calls.stop_many(source(stops))}
    assert [started[id(item)] for item in starts] == [BEGAN, PendingResponse("a"), BEGAN]
    assert [stopped[id(item)] for item in stops] == [RecordingStopped(), PendingResponse("a")]


@pytest.mark.parametrize("name", ["start_many", "stop_many"])
async def test_invalid_items_of_a_batch_do_not_stop_the_others(plivo: Plivo, name: str) -> None:
    other = StopRequest("x") if name == "start_many" else StartRequest("x")
    items = ["a", "", "b", 5, ".", other, "c"]
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        outcomes: list[Outcome[Any, Any]] = [o async for o in getattr(calls, name)(items)]
    assert sorted(o.request for o in outcomes if o.ok) == ["a", "b", "c"]
    errors = {o.request: type(o.error) for o in outcomes if not o.ok}
    assert errors == {"": ValueError, 5: TypeError, ".": ValueError, other: TypeError}
    assert sorted(plivo.names()) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["start_many", "stop_many"])
async def test_concurrency_of_a_batch_is_limited_and_checked(name: str) -> None:
    five = asyncio.Barrier(5)
    under_way = most = 0

    async def together(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await five.wait()
        under_way -= 1
        return httpx.Response(200, json=STARTED)

    async with client(transport=httpx.MockTransport(together)) as calls:
        outcomes = [o async for o in getattr(calls, name)((f"{n}" for n in range(100)), concurrency=5)]
        with pytest.raises(TypeError, match="requests must be an iterable"):
            getattr(calls, name)("standup")
        with pytest.raises(ValueError, match="concurrency"):
            getattr(calls, name)(["standup"], concurrency=0)
    assert len(outcomes) == 100
    assert most == 5


@pytest.mark.parametrize("name", ["start_many", "stop_many"])
async def test_timeout_of_a_batch_applies_to_each_call(name: str) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with client(transport=httpx.MockTransport(never), max_retries=0) as calls:
        outcomes = [o async for o in getattr(calls, name)(["a", "b"], timeout=0.5)]
    assert {type(outcome.error) for outcome in outcomes} == {OutcomeUnknownError}


@pytest.mark.parametrize("name", ["start_many", "stop_many", "download_many"])
@pytest.mark.parametrize(("timeout", "error"), [(0, ValueError), (float("nan"), ValueError), ("30", TypeError)])
async def test_invalid_timeout_of_a_batch_is_an_error_of_the_call(
    name: str, timeout: Any, error: type[Exception], plivo: Plivo, tmp_path: Path
) -> None:
    items = iter(["a", "b"])
    more = (tmp_path,) if name == "download_many" else ()
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        with pytest.raises(error, match="timeout"):
            getattr(calls, name)(items, *more, timeout=timeout)
    assert list(items) == ["a", "b"]
    assert plivo.requests == []


async def test_leaving_a_batch_early_leaves_no_task(plivo: Plivo) -> None:
    async with client(transport=httpx.MockTransport(plivo)) as calls:
        async for _ in calls.start_many(f"room {number}" for number in range(10_000)):
            break
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0)
    assert len(plivo.requests) <= 3 * 32


# Recordings and conferences


@respx.mock
async def test_recordings_are_returned_and_deleted() -> None:
    respx.get(f"{ACCOUNT}/Recording/r%2F1/").respond(200, json={"recording_id": "r/1", "recording_duration_ms": "7.0"})
    deletion = respx.delete(f"{ACCOUNT}/Recording/r%2F1/").mock(
        side_effect=[httpx.ReadError("gone"), httpx.Response(404)]
    )
    async with client() as calls:
        assert await calls.get_recording("r/1") == Recording(recording_id="r/1", duration_ms=7)
        await calls.delete_recording("r/1")
        assert deletion.call_count == 2
        with pytest.raises(ValueError, match="recording_id"):
            await calls.get_recording("")


@respx.mock
async def test_transcripts_are_requested_and_returned() -> None:
    creation = respx.post(f"{ACCOUNT}/Transcription/r%2F1/")
    creation.respond(202, json={"api_id": "a", "message": "transcription in progress"})
    reading = respx.get(f"{ACCOUNT}/Transcription/r%2F1/").mock(
        side_effect=[
            httpx.ReadError("gone"),
            httpx.Response(200, json={"status": "success", "transcription": "Hello", "cost": 0.1}),
            httpx.Response(404, json={"api_id": "a", "error": "not found"}),
        ]
    )
    async with client() as calls:
        requested = await calls.create_transcription("r/1", callback_url="https://me.example/t#rc=5")
        assert requested == TranscriptionRequested(api_id="a", message="transcription in progress")
        assert await calls.get_transcription("r/1") == Transcription(
            recording_id="r/1", transcription="Hello", status="success", cost=0.1
        )
        with pytest.raises(NotFoundError, match="no transcript of this recording"):
            await calls.get_transcription("r/1")
    assert reading.call_count == 3
    (request,) = asked(creation)
    assert json.loads(request.content) == {"transcription_callback_url": "https://me.example/t#rc=5"}


@respx.mock
@pytest.mark.parametrize("answer", [httpx.ReadError("gone"), httpx.Response(503), httpx.Response(408)])
async def test_request_for_a_transcript_is_not_repeated_after_it_may_have_been_sent(answer: Any) -> None:
    route = respx.post(f"{ACCOUNT}/Transcription/r/").mock(side_effect=[answer])
    async with client() as calls:
        with pytest.raises(OutcomeUnknownError, match=r"Do not repeat it: a second request makes a second transcript"):
            await calls.create_transcription("r")
    assert route.call_count == 1


@respx.mock
async def test_request_for_a_transcript_is_repeated_after_it_was_certainly_not_sent() -> None:
    accepted = httpx.Response(202, json={"api_id": "a"})
    route = respx.post(f"{ACCOUNT}/Transcription/r/").mock(side_effect=[httpx.ConnectError("refused"), accepted])
    async with client() as calls:
        assert await calls.create_transcription("r") == TranscriptionRequested(api_id="a")
    assert route.call_count == 2


@pytest.mark.parametrize("recording_id", ["", ".", "..", 7])
async def test_invalid_arguments_of_a_transcript_are_not_sent(recording_id: Any) -> None:
    async with client() as calls:
        for call in (calls.get_transcription, calls.create_transcription):
            with pytest.raises((ValueError, TypeError), match="recording_id"):
                await call(recording_id)
        with pytest.raises(ValueError, match="callback_url must be an absolute"):
            await calls.create_transcription("r", callback_url="/relative")


async def test_recorded_files_are_downloaded_and_streamed(tmp_path: Path) -> None:
    file = b"ID3" + bytes(1000)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=file))
    url = "https://media.plivo.com/v1/Account/MA/Recording/r.mp3"
    async with client(transport=transport) as calls:
        path = await calls.download_recording(url, tmp_path)
        (outcome,) = [each async for each in calls.download_many([url], tmp_path / "many")]
        async with calls.stream_recording(url) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == file
    assert (path, outcome.unwrap()) == (tmp_path / "r.mp3", tmp_path / "many" / "r.mp3")
    for call in (calls.download_recording(url, tmp_path), calls.stream_recording(url).__aenter__()):
        with pytest.raises(ClosedError, match="the client is closed"):
            await call
    with pytest.raises(ClosedError):
        calls.download_many([url], tmp_path)


@respx.mock
async def test_conferences_are_returned_and_listed() -> None:
    respx.get(f"{ACCOUNT}/Conference/").respond(200, json={"api_id": "a", "conferences": ["My Conf Room"]})
    respx.get(f"{ACCOUNT}/Conference/My%20Conf%20Room/").respond(
        200, json={"conference_name": "My Conf Room", "conference_member_count": "2"}
    )
    async with client() as calls:
        (name,) = await calls.list_conferences()
        assert await calls.get_conference(name) == Conference(conference_name="My Conf Room", member_count=2)


def page(first: int, last: int, **meta: Any) -> httpx.Response:
    objects = [{"recording_id": f"r{number}"} for number in range(first, last)]
    return httpx.Response(200, json={"objects": objects, "meta": meta})


@respx.mock
async def test_recordings_are_requested_page_by_page_while_they_are_iterated() -> None:
    route = respx.get(f"{ACCOUNT}/Recording/").mock(side_effect=[page(0, 20), page(20, 40), page(40, 45)])
    added_after = datetime.now(UTC) - timedelta(days=20)
    async with client() as calls:
        listing = calls.list_recordings(conference_name="standup", added_after=added_after)
        first = [await anext(listing) for _ in range(20)]
        assert route.call_count == 1
        rest = [recording async for recording in listing]
    assert [recording.recording_id for recording in first + rest] == [f"r{number}" for number in range(45)]
    queries = [dict(request.url.params) for request in asked(route)]
    assert [query.pop("offset") for query in queries] == ["0", "20", "40"]
    filters = {"conference_name": "standup", "add_time__gte": f"{added_after:%Y-%m-%d %H:%M:%S.%f}", "limit": "20"}
    assert queries == [filters] * 3


@respx.mock
@pytest.mark.parametrize(("limit", "pages"), [(1, 1), (20, 1), (21, 2), (40, 2), (45, 3), (46, 3), (1000, 3)])
async def test_limit_of_a_list_requests_no_more_pages_than_it_needs(limit: int, pages: int) -> None:
    meta = {"total_count": 45, "limit": 20}
    route = respx.get(f"{ACCOUNT}/Recording/").mock(
        side_effect=[page(0, 20, **meta), page(20, 40, **meta), page(40, 45, **meta)]
    )
    async with client() as calls:
        listed = [recording.recording_id async for recording in calls.list_recordings(limit=limit)]
    assert listed == [f"r{number}" for number in range(min(limit, 45))]
    assert route.call_count == pages


@pytest.mark.parametrize(("limit", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("5", TypeError)])
async def test_invalid_limit_raises_before_a_request(limit: Any, error: type[Exception]) -> None:
    async with client() as calls:
        with pytest.raises(error, match="limit"):
            calls.list_recordings(limit=limit)


@respx.mock
async def test_next_page_is_requested_at_the_base_url_of_the_client() -> None:
    pages = [
        page(0, 5, limit=5, next="/v1/Account/MA/Recording/?limit=5&offset=5"),
        page(5, 10, limit=5, next="https://evil.example/v1/?limit=5&offset=10"),
        page(10, 12, limit=5, next=None),
    ]
    route = respx.get(f"{ACCOUNT}/Recording/").mock(side_effect=pages)
    async with client() as calls:
        assert len([recording async for recording in calls.list_recordings()]) == 12
    assert [request.url.params["offset"] for request in asked(route)] == ["0", "5", "10"]


@respx.mock
async def test_any_span_is_listed_in_windows_that_plivo_accepts() -> None:
    route = respx.get(f"{ACCOUNT}/Recording/").mock(side_effect=[page(0, 2), page(1, 3), page(3, 3), page(3, 4)])
    now = datetime.now(UTC)
    async with client() as calls:
        listing = calls.list_recordings(added_after=now - timedelta(days=100), added_before=now)
        assert [recording.recording_id async for recording in listing] == ["r0", "r1", "r2", "r3"]
    windows = [(request.url.params["add_time__gte"], request.url.params["add_time__lte"]) for request in asked(route)]
    assert windows == sorted(windows, reverse=True)


@respx.mock
async def test_one_malformed_row_does_not_hide_the_others() -> None:
    odd = {"recording_id": None, "add_time": "soon", "recording_duration_ms": "-1.00000", "recording_url": False}
    objects = [{"recording_id": "r1"}, odd, None, {"recording_id": "r2"}]
    respx.get(f"{ACCOUNT}/Recording/").respond(200, json={"objects": objects})
    async with client() as calls:
        listed = [recording async for recording in calls.list_recordings()]
    assert [recording.recording_id for recording in listed] == ["r1", None, None, "r2"]
    assert listed[1] == Recording()
    assert listed[1].raw == odd


async def test_span_that_ends_before_it_begins_raises_at_once() -> None:
    now = datetime.now(UTC)
    async with client() as calls:
        with pytest.raises(ValueError, match="added_after must not be later than added_before"):
            calls.list_recordings(added_after=now, added_before=now - timedelta(seconds=1))


@respx.mock
async def test_recording_added_during_iteration_causes_no_duplicate() -> None:
    respx.get(f"{ACCOUNT}/Recording/").mock(side_effect=[page(0, 20), page(19, 39), page(39, 39)])
    async with client() as calls:
        listed = [recording.recording_id async for recording in calls.list_recordings()]
    assert listed == [f"r{number}" for number in range(39)]
