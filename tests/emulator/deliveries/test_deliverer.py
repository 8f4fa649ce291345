from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.clock import RealClock, VirtualClock
from plivo_record_async.emulator.deliveries.deliverer import Deliverer
from plivo_record_async.emulator.faults.faults import Faults
from plivo_record_async.emulator.history.entries import Delivery
from plivo_record_async.emulator.history.history import History
from tests.support.servers.callback_server import Behaviour, CallbackServer
from tests.support.untyped_libraries import plivo

TOKEN = "a-token"
BROKE_OFF = "the response broke off after 4 bytes"


def no_success(seconds: float) -> str:
    return f"no attempt succeeded within {seconds} seconds, the limit for all attempts"


def callback(url: str, method: str = "POST") -> Callback:
    fields = {"conference_name": "a&b=c", "message": ""}
    return Callback(kind="recording", url=url, method=method, fields=fields, api_id="an-api-id")


@asynccontextmanager
async def delivering(
    dialect: Dialect | None = None, *, clock: RealClock | VirtualClock | None = None, **options: Any
) -> AsyncGenerator[tuple[Deliverer, History]]:
    history = History()
    deliverer = Deliverer(
        auth_token=TOKEN,
        history=history,
        dialect_of=lambda _: dialect or Dialect(),
        faults=options.pop("faults", Faults(seed=0, publish=history.note_fault)),
        clock=clock or RealClock("squeezed", 0.01),
        **options,
    )
    try:
        yield deliverer, history
    finally:
        await deliverer.aclose()


def finished(history: History) -> list[Delivery]:
    return [each for each in history.deliveries.entries() if each.at]


async def outcomes(path: str, *behaviours: Behaviour) -> list[tuple[int, int | None, str | None]]:
    """What became of one callback: attempt, status and the error of each attempt."""
    async with CallbackServer.listening(*behaviours) as receiver, delivering() as (deliverer, history):
        deliverer.send_soon(callback(receiver.url + path))
        await deliverer.settled()
        return [(each.attempt, each.status, each.error) for each in finished(history)]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_callback_arrives_signed(method: str) -> None:
    async with CallbackServer.listening() as receiver, delivering() as (deliverer, history):
        deliverer.send_soon(callback(f"{receiver.url}/cb?q=1#rc=3", method))
        await deliverer.settled()
        received = receiver.received.get_nowait()
        url = receiver.url + received.target
        assert received.method == method
        assert received.target.startswith("/cb?q=1")
        assert received.fields.items() >= {"conference_name": "a&b=c", "message": ""}.items()
        nonce = received.headers["x-plivo-signature-v3-nonce"]
        assert len(nonce) == 20
        assert nonce.isdecimal()
        for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3"):
            form = received.fields if method == "POST" else {}
            assert plivo.utils.validate_v3_signature(method, url, nonce, TOKEN, received.headers[name], form)
    (attempt,) = finished(history)
    assert (attempt.kind, attempt.attempt, attempt.state, attempt.status) == ("recording", 1, "delivered", 200)
    assert (attempt.url, attempt.error, attempt.next_attempt_at) == (url, None, None)
    assert attempt.signed is not None
    assert attempt.signed.endswith(f".{nonce}")
    assert (
        attempt.to_dict().items() >= {"fields": {"conference_name": "a&b=c", "message": ""}, "method": method}.items()
    )
    assert attempt.at is not None
    assert attempt.time <= attempt.at


@pytest.mark.parametrize(
    ("path", "behaviours", "seen"),
    [
        ("/", [204], [(1, 204, None)]),
        ("/", [500], [(1, 500, "the receiver answered 500")]),
        ("/", [404], [(1, 404, "the receiver answered 404")]),
        ("/#rc=5", [302], [(1, 302, "the receiver answered 302")]),
        ("/#rp=5xx", [500, 200], [(1, 500, "the receiver answered 500"), (2, 200, None)]),
        ("/#rp=5xx,ct&rc=2", [503] * 9, [(n, 503, "the receiver answered 503") for n in (1, 2, 3)]),
        ("/#rp=4xx&rc=0", [404], [(1, 404, "the receiver answered 404")]),
        ("/#rp=all", [302, 200], [(1, 302, "the receiver answered 302"), (2, 200, None)]),
        ("/", ["close"], [(1, None, "the receiver closed the connection without a response"), (2, 200, None)]),
        ("/#rp=ct", ["close"], [(1, None, "the receiver closed the connection without a response")]),
        ("/#rt=1000", ["never answer"], [(1, None, "no response within 1 second"), (2, 200, None)]),
        ("/#rp=all", ["cut the body"], [(1, 200, BROKE_OFF)]),
        ("/#tt=100", ["never answer"], [(1, None, no_success(0.1))]),
    ],
)
async def test_retries_follow_the_delivery_options(path: str, behaviours: list[Behaviour], seen: list[object]) -> None:
    assert await outcomes(path, *behaviours) == seen


async def test_total_time_limits_the_retries() -> None:
    clock = VirtualClock()
    async with (
        CallbackServer.listening("never answer", "never answer", "never answer") as receiver,
        delivering(clock=clock) as (deliverer, history),
    ):
        deliverer.send_soon(callback(f"{receiver.url}/#tt=50000&ct=1000&rt=5000&rc=5"))
        await receiver.received.get()
        while receiver.received.empty():
            await clock.advance(1, deliverer.attempts_settled)
            await asyncio.sleep(0)
        await clock.advance(60, deliverer.attempts_settled)
        await deliverer.settled()
    first, *_, last = finished(history)
    assert (first.attempt, first.error) == (1, "no response within 6 seconds")
    assert last.attempt > 1
    assert last.error == no_success(50)


async def test_refused_connection_counts_as_a_connect_timeout() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = "http://{}:{}/".format(*server.getsockname())
    async with delivering() as (deliverer, history):
        deliverer.send_soon(callback(f"{url}#rp=ct&rc=2"))
        deliverer.send_soon(callback(f"{url}#rp=rt&rc=2"))
        await deliverer.settled()
    assert sorted(each.attempt for each in finished(history)) == [1, 1, 2, 3]
    port = url.split(":")[2].rstrip("/")
    said = {(each.failure, each.error) for each in finished(history)}
    assert said == {("refused", f"127.0.0.1:{port} refused the connection")}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a queue of no length is longer")
async def test_connection_that_is_not_accepted_is_a_connect_timeout() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        address = server.getsockname()
        _, first_in_the_queue = await asyncio.open_connection(*address)
        async with delivering() as (deliverer, history):
            deliverer.send_soon(callback("http://{}:{}/#ct=100&rp=ct".format(*address)))
            await deliverer.settled()
        first_in_the_queue.close()
    assert [each.error for each in finished(history)] == ["no connection within 0.1 seconds"] * 2
    assert {each.failure for each in finished(history)} == {"connect_timeout"}


@pytest.mark.parametrize("url", ["http://a..b/cb", f"http://{'a' * 70}.test/cb", "http://xn--zzzzzz--/", "http://h:0/"])
async def test_callback_url_that_cannot_be_called_is_noted(url: str) -> None:
    async with delivering() as (deliverer, history):
        deliverer.send_soon(callback(f"{url}#rc=0"))
        await deliverer.settled()
    (attempt,) = finished(history)
    assert (attempt.status, attempt.error is None) == (None, False)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


@pytest.fixture(params=[False, True], ids=["unknown", "trusted"])
def trusted(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Whether the environment trusts the authority."""
    if request.param:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return bool(request.param)


async def test_callback_over_tls_needs_a_trusted_certificate(trusted: bool, tls: ssl.SSLContext) -> None:
    async with CallbackServer.listening(tls=tls) as receiver, delivering() as (deliverer, history):
        deliverer.send_soon(callback(receiver.url.replace("https:", "HTTPS:") + "/#rc=0"))
        await deliverer.settled()
        assert receiver.received.qsize() == trusted
    (attempt,) = finished(history)
    assert attempt.status == (200 if trusted else None)
    assert trusted or (attempt.failure, "certificate is not trusted" in str(attempt.error)) == ("tls", True)


async def test_number_of_concurrent_deliveries_is_limited() -> None:
    async with CallbackServer.listening() as receiver, delivering(concurrency=3) as (deliverer, history):
        receiver.may_answer.clear()
        for _ in range(10):
            deliverer.send_soon(callback(receiver.url))
        for _ in range(3):
            await receiver.received.get()
        receiver.may_answer.set()
        await deliverer.settled()
        assert (len(finished(history)), receiver.max_concurrent) == (10, 3)


async def test_callback_is_delivered_as_often_as_the_dialect_says() -> None:
    async with CallbackServer.listening() as receiver, delivering(Dialect(copies=3)) as (deliverer, history):
        deliverer.send_soon(callback(receiver.url))
        await deliverer.settled()
        assert receiver.received.qsize() == 3
    assert [each.attempt for each in finished(history)] == [1, 1, 1]


async def test_delayed_callback_arrives_after_its_delay() -> None:
    loop = asyncio.get_running_loop()
    async with CallbackServer.listening() as receiver, delivering(Dialect(delay_s=0.05)) as (deliverer, _):
        began = loop.time()
        deliverer.send_soon(callback(receiver.url))
        await receiver.received.get()
        assert loop.time() - began >= 0.05


async def test_a_retry_is_signed_anew() -> None:
    async with CallbackServer.listening(500) as receiver, delivering() as (deliverer, _):
        deliverer.send_soon(callback(f"{receiver.url}/#rp=5xx"))
        await deliverer.settled()
        nonces = {receiver.received.get_nowait().headers["x-plivo-signature-v3-nonce"] for _ in range(2)}
        assert len(nonces) == 2


async def test_closing_waits_for_quick_deliveries() -> None:
    async with CallbackServer.listening() as receiver:
        async with delivering() as (deliverer, history):
            deliverer.send_soon(callback(receiver.url))
        assert [each.status for each in finished(history)] == [200]


async def test_closing_cancels_slow_deliveries_and_logs_them(caplog: pytest.LogCaptureFixture) -> None:
    async with CallbackServer.listening() as receiver, delivering() as (deliverer, history):
        receiver.may_answer.clear()
        deliverer.send_soon(callback(receiver.url))
        await receiver.received.get()
        await deliverer.aclose(grace=0.01)
        receiver.may_answer.set()
    assert finished(history) == []
    assert caplog.messages == [
        f"the emulator was shut down before the recording callback to {receiver.url} was delivered"
    ]
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.parametrize("clock", [RealClock(first_pause=60.0), VirtualClock()], ids=["real", "virtual"])
async def test_closing_does_not_wait_for_a_retry(
    clock: RealClock | VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with CallbackServer.listening(500) as receiver, delivering(clock=clock) as (deliverer, history):
        deliverer.send_soon(callback(f"{receiver.url}/#rp=5xx"))
        await deliverer.attempts_settled()
        async with asyncio.timeout(0.5):  # the default grace is one second
            await deliverer.aclose()
    assert [each.status for each in finished(history)] == [500]
    assert len(caplog.messages) == 1


def faulty() -> Faults:
    return Faults(seed=0, publish=lambda _: None)


async def kinds_received(faults: Faults, *names: str) -> list[str]:
    """The names of the callbacks in the order in which they arrive."""
    async with CallbackServer.listening() as receiver, delivering(faults=faults) as (deliverer, _):
        for name in names:
            fields = {"name": name}
            deliverer.send_soon(Callback(kind="recording", url=receiver.url, method="POST", fields=fields, api_id="x"))
        await deliverer.settled()
        return [receiver.received.get_nowait().fields["name"] for _ in range(receiver.received.qsize())]


async def test_faults_drop_duplicate_and_reorder_callbacks() -> None:
    faults = faulty()
    faults.on("callback", times=1).drop()
    assert await kinds_received(faults, "a", "b") == ["b"]
    faults.on("callback", times=1).duplicate()
    assert sorted(await kinds_received(faults, "a", "b")) == ["a", "a", "b"]
    faults.on("callback", times=1).reorder()
    assert await kinds_received(faults, "a", "b") == ["b", "a"]
    assert len(faults) == 0


async def test_reordered_callback_without_another_is_delivered_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plivo_record_async.emulator.deliveries.deliverer._LONGEST_HOLD", 0.01)
    faults = faulty()
    faults.on("callback").reorder()
    assert await kinds_received(faults, "a") == ["a"]


async def test_each_reordered_callback_arrives_after_the_next_one() -> None:
    faults = faulty()
    clock = VirtualClock()
    faults.on("callback").reorder()
    async with CallbackServer.listening() as receiver, delivering(faults=faults, clock=clock) as (deliverer, _):
        for name in "abc":
            fields = {"name": name}
            deliverer.send_soon(Callback(kind="recording", url=receiver.url, method="POST", fields=fields, api_id="x"))
        await clock.advance(0.9, deliverer.attempts_settled)
        assert receiver.received.empty()
        await clock.advance(0.2, deliverer.attempts_settled)
        await deliverer.settled()
        assert [receiver.received.get_nowait().fields["name"] for _ in range(3)] == ["c", "b", "a"]


async def test_faults_delay_callbacks_and_leave_them_unsigned() -> None:
    faults = faulty()
    clock = VirtualClock()
    async with CallbackServer.listening() as receiver, delivering(faults=faults, clock=clock) as (deliverer, history):
        faults.on("callback", times=1).delay(60)
        deliverer.send_soon(callback(f"{receiver.url}/delayed"))
        deliverer.send_soon(callback(f"{receiver.url}/prompt"))
        assert (await receiver.received.get()).target == "/prompt"
        await clock.advance(60, deliverer.attempts_settled)
        assert (await receiver.received.get()).target == "/delayed"
    async with CallbackServer.listening() as receiver, delivering(faults=faults) as (deliverer, history):
        faults.on("callback", times=1).unsigned()
        deliverer.send_soon(callback(receiver.url))
        await deliverer.settled()
        assert not [name for name in receiver.received.get_nowait().headers if "signature" in name]
        assert [(each.fault, each.signed) for each in finished(history)] == [("unsigned", None)]


async def test_dropped_callback_is_noted_and_can_be_replayed() -> None:
    faults = faulty()
    faults.on("callback").drop()
    async with CallbackServer.listening() as receiver, delivering(faults=faults) as (deliverer, history):
        deliverer.send_soon(callback(receiver.url))
        (dropped,) = finished(history)
        assert (dropped.state, dropped.fault, dropped.error) == ("dropped", "drop", "a fault dropped the callback")
        deliverer.replay(dropped)
        await deliverer.settled()
        assert receiver.received.qsize() == 1


async def test_virtual_clock_moves_retries() -> None:
    clock = VirtualClock()
    async with CallbackServer.listening(500, 500) as receiver, delivering(clock=clock) as (deliverer, history):
        deliverer.send_soon(callback(f"{receiver.url}/#rp=5xx&rc=2"))
        await clock.advance(0, deliverer.attempts_settled)
        assert [each.state for each in history.deliveries.entries()] == ["failed", "waiting"]
        await clock.advance(60, deliverer.attempts_settled)
        assert [each.state for each in history.deliveries.entries()] == ["failed", "failed", "delivered"]
        assert receiver.received.qsize() == 3


async def test_virtual_clock_ends_attempts_without_an_answer() -> None:
    clock = VirtualClock()
    async with CallbackServer.listening("never answer") as receiver, delivering(clock=clock) as (deliverer, history):
        deliverer.send_soon(callback(f"{receiver.url}/#rc=0"))
        await receiver.received.get()
        await clock.advance(60, deliverer.attempts_settled)
        await deliverer.settled()
        assert [each.error for each in history.deliveries.entries()] == ["no response within 42 seconds"]
