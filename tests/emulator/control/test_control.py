from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.clock import VirtualClock
from plivo_record_async.emulator.control.control import Control
from tests.emulator.history.test_events import events
from tests.support.emulator_app import app_around

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def callbacks() -> list[Callback]:
    return []


@pytest.fixture
def control(callbacks: list[Callback]) -> Control:
    world = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h", quota=Quota(9, 5.0))
    return app_around(world, callbacks, auth_token="a-token").control


def start(control: Control, number: int = 1) -> None:
    given = {"callback_url": "http://h/cb"}
    result = control.world.start(f"room {number}", given, now=NOW, api_id=f"a{number}", recording_id=f"r{number}")
    control.apply(result)


async def test_reset_forgets_everything(control: Control, callbacks: list[Callback]) -> None:
    start(control)
    control.end_conference("room 1")
    fault = control.faults.on("start").cut()
    assert control.state()["faults"] == [fault.to_dict()]
    assert len(callbacks) == 1
    await control.reset()
    state = control.state()
    assert (state["conferences"], state["recordings"], state["deliveries"], callbacks) == ({}, [], [], [])
    assert (state["faults"], state["quota"]["used"], state["clock"]["mode"]) == ([], 0, "real")


def test_state_may_be_limited_to_the_latest(control: Control) -> None:
    for number in range(3):
        start(control, number)
        control.end_conference(f"room {number}")
    state = control.state(limit=1)
    assert list(state["conferences"]) == ["room 2"]
    assert [each["recording_id"] for each in state["recordings"]] == ["r2"]
    assert [each["recording_id"] for each in state["deliveries"]] == ["r2"]


def test_conference_is_opened_and_ended(control: Control) -> None:
    assert control.open_conference("x") == {"conference_name": "x"}
    assert control.end_conference("x") == {"conference_name": "x", "ended_recordings": []}
    with pytest.raises(RefusedError, match="404"):
        control.end_conference("x")


def test_delivery_is_replayed(control: Control, callbacks: list[Callback]) -> None:
    start(control)
    control.end_conference("room 1")
    assert control.replay(1).replay_of == 1
    assert len(callbacks) == 2
    with pytest.raises(RefusedError, match="404 there is no delivery 7 in the log"):
        control.replay(7)


def test_dialect_is_set_for_all_or_for_one(control: Control) -> None:
    control.set_dialect(Dialect(stop_status=200))
    control.set_dialect(Dialect(stop_status=202), "x")
    assert [control.world.dialect_of(name).stop_status for name in ("x", "y", None)] == [202, 200, 200]


async def test_only_a_virtual_clock_is_advanced(control: Control) -> None:
    with pytest.raises(ValueError, match="the clock is real: only a virtual clock can be advanced"):
        await control.advance(1)


async def test_advanced_clock_is_published(control: Control) -> None:
    clock = VirtualClock()
    virtual = attrs.evolve(control, clock=clock)
    listening = control.history.events.listen()
    await anext(listening)
    before = clock.now()
    await virtual.advance(60)
    assert clock.now() - before == timedelta(seconds=60)
    assert virtual.state()["clock"] == clock.to_dict()
    ((_, kind, data),) = await events(listening, 1)
    assert (kind, data) == ("clock", clock.to_dict())
