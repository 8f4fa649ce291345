from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.answers import Incoming
from plivo_record_async.emulator.api.endpoints import Route
from plivo_record_async.emulator.app import EmulatorApp
from tests.support.emulator_app import app_around

AUTH_ID, TOKEN = "MAXXXXXXXXXXXXXXXXXX", "a-token"
ROOM = f"/v1/Account/{AUTH_ID}/Conference/x/Record/"


@pytest.fixture
def app() -> EmulatorApp:
    callbacks: list[Callback] = []
    return app_around(World(auth_id=AUTH_ID, url="http://plivo.test"), callbacks, auth_token=TOKEN)


@pytest.fixture
async def client(app: EmulatorApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://plivo.test", auth=(AUTH_ID, TOKEN)) as client:
        yield client


@pytest.mark.parametrize("executed", [False, True])
async def test_status_is_answered_instead(app: EmulatorApp, client: httpx.AsyncClient, executed: bool) -> None:
    app.control.faults.on("start", times=1).status(503, executed=executed, retry_after="2")
    failed = await client.post(ROOM, json={"callback_url": "http://me/cb"})
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "2")
    assert failed.json()["error"] == "service unavailable"
    assert app.control.world.executions("x") == executed
    (request,) = app.control.history.requests.entries()
    assert (request.fault, request.executed, request.status) == ("status", executed, 503)


async def test_invalid_request_is_refused_in_spite_of_the_fault(app: EmulatorApp, client: httpx.AsyncClient) -> None:
    app.control.faults.on("start").status(503, executed=True)
    assert (await client.post(ROOM, json={"file_format": "ogg"})).status_code == 400


@pytest.mark.parametrize("header", [{}, {"Retry-After": "2"}])
async def test_status_is_answered_instead_of_a_file(
    app: EmulatorApp, client: httpx.AsyncClient, header: dict[str, Any]
) -> None:
    url = (await client.post(ROOM)).json()["url"]
    await client.delete(ROOM)
    app.control.faults.on("media", times=1).status(503, retry_after=header.get("Retry-After"))
    failed = await client.get(url)
    assert (failed.status_code, failed.headers.get("retry-after")) == (503, header.get("Retry-After"))
    assert (await client.get(url)).status_code == 200
    *_, first, second = app.control.history.requests.entries()
    assert (first.fault, first.executed, first.response_body) == ("status", False, "")
    assert (second.operation, second.executed, second.api_id) == ("media", True, None)
    assert second.response_bytes > 0


async def test_request_of_every_kind_is_logged(app: EmulatorApp, client: httpx.AsyncClient) -> None:
    started = (await client.post(ROOM, json={"file_format": "wav"}, params={"x": "1"})).json()
    await client.get("/nothing")
    first, second = app.control.history.requests.entries()
    assert (first.operation, first.conference_name, first.recording_id) == ("start", "x", started["recording_id"])
    assert (first.body, first.body_bytes, first.query) == ('{"file_format":"wav"}', 21, "x=1")
    assert first.headers["authorization"] == "Basic ***"
    assert (second.operation, second.status, second.executed) == (None, 404, False)


async def test_file_is_answered_in_parts(app: EmulatorApp, client: httpx.AsyncClient) -> None:
    url = (await client.post(ROOM)).json()["url"]
    assert (await client.get(url)).status_code == 404  # it is still being recorded
    await client.delete(ROOM)
    part = await client.get(url, headers={"Range": "bytes=2-5"})
    assert (part.status_code, len(part.content)) == (206, 4)
    assert part.headers["content-range"].startswith("bytes 2-5/")
    beyond = await client.get(url, headers={"Range": "bytes=99999999-"})
    assert (beyond.status_code, beyond.headers["content-range"][:8]) == (416, "bytes */")
    head = await client.head(url)
    assert (head.status_code, head.content, head.headers["accept-ranges"]) == (200, b"", "bytes")


async def test_request_that_a_fault_prevents_is_not_executed(app: EmulatorApp) -> None:
    fault = app.control.faults.on("start").reset_before_execution()
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "headers": [],
        "query_string": b"",
        "raw_path": ROOM.encode(),
    }
    incoming = Incoming(request=Request(scope), path=[], body=b"", route=Route(operation="start"), fault=fault)
    assert not incoming.is_executed


async def test_emulator_without_a_log_answers_as_usual() -> None:
    app = app_around(World(auth_id=AUTH_ID, url="http://plivo.test"), [], auth_token=TOKEN, keep=0)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://plivo.test", auth=(AUTH_ID, TOKEN)) as client:
        assert (await client.post(ROOM)).status_code == 202
    assert app.control.history.requests.entries() == []


async def test_answer_may_be_html(app: EmulatorApp, client: httpx.AsyncClient) -> None:
    app.control.set_dialect(Dialect(success_shape="html"))
    started = await client.post(ROOM)
    assert (started.status_code, started.headers["content-type"]) == (202, "text/html; charset=utf-8")
