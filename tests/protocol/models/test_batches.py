"""The outcome of one item of a batch."""

from __future__ import annotations

import pytest

from plivo_record_async.protocol.models import Failed, Outcome, Succeeded
from tests.support.samples.model_examples import REFUSED


def test_a_success_has_a_result_and_no_error() -> None:
    succeeded = Succeeded("a", None)
    assert (succeeded.ok, succeeded.result, succeeded.error) == (True, None, None)
    assert Succeeded("a", 5).unwrap() == 5


def test_a_failure_has_an_error_and_no_result() -> None:
    failed = Failed("a", REFUSED)
    assert (failed.ok, failed.result, failed.error) == (False, None, REFUSED)
    with pytest.raises(ValueError, match="no") as raised:
        failed.unwrap()
    assert raised.value is REFUSED


def test_an_outcome_is_one_of_two_classes() -> None:
    outcomes: list[Outcome[str, int]] = [Succeeded("a", 5), Failed("a", REFUSED)]
    for outcome in outcomes:
        assert isinstance(outcome, Succeeded | Failed)
        match outcome:
            case Succeeded(request, result):
                assert (request, result) == ("a", 5)
            case Failed(request, error):
                assert (request, error) == ("a", REFUSED)


def test_dictionary_of_an_outcome_says_whether_it_succeeded() -> None:
    assert Succeeded("a", 5).to_dict() == {"request": "a", "result": 5, "ok": True, "error": None}
    failed = Failed("a", REFUSED).to_dict()
    assert (failed["request"], failed["ok"], failed["result"]) == ("a", False, None)
