from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.quota import Quota
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.clock import VirtualClock
from plivo_record_async.emulator.control.schemas import SCHEMAS, array_of, reference
from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.history.entries import Delivery, ReceivedRequest

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


def world() -> World:
    made = World(auth_id="MAXXXXXXXXXXXXXXXXXX", url="http://h")
    made.start("x", {}, now=NOW, api_id="a", recording_id="r")
    made.stop("x", now=NOW, api_id="b")
    return made


CALLBACK = Callback(kind="recording", url="http://h/", method="POST", fields={}, api_id="x")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Request", ReceivedRequest(id=1, time=NOW, method="GET", path="/", query="", operation=None).to_dict()),
        ("Delivery", Delivery(id=1, callback_id=1, callback=CALLBACK, attempt=1, time=NOW).to_dict()),
        ("Conference", world().conferences["x"].to_dict()),
        ("Recording", world().recordings["r"].to_dict()),
        ("RecordingResource", world().recordings["r"].resource()),
        ("Clock", VirtualClock().to_dict()),
        ("Quota", Quota(1, 5.0).to_dict(NOW)),
        ("Dialect", Dialect().to_dict()),
    ],
)
def test_schema_has_every_field(name: str, shown: dict[str, Any]) -> None:
    assert set(SCHEMAS[name]["properties"]) == set(SCHEMAS[name]["required"]) == set(shown)


def test_schema_of_a_fault_has_the_arguments_of_all_verbs() -> None:
    faults = [Fault(do="status", status=503), Fault(do="delay", seconds=1), Fault(do="randomly", rate=1)]
    assert set(SCHEMAS["Fault"]["properties"]) == {name for fault in faults for name in fault.to_dict()}
    assert set(SCHEMAS["Fault"]["required"]) == set(Fault(do="cut").to_dict())


def test_schemas_are_referred_to_by_name() -> None:
    assert array_of("Fault") == {"type": "array", "items": reference("Fault")}
    assert reference("Fault") == {"$ref": "#/components/schemas/Fault"}
