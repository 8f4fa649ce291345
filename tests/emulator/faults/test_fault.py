from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.emulator.faults.fault import Fault, phrase_of


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"on": "start", "do": "cut"}, Fault(on="start", do="cut")),
        (
            {"on": "start", "conference": "x", "times": 2, "do": "status", "status": 503, "executed": True},
            Fault(on="start", conference="x", times=2, do="status", status=503, executed=True),
        ),
        ({"do": "randomly", "rate": 0.3}, Fault(do="randomly", rate=0.3)),
        ({"on": "callback", "do": "delay", "seconds": 1}, Fault(on="callback", do="delay", seconds=1)),
    ],
)
def test_fault_is_read_from_json(given: dict[str, Any], fault: Fault) -> None:
    assert Fault.of(given) == fault
    assert fault.to_dict().items() >= given.items()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "do must be one of status, "),
        ({"do": "explode"}, "do must be one of .* not 'explode'"),
        ({"do": []}, "do must be one of "),
        ({"do": "cut"}, "on is missing: one of start, stop, "),
        ({"on": "starts", "do": "cut"}, "on must be one of start, .* not 'starts'"),
        ({"on": "start", "do": "drop"}, "'drop' cannot happen to 'start'; what can is status, "),
        ({"on": "callback", "do": "cut"}, "'cut' cannot happen to 'callback'; what can is drop, "),
        ({"on": "start", "do": "cut", "seconds": 1}, "'seconds': not known for cut, only conference, do, on, times"),
        ({"on": "start", "do": "cut", "conference": 1}, "conference must be a name"),
        ({"on": "start", "do": "cut", "times": 0}, "times must be a whole number from 1"),
        ({"on": "start", "do": "cut", "times": True}, "times must be"),
        ({"on": "start", "do": "cut", "times": "1"}, "times must be"),
        ({"on": "start", "do": "status"}, "status needs status"),
        ({"on": "start", "do": "delay"}, "delay needs seconds"),
        ({"on": "start", "do": "delay", "seconds": -1}, "seconds must be a number from 0"),
        ({"on": "start", "do": "delay", "seconds": float("nan")}, "seconds must be a number from 0"),
        ({"on": "start", "do": "delay", "seconds": "1"}, "seconds must be a number from 0"),
        ({"on": "start", "do": "stall", "executed": "no"}, "executed must be true or false"),
        ({"do": "randomly"}, "randomly needs rate"),
        ({"do": "randomly", "rate": 1.1}, "rate must be a number from 0 to 1"),
    ],
)
def test_invalid_fault_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.of(given)


@pytest.mark.parametrize("status", [0, 99, 200, 204, 304, 600, -1, "503"])
def test_status_must_be_an_error(status: Any) -> None:
    with pytest.raises(ValueError, match=f"status must be an HTTP status .*, not {status!r}"):
        Fault(do="status", status=status)


@pytest.mark.parametrize("retry_after", ["", "1\r\nX: y", "ü", 1, "\0"])
def test_header_must_be_sendable(retry_after: Any) -> None:
    with pytest.raises(ValueError, match="retry_after must be"):
        Fault(do="status", status=429, retry_after=retry_after)


@pytest.mark.parametrize(
    ("on", "operations"),
    [
        ("start", {"start"}),
        ("api", {"start", "get", None}),
        ("any", {"start", "get", "media", None}),
    ],
)
def test_fault_concerns_its_target(on: Any, operations: set[str | None]) -> None:
    fault = Fault(on=on, do="cut")
    every = {"start", "get", "media", "callback", None}
    assert {each for each in every if fault.concerns(each, "x")} == operations
    assert not any(Fault(on=on, conference="y", do="cut").concerns(each, "x") for each in every)


def test_random_fault_concerns_callbacks_too() -> None:
    assert Fault(do="randomly", rate=1).concerns("callback", None)


@pytest.mark.parametrize(("status", "phrase"), [(503, "service unavailable"), (520, "status 520")])
def test_status_has_a_phrase(status: int, phrase: str) -> None:
    assert phrase_of(status) == phrase


def test_text_that_utf_8_cannot_encode_is_refused() -> None:
    for given in ({"conference": "\ud800"}, {"\ud800": 1}):
        with pytest.raises(ValueError, match=r"\\ud800") as caught:
            Fault.of({"on": "start", "do": "cut", **given})
        assert str(caught.value).encode()


def test_number_of_times_has_an_end() -> None:
    with pytest.raises(ValueError, match="times must be a whole number from 1 to 1000000000, or None"):
        Fault.of({"on": "start", "do": "cut", "times": 10**10})
