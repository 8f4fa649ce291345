"""Each fault of the documentation's table is set and observed over HTTP alone, as programs in other languages do."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest

from plivo_record_async.emulator import Emulator
from tests.support.servers.callback_server import CallbackServer


@attrs.frozen
class Program:
    """A program that knows nothing but HTTP."""

    url: str
    auth_id: str
    auth_token: str
    http: httpx.AsyncClient

    async def control(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.http.request(
            method, f"{self.url}/__emulator__/{path}", json=body, headers={"X-Plivo-Emulator": "1"}
        )

    async def set_fault(self, **fault: Any) -> int:
        response = await self.control("POST", "faults", fault)
        assert response.status_code == 201, response.text
        number: int = response.json()["id"]
        return number

    async def executed(self) -> int:
        state = (await self.control("GET", "state")).json()
        count: int = state["conferences"].get("standup", {}).get("executed_starts", 0)
        return count

    async def start(self, method: str = "POST", *, seconds: float = 5.0, body: str = "{}") -> bytes | type[OSError]:
        """What a raw socket receives until the server closes it, or the error that it ends with."""
        where = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        credentials = base64.b64encode(f"{self.auth_id}:{self.auth_token}".encode()).decode()
        headers = f"Host: x\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\nContent-Length: {len(body)}"
        target = f"/v1/Account/{self.auth_id}/Conference/standup/Record/"
        writer.write(f"{method} {target} HTTP/1.1\r\n{headers}\r\n\r\n{body}".encode())
        try:
            async with asyncio.timeout(seconds):
                return await reader.read()
        except TimeoutError:
            return TimeoutError
        except ConnectionResetError:
            return ConnectionResetError
        finally:
            writer.close()


@pytest.fixture
async def plivo() -> AsyncIterator[Program]:
    async with Emulator(clock="squeezed") as emulator, httpx.AsyncClient() as http:
        yield Program(emulator.url, emulator.auth_id, emulator.auth_token, http)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 429, 500, 502, 503, 504])
async def test_refusal(plivo: Program, status: int) -> None:
    await plivo.set_fault(on="start", conference="standup", times=1, do="status", status=status, retry_after="2")
    answer = await plivo.start()
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nretry-after: 2\r\n" in answer.lower()
    assert await plivo.executed() == 0
    answer = await plivo.start()
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 202 ")


async def test_error_after_the_execution(plivo: Program) -> None:
    await plivo.set_fault(on="start", do="status", status=503, executed=True)
    answer = await plivo.start()
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after" not in answer.lower()
    assert await plivo.executed() == 1


@pytest.mark.parametrize(("verb", "executed"), [("reset_before_execution", 0), ("reset_after_execution", 1)])
async def test_connection_that_is_reset(plivo: Program, verb: str, executed: int) -> None:
    await plivo.set_fault(on="start", do=verb)
    assert await plivo.start() is ConnectionResetError
    assert await plivo.executed() == executed
    (request,) = (await plivo.control("GET", "requests")).json()
    assert (request["fault"], request["status"], request["executed"]) == (verb, None, bool(executed))


@pytest.mark.parametrize("executed", [False, True])
async def test_answer_that_never_comes(plivo: Program, executed: bool) -> None:
    await plivo.set_fault(on="any", do="stall", executed=executed)
    assert await plivo.start(seconds=0.2) is TimeoutError
    assert await plivo.executed() == executed


async def test_emulator_stops_while_an_answer_does_not_come() -> None:
    async with httpx.AsyncClient() as http:
        async with Emulator() as emulator:
            program = Program(emulator.url, emulator.auth_id, emulator.auth_token, http)
            await program.set_fault(on="start", do="stall")
            stalled = asyncio.create_task(program.start())
            while not await program.executed():
                await asyncio.sleep(0)
        assert await stalled is ConnectionResetError


@pytest.mark.parametrize(("method", "status"), [("POST", b"202"), ("DELETE", b"204")])
async def test_answer_that_breaks_off(plivo: Program, method: str, status: bytes) -> None:
    await plivo.start()
    await plivo.set_fault(on="api", do="cut")
    answer = await plivo.start(method)
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 " + status)
    head, _, body = answer.partition(b"\r\n\r\n")
    if method == "POST":
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert 0 < len(body) < length
    else:
        assert b"\r\n" not in answer


async def test_answer_that_comes_late(plivo: Program) -> None:
    await plivo.set_fault(on="start", do="delay", seconds=0.3)
    assert await plivo.start(seconds=0.1) is TimeoutError
    began = asyncio.get_running_loop().time()
    assert isinstance(await plivo.start(), bytes)
    assert asyncio.get_running_loop().time() - began >= 0.3


@pytest.mark.parametrize(("shape", "content"), [("html", b"<html>"), ("empty", b"{}")])
async def test_success_with_a_senseless_body(plivo: Program, shape: str, content: bytes) -> None:
    assert (await plivo.control("PUT", "dialects/standup", {"success_shape": shape})).status_code == 200
    answer = await plivo.start()
    assert isinstance(answer, bytes)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.partition(b"\r\n\r\n")[2].startswith(content)
    assert (await plivo.control("DELETE", "dialects/standup")).status_code == 200
    assert (await plivo.control("DELETE", "dialects/standup")).status_code == 404


async def test_body_after_a_204(plivo: Program) -> None:
    await plivo.start()
    await plivo.control("PUT", "dialect", {"stop_body": "message"})
    answer = await plivo.start("DELETE")
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 ")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert json.loads(body)["message"] == "conference recording stopped"


@pytest.mark.parametrize(
    ("verb", "count"), [("drop", 1), ("duplicate", 3), ("unsigned", 2), ("reorder", 2), ("delay", 2)]
)
async def test_callbacks(plivo: Program, verb: str, count: int) -> None:
    async with CallbackServer.listening() as receiver:
        arguments = {"seconds": 0.01} if verb == "delay" else {}
        await plivo.set_fault(on="callback", conference="standup", times=1, do=verb, **arguments)
        await plivo.start(body=json.dumps({"callback_url": receiver.url}))
        await plivo.control("POST", "conferences/standup/end")
        async with asyncio.timeout(5):
            received = [await receiver.received.get() for _ in range(count)]
        signed = ["x-plivo-signature-v3" in each.headers for each in received]
        assert sorted(signed) == ([False, True] if verb == "unsigned" else [True] * count)
        if verb == "reorder":
            assert ["response" in each.fields for each in received] == [False, True]
        assert (await plivo.control("GET", "faults")).json() == []


async def test_quota_of_the_account() -> None:
    @attrs.frozen
    class Limit:
        limit: int = 2
        per: float = 60.0

    async with Emulator(quota=Limit()) as emulator, httpx.AsyncClient() as http:
        program = Program(emulator.url, emulator.auth_id, emulator.auth_token, http)
        answers = [await program.start() for _ in range(3)]
        assert [each[9:12] for each in answers if isinstance(each, bytes)] == [b"202", b"202", b"429"]
        quota = (await program.control("GET", "state")).json()["quota"]
        assert (quota["used"], quota["left"], quota["refused"]) == (2, 0, 1)
        await program.control("PUT", "dialect", {"retry_after": True})
        answer = await program.start()
        assert isinstance(answer, bytes)
        assert b"\r\nretry-after: 60\r\n" in answer.lower()


async def test_random_faults_and_their_removal(plivo: Program) -> None:
    first = await plivo.set_fault(do="randomly", rate=0.3)
    (fault,) = (await plivo.control("GET", "faults")).json()
    assert fault.items() >= {"id": first, "do": "randomly", "rate": 0.3, "on": "any", "active": True}.items()
    assert (await plivo.control("DELETE", f"faults/{first}")).status_code == 200
    assert (await plivo.control("DELETE", f"faults/{first}")).status_code == 404
    await plivo.set_fault(on="media", do="cut")
    assert (await plivo.control("DELETE", "faults")).status_code == 200
    assert (await plivo.control("GET", "faults")).json() == []


@pytest.mark.parametrize("body", [{}, [], {"on": "start", "do": "explode"}, {"on": "start", "do": "drop"}])
async def test_invalid_fault_is_refused_with_the_reason(plivo: Program, body: object) -> None:
    refused = await plivo.control("POST", "faults", body)
    assert refused.status_code == 400
    assert refused.json()["error"]


async def test_virtual_clock_is_advanced() -> None:
    async with Emulator(clock="virtual") as emulator, httpx.AsyncClient() as http:
        program = Program(emulator.url, emulator.auth_id, emulator.auth_token, http)
        started = await program.start()
        assert isinstance(started, bytes)
        for wrong in ({}, {"seconds": -1}, {"seconds": "1"}, {"seconds": 1e30}):
            assert (await program.control("POST", "clock/advance", wrong)).status_code == 400
        before = (await program.control("GET", "clock")).json()["now"]
        after = (await program.control("POST", "clock/advance", {"seconds": 3600})).json()
        assert (after["mode"], after["now"] > before) == ("virtual", True)
        await program.control("POST", "conferences/standup/end")
        (recording,) = (await program.control("GET", "recordings")).json()
        assert recording["duration_ms"] == 3_600_000


async def test_real_clock_cannot_be_advanced(plivo: Program) -> None:
    refused = await plivo.control("POST", "clock/advance", {"seconds": 1})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "the clock is squeezed: only a virtual clock can be advanced",
    )
