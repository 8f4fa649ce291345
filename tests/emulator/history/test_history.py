from __future__ import annotations

from datetime import UTC, datetime

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest
from plivo_record_async.emulator.history.history import History
from tests.emulator.history.test_events import events

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


async def test_everything_that_is_noted_is_published() -> None:
    history = History(keep=5)
    listening = history.events.listen()
    await anext(listening)
    history.note_request(ReceivedRequest(id=1, time=NOW, method="GET", path="/", query="", operation=None))
    callback = Callback(kind="response", url="http://h/", method="POST", fields={}, api_id="x")
    history.note_delivery(Delivery(id=1, callback_id=1, callback=callback, attempt=1, time=NOW))
    world = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h")
    history.note_changes(world.start("standup", {}, now=NOW, api_id="a", recording_id="r").changed)
    received = await events(listening, 4)
    assert [each[1] for each in received] == ["request", "delivery", "conference", "recording"]
    assert received[0][2] == history.requests.entries()[0].to_dict()
    assert received[1][2] == history.deliveries.entries()[0].to_dict()
    assert received[2][2] == world.conferences["standup"].to_dict()
    assert received[3][2] == world.recordings["r"].to_dict()


async def test_cleared_history_is_empty_and_says_so() -> None:
    history = History(keep=5)
    history.note_request(ReceivedRequest(id=1, time=NOW, method="GET", path="/", query="", operation=None))
    listening = history.events.listen()
    await anext(listening)
    history.clear()
    assert (history.requests.entries(), history.deliveries.entries()) == ([], [])
    ((_, kind, data),) = await events(listening, 1)
    assert (kind, data) == ("reset", {"reason": "the emulator was reset"})


async def test_new_state_of_a_fault_is_published() -> None:
    history = History(keep=5)
    listening = history.events.listen()
    await anext(listening)
    history.note_fault(Fault(on="start", do="cut"))
    ((_, kind, data),) = await events(listening, 1)
    assert (kind, data["on"], data["do"]) == ("fault", "start", "cut")
