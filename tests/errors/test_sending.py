"""Errors of requests whose outcome is not sent or unknown; `test_root` tests the rules for all errors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial

import pytest

from plivo_record_async.errors import NotSentError, OutcomeUnknownError, UnexpectedResponseError


@pytest.mark.parametrize(
    "make",
    [
        partial(OutcomeUnknownError, "start", "cut", phase="send", evidence="e"),
        partial(UnexpectedResponseError, 200, "", "it is empty"),
    ],
)
def test_error_of_tracked_start_names_it_and_pickles_with_notes(
    make: Callable[..., OutcomeUnknownError | UnexpectedResponseError],
) -> None:
    assert make().start_id is None
    assert "client.list_recordings" in str(make())
    error = make(start_id="start-1")
    assert "tracker.get('start-1')" in str(error)
    error.add_note("a note")
    other = pickle.loads(pickle.dumps(error))
    assert (other.start_id, other.__notes__) == ("start-1", ["a note"])


def test_not_sent_error_has_neither_status_nor_api_id() -> None:
    assert (NotSentError.status, NotSentError.api_id) == (None, None)


def test_unreadable_success_of_a_start_counts_as_executed() -> None:
    assert "it counts as executed" in str(UnexpectedResponseError(202, "", "it is empty"))
    error = UnexpectedResponseError(200, "{}", "the response contains an error: no", message="no")
    assert "it may have been executed all the same" in str(error)
    assert "counts as executed" not in str(error)


def test_error_of_a_request_that_may_be_repeated_says_so() -> None:
    assert "it is safe to call again" in str(NotSentError("start", "refused", phase="connect", evidence="e"))
    unknown = OutcomeUnknownError("stop", "cut", phase="send", evidence="e", repeatable=True)
    for error in (unknown, UnexpectedResponseError(204, "?", "it is not empty", repeatable=True)):
        assert str(error).endswith("It is safe to repeat: call again.")
