from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.emulator.faults.fault import Fault
from plivo_record_async.emulator.faults.faults import Faults


def faults_of(seed: int = 0) -> tuple[Faults, list[Fault]]:
    published: list[Fault] = []
    return Faults(seed=seed, publish=published.append), published


def test_fault_happens_as_often_as_it_was_set() -> None:
    faults, published = faults_of()
    fault = faults.on("start", conference="x", times=2).cut()
    assert [each.id for each in faults] == [fault.id]
    taken = [faults.take("start", "x") for _ in range(3)]
    assert [each and each.do for each in taken] == ["cut", "cut", None]
    assert [(each.times, each.happened, each.active) for each in published] == [
        (2, 0, True),
        (1, 1, True),
        (0, 2, False),
    ]
    assert len(faults) == 0


def test_fault_without_a_limit_happens_until_it_is_removed() -> None:
    faults, published = faults_of()
    fault = faults.on("any").stall()
    assert all(faults.take("get", None) for _ in range(3))
    assert faults.remove(fault.id)
    assert not faults.remove(fault.id)
    assert faults.take("get", None) is None
    assert not published[-1].active


def test_first_fault_that_was_set_happens_first() -> None:
    faults, _ = faults_of()
    faults.on("api", times=1).status(429, retry_after="2")
    faults.on("start").reset_after_execution()
    assert [getattr(faults.take("start", "x"), "do", None) for _ in range(2)] == ["status", "reset_after_execution"]
    faults.clear()
    assert list(faults) == []


@pytest.mark.parametrize(
    ("on", "verb", "arguments", "fault"),
    [
        ("start", "status", {"status": 503, "executed": True}, Fault(do="status", status=503, executed=True)),
        ("start", "reset_before_execution", {}, Fault(do="reset_before_execution")),
        ("start", "stall", {}, Fault(do="stall", executed=True)),
        ("start", "stall", {"executed": False}, Fault(do="stall")),
        ("start", "delay", {"seconds": 2}, Fault(do="delay", seconds=2)),
    ],
)
def test_verbs_set_faults(on: Any, verb: str, arguments: dict[str, Any], fault: Fault) -> None:
    faults, _ = faults_of()
    made = getattr(faults.on(on, times=3), verb)(**arguments)
    assert (made.do, made.status, made.executed, made.seconds) == (
        fault.do,
        fault.status,
        fault.executed,
        fault.seconds,
    )
    assert (made.on, made.times, made.id) == (on, 3, 1)


def test_invalid_fault_is_not_set() -> None:
    faults, published = faults_of()
    with pytest.raises(ValueError, match="'drop' cannot happen to 'start'"):
        faults.on("start").drop()
    with pytest.raises(ValueError, match="on must be one of"):
        faults.on("nothing").cut()  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate must be"):
        faults.randomly(rate=2)
    with pytest.raises(ValueError, match="do must be"):
        faults.add_json({"on": "start"})
    assert (len(faults), published) == (0, [])


def test_random_faults_depend_on_the_seed() -> None:
    def sequence(seed: int) -> list[str | None]:
        faults, _ = faults_of(seed)
        faults.randomly(rate=0.5)
        taken = [faults.take(operation, "x") for operation in ["start", "callback"] * 50]
        return [each.do if each else None for each in taken]

    first = sequence(1)
    assert first == sequence(1)
    assert first != sequence(2)
    assert 20 < sum(each is not None for each in first) < 80
    assert {"drop", "duplicate", "unsigned", "reorder"} & set(first)
    assert {"status", "cut", "stall", "reset_after_execution"} & set(first)


def test_random_fault_of_no_probability_never_happens() -> None:
    faults, _ = faults_of()
    faults.randomly(rate=0, on="start")
    assert not any(faults.take("start", "x") for _ in range(100))


@pytest.mark.parametrize("verb", ["drop", "duplicate", "unsigned", "reorder"])
def test_verbs_set_faults_of_callbacks(verb: str) -> None:
    faults, _ = faults_of()
    assert getattr(faults.on("callback"), verb)() == faults.take("callback", "standup")
