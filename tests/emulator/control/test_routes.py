from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.clock import VirtualClock
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.control.routes import handle
from tests.support.emulator_app import app_around

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


@attrs.define
class Plivo:
    """The control API without HTTP, and the callbacks that it would have delivered."""

    control: Control
    callbacks: list[Callback]

    async def ask(self, method: str, path: str, query: str = "", body: bytes = b"") -> Any:
        return (await handle(self.control, method, path.split("/"), query, body)).body

    def start(self, name: str, number: int) -> None:
        given = {"callback_url": "http://h/cb"}
        result = self.control.world.start(name, given, now=NOW, api_id=f"a{number}", recording_id=f"r{number}")
        self.control.apply(result)


@pytest.fixture
def plivo() -> Plivo:
    callbacks: list[Callback] = []
    world = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h")
    return Plivo(app_around(world, callbacks, auth_token="a-token").control, callbacks)


async def test_lists_are_read_in_pages(plivo: Plivo) -> None:
    for number in range(5):
        plivo.start(f"room {number}", number)
        plivo.control.end_conference(f"room {number}")
    assert [each["recording_id"] for each in await plivo.ask("GET", "recordings")] == ["r0", "r1", "r2", "r3", "r4"]
    page = await plivo.ask("GET", "recordings", "limit=2&before=r3")
    assert [each["recording_id"] for each in page] == ["r1", "r2"]
    assert [each["name"] for each in await plivo.ask("GET", "conferences", "limit=1")] == ["room 4"]
    page = await plivo.ask("GET", "conferences", "limit=1&before=room%202")
    assert [each["name"] for each in page] == ["room 1"]
    assert [each["id"] for each in await plivo.ask("GET", "deliveries", "limit=2&before=3")] == [1, 2]
    assert await plivo.ask("GET", "requests") == []
    state = await plivo.ask("GET", "state", "limit=1")
    assert (len(state["conferences"]), len(state["recordings"]), len(state["deliveries"])) == (1, 1, 1)


@pytest.mark.parametrize("limit", ["-1", "x", ""])
async def test_invalid_limit_is_refused(plivo: Plivo, limit: str) -> None:
    with pytest.raises(RefusedError, match="400 limit parameter is invalid"):
        await plivo.ask("GET", "requests", f"limit={limit}&x=")


async def test_delivery_is_replayed(plivo: Plivo) -> None:
    plivo.start("standup", 1)
    plivo.control.end_conference("standup")
    (first,) = await plivo.ask("GET", "deliveries")
    again = await plivo.ask("POST", f"deliveries/{first['id']}/replay")
    assert (again["id"], again["replay_of"], again["fields"]) == (2, 1, first["fields"])
    assert plivo.callbacks[0] == plivo.callbacks[1]
    for wrong in ("9", "0", "x"):
        with pytest.raises(RefusedError):
            await plivo.ask("POST", f"deliveries/{wrong}/replay")


async def test_unknown_resource_is_not_found(plivo: Plivo) -> None:
    for method, path in (("GET", "nothing"), ("PATCH", "nothing"), ("PUT", "state/x"), ("GET", "conferences/")):
        with pytest.raises(RefusedError, match="404 not found"):
            await plivo.ask(method, path)


async def test_method_that_a_resource_does_not_have_is_refused(plivo: Plivo) -> None:
    for method, path, allowed in (
        ("POST", "requests", "GET, HEAD"),
        ("PUT", "faults", "GET, HEAD, POST, DELETE"),
        ("GET", "faults/1", "DELETE"),
        ("GET", "reset", "POST"),
        ("PATCH", "state", "GET, HEAD"),
        ("HEAD", "events", "GET"),
        ("PATCH", "dialect", "GET, HEAD, PUT"),
        ("PATCH", "dialects/a", "PUT, DELETE"),
        ("GET", "conferences/a/end", "POST"),
    ):
        with pytest.raises(RefusedError, match="405 method not allowed") as refusal:
            await plivo.ask(method, path)
        assert refusal.value.headers["Allow"] == allowed


async def test_conferences_are_opened_and_ended(plivo: Plivo) -> None:
    assert await plivo.ask("POST", "conferences/standup") == {"conference_name": "standup"}
    assert (await plivo.ask("POST", "conferences/standup/end"))["conference_name"] == "standup"
    assert await plivo.ask("POST", "reset") == {}
    assert await plivo.ask("GET", "conferences") == []


async def test_faults_are_set_and_removed(plivo: Plivo) -> None:
    first = await plivo.ask("POST", "faults", body=b'{"on": "start", "do": "cut"}')
    second = await plivo.ask("POST", "faults", body=b'{"on": "any", "do": "stall"}')
    assert await plivo.ask("GET", "faults") == [first, second]
    assert await plivo.ask("DELETE", f"faults/{first['id']}") == {}
    with pytest.raises(RefusedError, match="404"):
        await plivo.ask("DELETE", f"faults/{first['id']}")
    assert await plivo.ask("DELETE", "faults") == {}
    assert await plivo.ask("GET", "faults") == []
    with pytest.raises(RefusedError, match="400"):
        await plivo.ask("POST", "faults", body=b'{"on": "start", "do": "drop"}')


async def test_dialects_are_set_and_removed(plivo: Plivo) -> None:
    for path in ("dialect", "dialects/x"):
        assert (await plivo.ask("PUT", path, body=b'{"stop_status": 200}'))["stop_status"] == 200
    assert (await plivo.ask("GET", "dialect"))["stop_status"] == 200
    assert await plivo.ask("DELETE", "dialects/x") == {}
    with pytest.raises(RefusedError, match="404"):
        await plivo.ask("DELETE", "dialects/x")


async def test_clock_is_read_and_advanced(plivo: Plivo) -> None:
    assert await plivo.ask("GET", "clock") == {"mode": "real", "now": None}
    with pytest.raises(RefusedError, match="400 the clock is real"):
        await plivo.ask("POST", "clock/advance", body=b'{"seconds": 1}')
    for seconds in (b"-1", b"true", b"null"):
        with pytest.raises(RefusedError, match="400 seconds must be a number"):
            await plivo.ask("POST", "clock/advance", body=b'{"seconds": %s}' % seconds)
    plivo.control = attrs.evolve(plivo.control, clock=VirtualClock())
    before = (await plivo.ask("GET", "clock"))["now"]
    assert (await plivo.ask("POST", "clock/advance", body=b'{"seconds": 60}'))["now"] > before


async def test_description_and_unknown_post(plivo: Plivo) -> None:
    assert (await plivo.ask("GET", "openapi.json"))["openapi"] == "3.1.0"
    for method, path in (("POST", "nothing"), ("DELETE", "nothing")):
        with pytest.raises(RefusedError, match="404 not found"):
            await plivo.ask(method, path)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "faults", rb'{"on": "start", "do": "cut", "conference": "\ud800"}'),
        ("POST", "faults", rb'{"on": "start", "do": "cut", "\ud800": 1}'),
        ("PUT", "dialect", rb'{"ended_message": "\ud800"}'),
        ("PUT", "dialects/a", rb'{"\ud800": 1}'),
        ("POST", "faults", rb'{"on": "start", "do": "cut", "times": [{"b": "\udfff"}]}'),
        ("POST", "clock/advance", b'{"seconds": 1e300}'),
    ],
)
async def test_refused_body_changes_nothing(plivo: Plivo, method: str, path: str, body: bytes) -> None:
    before = await plivo.ask("GET", "state")
    with pytest.raises(RefusedError, match="400 ") as refusal:
        await plivo.ask(method, path, body=body)
    assert refusal.value.error.encode()
    assert (await plivo.ask("GET", "state"), await plivo.ask("GET", "dialects")) == (before, {})
