from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.world import World
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
    for method, path in (("GET", "nothing"), ("PUT", "state")):
        with pytest.raises(RefusedError, match="404 not found"):
            await plivo.ask(method, path)


async def test_method_that_a_resource_does_not_have_is_refused(plivo: Plivo) -> None:
    for method, path in (("POST", "requests"), ("PUT", "faults"), ("GET", "reset"), ("TRACE", "state")):
        with pytest.raises(RefusedError, match="405 method not allowed") as refusal:
            await plivo.ask(method, path)
        assert refusal.value.headers["Allow"]
