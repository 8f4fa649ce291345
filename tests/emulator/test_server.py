from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import signal
import socket
import threading
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from plivo_record_async.emulator import Dialect, Emulator
from plivo_record_async.errors import ConfigurationError
from tests.support.servers.callback_server import CallbackServer


async def ask(plivo: Emulator, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=plivo.url, auth=(plivo.auth_id, plivo.auth_token)) as client:
        return await client.request(method, f"/v1/Account/{plivo.auth_id}/{path}", **options)


async def raw(plivo: Emulator, request: bytes) -> bytes:
    """What comes back for these bytes, until the server hangs up."""
    address = urlsplit(plivo.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_recording_from_start_to_end() -> None:
    async with CallbackServer.listening() as receiver, Emulator() as plivo:
        given = {"callback_url": f"{receiver.url}/cb", "transcription_url": f"{receiver.url}/text"}
        started = await ask(plivo, "POST", "Conference/standup/Record/", json=given)
        assert (started.status_code, started.json()["message"]) == (202, "async api spawned")
        response = json.loads((await receiver.received.get()).fields["response"])
        assert response["api_id"] == started.json()["api_id"]
        assert plivo.executions("standup") == 1
        await plivo.end_conference("standup")
        await plivo.callbacks_settled()
        told = {receiver.received.get_nowait().target for _ in range(2)}
        assert told == {"/cb", "/text"}
        kinds = [(each["kind"], each["attempt"], each["status"]) for each in plivo.state()["deliveries"]]
        assert sorted(kinds) == [("recording", 1, 200), ("response", 1, 200), ("transcription", 1, 200)]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{plivo.url}/__emulator__/state")).json() == plivo.state()
            assert (await client.get(response["url"])).status_code == 200


async def test_a_callback_does_not_hold_up_the_answer() -> None:
    async with CallbackServer.listening() as receiver, Emulator() as plivo:
        receiver.may_answer.clear()
        given = {"callback_url": receiver.url}
        assert (await ask(plivo, "POST", "Conference/x/Record/", json=given)).status_code == 202
        receiver.may_answer.set()
        await plivo.callbacks_settled()
        assert receiver.received.qsize() == 1


async def test_path_is_read_before_percent_decoding() -> None:
    async with Emulator() as plivo:
        started = await ask(plivo, "POST", "Conference/a%2Fb%20%0A%3Fc/Record/")
        assert started.status_code == 202
        assert list(plivo.state()["conferences"]) == ["a/b \n?c"]
        assert (await ask(plivo, "POST", "Conference/a/b/Record/")).status_code == 404


async def test_answer_has_only_plivos_headers() -> None:
    async with Emulator() as plivo:
        answer = await raw(plivo, b"DELETE /v1/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    names = [line.lower().partition(b":")[0] for line in head.split(b"\r\n")]
    assert (names.count(b"date"), names.count(b"server")) == (1, 0)
    assert json.loads(body)["error"] == "not found"


async def test_bytes_that_are_not_http_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with Emulator() as plivo:
        assert (await raw(plivo, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await ask(plivo, "GET", "Conference/")).status_code == 200


async def test_odd_callback_urls_are_refused_or_noted_as_not_delivered() -> None:
    impossible = [
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:9:9/",
        "http://h/\ud800",
        "http://[",
    ]
    undeliverable = [
        *(
            "http://a..b/",
            "http://xn--a/",
            "http://xn--/",
            f"http://{'a' * 70}.invalid/",
            "http://\uff05/",
            "http://\U0001f600/",
        ),
        *("http://[v1.a]/", "http://[::1%25none]:9/", "http://u:p@127.0.0.1:9/", "http://@127.0.0.1:9/", "http://%00/"),
        *("http://127.0.0.1:9/%", "http://127.0.0.1:9/ü?ü", "http://*/", f"http://127.0.0.1:9/{'a' * 70_000}"),
    ]
    async with CallbackServer.listening() as receiver, Emulator() as plivo:
        for url in impossible:
            refused = await ask(plivo, "POST", "Conference/x/Record/", content=json.dumps({"callback_url": url}))
            assert (refused.status_code, "callback_url" in refused.json()["error"]) == (400, True)
        for url in undeliverable:
            given = {"callback_url": f"{url}#rc=0&ct=100", "callback_method": "GET", "transcription_url": f"{url}#rc=0"}
            assert (await ask(plivo, "POST", "Conference/x/Record/", json=given)).status_code == 202
        await plivo.end_conference("x")
        await plivo.callbacks_settled()
        attempts = plivo.state()["deliveries"]
        assert len(attempts) == 3 * len(undeliverable)
        assert all(each["status"] is None and each["error"] and each["failure"] for each in attempts)
        await ask(plivo, "POST", "Conference/x/Record/", json={"callback_url": receiver.url})
        await plivo.callbacks_settled()
        assert receiver.received.qsize() == 1


async def test_two_emulators_run_at_the_same_time() -> None:
    async with Emulator() as one, Emulator(auth_id="SAABCDEFGHIJKLMNOPQR", auth_token="t") as other:
        assert one.url != other.url
        await ask(other, "POST", "Conference/x/Record/")
        assert (one.executions("x"), other.executions("x")) == (0, 1)
        assert (await ask(one, "GET", "Conference/", auth=(other.auth_id, other.auth_token))).status_code == 401


CONTROL = "/__emulator__/conferences/x"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (CONTROL, "Host: {own}\r\nX-Plivo-Emulator: 1", 200),
        (CONTROL, "Host: localhost:{port}\r\nContent-Type: application/json", 200),
        (CONTROL, "Host: [::1]:{port}\r\nOrigin: http://{own}\r\nX-Plivo-Emulator: 1", 200),
        ("http://{own}" + CONTROL, "Host: {own}\r\nX-Plivo-Emulator: 1", 200),
        (CONTROL, "Host: {own}", 403),
        (CONTROL, "Host: {own}\r\nContent-Type: text/plain", 403),
        (CONTROL, "Host: evil.example:{port}\r\nX-Plivo-Emulator: 1", 403),
        (CONTROL, "Host: 127.0.0.1\r\nX-Plivo-Emulator: 1", 403),
        (CONTROL, "Host: {own}\r\nOrigin: null\r\nX-Plivo-Emulator: 1", 403),
        (CONTROL, "Host: {own}\r\nOrigin: http://localhost:3000\r\nX-Plivo-Emulator: 1", 403),
        ("http://evil.example" + CONTROL, "Host: {own}\r\nX-Plivo-Emulator: 1", 403),
        ("http://{own}" + CONTROL, "Host: evil.example\r\nX-Plivo-Emulator: 1", 403),
        ("/%5F_emulator__/conferences/x", "Host: evil.example\r\nX-Plivo-Emulator: 1", 403),
        (CONTROL, "Host: {own}\r\nHost: evil.example\r\nX-Plivo-Emulator: 1", 400),
        (CONTROL, "X-Plivo-Emulator: 1", 400),
    ],
)
async def test_web_page_cannot_use_the_emulator(
    target: str, headers: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with Emulator() as plivo:
        own, port = urlsplit(plivo.url).netloc, urlsplit(plivo.url).port
        request = f"POST {target} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n".format(own=own, port=port)
        answer = await raw(plivo, request.encode())
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert list(plivo.state()["conferences"]) == (["x"] if status == 200 else [])


async def test_a_request_of_http_1_0_without_a_host_is_refused() -> None:
    async with Emulator() as plivo:
        answer = await raw(plivo, f"POST {CONTROL} HTTP/1.0\r\nX-Plivo-Emulator: 1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert plivo.state()["conferences"] == {}


async def test_url_contains_the_given_host_name() -> None:
    async with Emulator(host="localhost") as plivo, httpx.AsyncClient() as client:
        assert plivo.url.startswith("http://127.0.0.1:")
        for host in (plivo.url, plivo.url.replace("127.0.0.1", "localhost")):
            assert (await client.get(f"{host}/__emulator__/state")).status_code == 200


async def test_callback_urls_contain_the_address_that_the_client_called() -> None:
    async with Emulator(host="0.0.0.0") as plivo, httpx.AsyncClient() as client:
        assert plivo.url.startswith("http://127.0.0.1:")
        for address in ("127.0.0.1", "127.0.0.2"):
            state = f"{plivo.url.replace('127.0.0.1', address)}/__emulator__/state"
            assert (await client.get(state)).status_code == 200
        foreign = {"Host": f"127.0.0.3:{urlsplit(plivo.url).port}"}
        assert (await client.get(f"{plivo.url}/__emulator__/state", headers=foreign)).status_code == 403


async def test_strict_emulator_knows_only_opened_conferences() -> None:
    async with Emulator(strict=True) as plivo:
        assert (await ask(plivo, "POST", "Conference/x/Record/")).status_code == 404
        with pytest.raises(LookupError, match="no live conference 'x'"):
            await plivo.end_conference("x")
        await plivo.open_conference("x")
        assert (await ask(plivo, "POST", "Conference/x/Record/")).status_code == 202
        await plivo.end_conference("x")


async def test_emulator_takes_faults_and_a_dialect() -> None:
    async with CallbackServer.listening() as receiver, Emulator(dialect=Dialect(start_status=201, copies=2)) as plivo:
        plivo.fail_next(429, retry_after="1", times=2)
        plivo.fail_next(503, executed=True)
        statuses = [
            (await ask(plivo, "POST", "Conference/x/Record/", json={"transcription_url": receiver.url})).status_code
            for _ in range(4)
        ]
        assert statuses == [429, 429, 503, 201]
        assert plivo.executions("x") == 2
        await plivo.end_conference("x")
        await plivo.callbacks_settled()
        assert receiver.received.qsize() == 4


async def test_error_names_an_address_in_use() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            await Emulator(port=port).__aenter__()


async def test_error_names_an_address_of_another_machine() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1 port 0: "):
        await Emulator(host="192.0.2.1").__aenter__()


@pytest.mark.parametrize("host", ["a..b", "ü..b", "a\0b", "a" * 70, "[::1]", "no such host"])
async def test_error_names_an_invalid_host(host: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"cannot listen on {re.escape(host)} port 0: .+\. Choose another"):
        await Emulator(host=host).__aenter__()


async def test_names_and_faults_that_cannot_be_sent_are_refused() -> None:
    async with Emulator() as plivo:
        with pytest.raises(UnicodeEncodeError):
            await plivo.open_conference("\ud800")
        with pytest.raises(ValueError, match="status must be"):
            plivo.fail_next(204)
        assert plivo.state()["conferences"] == {}


async def test_fault_may_be_an_answer_of_a_gateway() -> None:
    async with Emulator() as plivo:
        plivo.fail_next(520)
        answer = await ask(plivo, "GET", "Conference/")
        assert (answer.status_code, answer.json()["error"]) == (520, "status 520")


async def test_conference_that_does_not_exist_cannot_be_ended_by_the_emulator() -> None:
    async with Emulator() as plivo:
        with pytest.raises(LookupError, match="no live conference 'x': no recording was started in it"):
            await plivo.end_conference("x")
        await plivo.open_conference("x")
        await plivo.end_conference("x")
        with pytest.raises(LookupError):
            await plivo.end_conference("x")


async def test_emulator_serves_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with Emulator(host="::1") as plivo:
        assert plivo.url.startswith("http://[::1]:")
        started = await ask(plivo, "POST", "Conference/x/Record/")
        assert started.json()["url"].startswith(plivo.url)


async def test_emulator_has_no_url_before_it_starts_and_is_unreachable_afterwards() -> None:
    plivo = Emulator()
    assert repr(plivo) == "<Emulator not running auth_id=MAEMULATEDACCOUNT000>"
    for early in (lambda: plivo.url, plivo.state, lambda: plivo.executions("x"), lambda: plivo.fail_next(500)):
        with pytest.raises(RuntimeError, match="not running"):
            early()
    for coroutine in (plivo.callbacks_settled(), plivo.open_conference("x"), plivo.end_conference("x")):
        with pytest.raises(RuntimeError, match="not running"):
            await coroutine
    async with plivo:
        assert repr(plivo) == f"<Emulator {plivo.url} auth_id=MAEMULATEDACCOUNT000>"
        with pytest.raises(RuntimeError, match="running already"):
            await plivo.__aenter__()
        await ask(plivo, "POST", "Conference/x/Record/")
    assert plivo.executions("x") == 1
    for late in (plivo.callbacks_settled(), plivo.open_conference("x"), plivo.end_conference("x")):
        with pytest.raises(RuntimeError, match="not running"):
            await late
    with pytest.raises(httpx.ConnectError):
        await ask(plivo, "POST", "Conference/x/Record/")
    async with plivo:
        assert plivo.executions("x") == 0


async def test_emulator_changes_no_signal_handler_and_leaves_no_task() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with Emulator() as plivo:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        await ask(plivo, "POST", "Conference/x/Record/", json={"callback_url": "http://127.0.0.1:9/"})
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_open_connection_does_not_delay_closing() -> None:
    async with httpx.AsyncClient() as client, contextlib.AsyncExitStack() as running:
        plivo = await running.enter_async_context(Emulator())
        await client.get(f"{plivo.url}/__emulator__/state")
        async with asyncio.timeout(5):
            await running.aclose()


async def test_emulator_can_be_used_from_another_thread_and_event_loop() -> None:
    async with CallbackServer.listening() as receiver, Emulator() as plivo:

        async def elsewhere() -> None:
            given = {"callback_url": receiver.url}
            await ask(plivo, "POST", "Conference/x/Record/", json=given)
            await plivo.end_conference("x")
            await plivo.callbacks_settled()
            with pytest.raises(LookupError):
                await plivo.end_conference("x")

        await asyncio.to_thread(asyncio.run, elsewhere())
        assert receiver.received.qsize() == 2
        assert plivo.executions("x") == 1


async def test_state_can_be_read_from_another_thread() -> None:
    async with Emulator() as plivo:
        done = threading.Event()
        seen: list[int] = []

        def look() -> None:
            while not done.wait(0.001):
                seen.append(len(plivo.state()["recordings"]))

        looking = asyncio.create_task(asyncio.to_thread(look))
        async with httpx.AsyncClient(auth=(plivo.auth_id, plivo.auth_token)) as client:
            for number in range(30):
                await client.post(f"{plivo.url}/v1/Account/{plivo.auth_id}/Conference/{number}/Record/")
        done.set()
        await looking
        assert seen == sorted(seen)
        assert len(plivo.state()["recordings"]) == 30


async def test_requests_and_deliveries_are_kept() -> None:
    async with CallbackServer.listening(500) as receiver, Emulator(keep=3) as plivo:
        given = {"callback_url": f"{receiver.url}/cb#rp=5xx"}
        started = await ask(plivo, "POST", "Conference/standup/Record/?x=1", json=given)
        await plivo.callbacks_settled()
        (request,) = plivo.requests
        assert (request.operation, request.conference_name, request.executed) == ("start", "standup", True)
        assert (request.status, json.loads(request.response_body)) == (started.status_code, started.json())
        assert (json.loads(request.body), request.query, request.api_id) == (given, "x=1", started.json()["api_id"])
        first, second = plivo.deliveries
        assert (first.state, first.status, second.state, second.status) == ("failed", 500, "delivered", 200)
        assert first.next_attempt_at is not None
        assert (first.callback_id, second.attempt) == (second.callback_id, 2)
        await plivo.replay(second.id)
        await plivo.callbacks_settled()
        assert [(each.attempt, each.replay_of) for each in plivo.deliveries] == [(1, None), (2, None), (1, 2)]
        with pytest.raises(LookupError, match="there is no delivery 9"):
            await plivo.replay(9)
        for _ in range(5):
            await ask(plivo, "GET", "Conference/")
        assert len(plivo.requests) == 3
        await plivo.reset()
        assert (plivo.requests, plivo.deliveries, plivo.executions("standup")) == ([], [], 0)


async def test_reset_drops_callbacks_that_are_under_way() -> None:
    async with CallbackServer.listening() as receiver, Emulator() as plivo:
        receiver.may_answer.clear()
        await ask(plivo, "POST", "Conference/standup/Record/", json={"callback_url": receiver.url})
        await receiver.received.get()
        await plivo.reset()
        await plivo.callbacks_settled()
        receiver.may_answer.set()


async def test_emulator_that_keeps_nothing_still_works() -> None:
    async with CallbackServer.listening() as receiver, Emulator(keep=0) as plivo:
        await ask(plivo, "POST", "Conference/standup/Record/", json={"callback_url": receiver.url})
        await plivo.callbacks_settled()
        assert receiver.received.qsize() == 1
        assert (plivo.requests, plivo.deliveries, plivo.executions("standup")) == ([], [], 1)
    with pytest.raises(ConfigurationError, match="keep must be 0 or more"):
        Emulator(keep=-1)


async def test_events_are_streamed_until_the_emulator_stops() -> None:
    async with httpx.AsyncClient() as client, contextlib.AsyncExitStack() as running:
        plivo = await running.enter_async_context(Emulator())
        async with client.stream("GET", f"{plivo.url}/__emulator__/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = response.aiter_lines()
            assert (await anext(lines)).startswith(":")
            await ask(plivo, "POST", "Conference/standup/Record/")
            kinds = [line.removeprefix("event: ") async for line in take(lines, 3, "event: ")]
            assert kinds == ["request", "conference", "recording"]
            async with asyncio.timeout(0.9):
                await running.aclose()
                assert [line async for line in lines if line.startswith("event")] == []


async def take(lines: AsyncIterator[str], count: int, start: str) -> AsyncIterator[str]:
    """The next lines that start like this."""
    while count:
        line = await anext(lines)
        if line.startswith(start):
            count -= 1
            yield line


async def test_faults_are_set_in_python() -> None:
    async with Emulator() as plivo:
        plivo.faults.on("start", conference="standup", times=1).reset_after_execution()
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await ask(plivo, "POST", "Conference/standup/Record/")
        assert plivo.executions("standup") == 1
        await plivo.reset()
        plivo.faults.on("any").stall()
        await plivo.reset()
        assert (await ask(plivo, "POST", "Conference/standup/Record/")).status_code == 202


async def test_failed_assertion_tells_the_whole_story() -> None:
    async with CallbackServer.listening() as receiver, Emulator() as plivo:
        with pytest.raises(AssertionError, match="0 starts were executed in 'standup'"):
            plivo.assert_executed_once("standup")
        await ask(plivo, "POST", "Conference/standup/Record/", json={"callback_url": receiver.url})
        plivo.assert_executed_once("standup")
        plivo.assert_no_duplicate_starts()
        await ask(plivo, "POST", "Conference/standup/Record/")
        await plivo.callbacks_settled()
        for once in (True, False):
            with pytest.raises(AssertionError) as failure:
                plivo.assert_executed_once("standup") if once else plivo.assert_no_duplicate_starts()
            text = str(failure.value)
            assert text.startswith("2 starts were executed in 'standup':\n")
            assert text.count("request ") == 2
            assert "delivery 1: response callback 1, attempt 1, POST " in text


async def test_each_conference_may_have_its_own_dialect() -> None:
    async with Emulator(dialect=Dialect(start_status=200)) as plivo:
        plivo.dialects["standup"] = Dialect(start_status=201)
        assert (await ask(plivo, "POST", "Conference/standup/Record/")).status_code == 201
        assert (await ask(plivo, "POST", "Conference/another/Record/")).status_code == 200


async def test_virtual_time_passes_only_when_it_is_advanced() -> None:
    async with CallbackServer.listening(500, 500, 500) as receiver, Emulator(clock="virtual") as plivo:
        url = f"{receiver.url}/#rp=5xx&rc=3"
        started = await ask(plivo, "POST", "Conference/standup/Record/", json={"transcription_url": url})
        await plivo.advance(3600)
        await plivo.end_conference("standup")
        await plivo.advance(60)
        assert plivo.state()["recordings"][0]["duration_ms"] == 3_600_000
        times = [each.time for each in plivo.deliveries]
        assert [round((b - a).total_seconds()) for a, b in pairwise(times)] == [1, 2, 4]
        assert [each.state for each in plivo.deliveries] == ["failed", "failed", "failed", "delivered"]
        later = await ask(plivo, "GET", "Conference/")
        passed = parsedate_to_datetime(later.headers["date"]) - parsedate_to_datetime(started.headers["date"])
        assert passed.total_seconds() == 3660
        assert plivo.clock.now() == plivo.clock.read().wall
    async with Emulator() as plivo:
        with pytest.raises(ValueError, match="only a virtual clock"):
            await plivo.advance(1)


async def test_executed_requests_for_a_transcript_are_counted() -> None:
    async with Emulator() as plivo:
        started = (await ask(plivo, "POST", "Conference/standup/Record/")).json()
        await plivo.end_conference("standup")
        for expected in (1, 2):
            await ask(plivo, "POST", f"Transcription/{started['recording_id']}/")
            assert plivo.executed_transcriptions(started["recording_id"]) == expected
        assert plivo.executed_transcriptions("unknown") == 0
