from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from blockbuster import BlockBuster

from plivo_record_async import MemoryStore, RecordClient, RecordingTracker
from plivo_record_async.cli.doctor.callback_url import check_callback_url, check_host, check_with_receiver
from plivo_record_async.cli.doctor.check import Check
from plivo_record_async.settings import Settings
from plivo_record_async.stores.interface import Store
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.tracker.flaky_store import FlakyStore

SETTINGS = Settings(auth_id="MAABCDEFGHIJKLMNOPQR", auth_token="a-secret-token", base_url="http://127.0.0.1:9")
App = Callable[[Any, Any, Any], Any]
Gateway = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(autouse=True)
def may_block(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # httpx reads the certificates of the machine


def same(scope: dict[str, Any]) -> dict[str, Any]:
    return scope


def without_query(scope: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "query_string": b""}


def without_prefix(scope: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "path": scope["path"].removeprefix("/plivo")}


def without_signatures(scope: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "headers": [pair for pair in scope["headers"] if not pair[0].startswith(b"x-plivo")]}


def through(gateway: Gateway, app: App) -> App:
    async def pass_on(scope: Any, receive: Any, send: Any) -> None:
        await app(gateway(scope), receive, send)

    return pass_on


def answering(status: int, body: bytes = b"", **headers: str) -> App:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    return answer


async def checked(url: str) -> list[Check]:
    return [check async for check in check_callback_url(url, SETTINGS, timeout=5)]


async def checked_tracker(
    gateway: Gateway = same, *, token: str = SETTINGS.auth_token, store: Store | None = None, polls: bool = False
) -> list[Check]:
    """Check a tracker behind a gateway."""
    listener = free_listener()
    url = f"{url_of(listener)}/plivo"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(RecordClient(SETTINGS.auth_id, token, base_url=SETTINGS.base_url))
        tracker = RecordingTracker(client, public_url=None if polls else url, store=store)
        await stack.enter_async_context(tracker)
        await stack.enter_async_context(serving(through(gateway, tracker), listener=listener, lifespan="off"))
        return await checked(url)


@pytest.mark.parametrize("gateway", [same, without_prefix])
async def test_tracker_that_receives_the_request_unaltered_is_ok(gateway: Gateway) -> None:
    url, signature = await checked_tracker(gateway)
    assert [(url.name, url.result), (signature.name, signature.result)] == [
        ("callback_url", "ok"),
        ("callback_signature", "ok"),
    ]


async def test_tracker_keeps_one_orphan_however_often_it_is_tested() -> None:
    listener, store = free_listener(), MemoryStore()
    url = url_of(listener)
    async with (
        RecordClient(SETTINGS.auth_id, SETTINGS.auth_token, base_url=SETTINGS.base_url) as client,
        RecordingTracker(client, public_url=url, store=store) as tracker,
        serving(tracker, listener=listener, lifespan="off"),
    ):
        for _ in range(2):
            assert [check.result for check in await checked(url)] == ["ok", "ok"]
        (orphan,) = await tracker.orphans()
    assert orphan.reason == "its URL names no start"


@pytest.mark.parametrize(
    ("gateway", "token", "reason"),
    [
        (without_query, SETTINGS.auth_token, "the query of the request is changed"),
        (without_signatures, SETTINGS.auth_token, "rejects a signed request with 403"),
        (same, "another-token", "rejects a signed request with 403"),
    ],
)
async def test_request_that_the_tracker_does_not_trust_is_a_problem(gateway: Gateway, token: str, reason: str) -> None:
    url, signature = await checked_tracker(gateway, token=token)
    assert (url.result, signature.name, signature.result) == ("ok", "callback_signature", "problem")
    assert reason in signature.finding
    assert signature.advice


async def test_tracker_that_cannot_store_or_polls_is_a_problem() -> None:
    store = FlakyStore()
    store.broken.add("keep_orphan")
    _, stored = await checked_tracker(store=store)
    assert "answers 503" in stored.finding
    assert "its store cannot be written" in stored.advice
    (polling,) = await checked_tracker(polls=True)
    assert "the tracker polls" in polling.finding


@pytest.mark.parametrize(
    ("app", "finding", "advice"),
    [
        (answering(301, location="https://me.example/plivo/recording"), "redirects to https://me.example/", "redirect"),
        (answering(200, b"<html>Hello", content_type="text/html"), "no tracker trusts, with text/html", "Another app"),
        (answering(204), "answers 204", "Another application"),
        (answering(401), "answers 401", "password"),
        (answering(403, b"<html>Denied"), "answers 403", "See the logs"),
        (answering(404), "answers 404", "Nothing is mounted"),
        (answering(405), "answers 405", "accepts no POST"),
        (answering(502), "answers 502", "does not reach the application"),
        (answering(500), "answers 500", "See the logs"),
    ],
)
async def test_another_answer_is_a_problem_with_advice(app: App, finding: str, advice: str) -> None:
    async with serving(app, lifespan="off") as url:
        (check,) = await checked(url)
    assert (check.name, check.result) == ("callback_url", "problem")
    assert finding in check.finding
    assert advice in check.advice


async def test_url_without_a_server_is_a_problem(unused_tcp_port: int) -> None:
    (check,) = await checked(f"http://127.0.0.1:{unused_tcp_port}")
    assert check.result == "problem"
    assert check.finding.startswith("no response from ")


async def received(gateway: Gateway | None = same) -> list[Check]:
    """Check a URL behind which a gateway passes requests on to the receiver of the command, if there is a gateway."""
    listener = free_listener()
    if gateway is None:
        async with serving(answering(200, b"Hello"), lifespan="off") as url:
            return [check async for check in check_with_receiver(url, SETTINGS, listener, timeout=5)]
    url = url_of(listener)
    return [check async for check in check_with_receiver(url, SETTINGS, listener, timeout=5)]


async def test_receiver_of_the_command_says_how_the_request_arrives() -> None:
    url, signature, arrival = await received()
    assert (url.result, signature.result, arrival.result) == ("ok", "ok", "ok")
    assert "arrives as POST /recording for 127.0.0.1:" in arrival.finding


async def test_request_that_arrives_elsewhere_is_a_problem() -> None:
    (check,) = await received(None)
    assert check.result == "problem"
    assert "It does not come from http://127.0.0.1:" in check.finding


async def test_receiver_that_is_not_reached_is_a_problem(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    (check,) = [check async for check in check_with_receiver(url, SETTINGS, free_listener(), timeout=5)]
    assert (check.result, check.finding.startswith("no response from")) == ("problem", True)


async def hosts(url: str, *, is_local: bool = False) -> list[Check]:
    return [check async for check in check_host(url, is_local=is_local, timeout=5)]


async def test_host_that_is_private_or_not_encrypted_is_a_warning() -> None:
    private, plain = await hosts("http://127.0.0.1:8000")
    assert (private.result, plain.result) == ("warning", "warning")
    assert "which is not a public address" in private.finding
    assert "not encrypted" in plain.finding
    (local,) = await hosts("http://127.0.0.1:8000", is_local=True)
    assert local.result == "ok"
    (public,) = await hosts("https://[2606:4700::1111]/plivo")
    assert public.result == "ok"


@pytest.mark.parametrize("host", ["host.invalid", "a" * 70])
async def test_host_that_cannot_be_resolved_is_a_problem(host: str) -> None:
    (check,) = await hosts(f"https://{host}")
    assert check.result == "problem"
