"""Errors with which Plivo's API answers; `test_root` tests the rules for all errors."""

from __future__ import annotations

import pytest

from plivo_record_async.errors import ApiError, RateLimitError, ServerError
from tests.support.samples.error_examples import EXAMPLES, rejected


def test_data_of_an_api_error_is_in_its_attributes() -> None:
    error = rejected(RateLimitError, 429, retry_after=1.5)
    assert isinstance(error, RateLimitError)
    assert (error.status, error.api_id, error.message, error.body) == (429, "api-1", "no", '{"error": "no"}')
    assert (error.operation, error.retry_after) == ("start of 'standup'", 1.5)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES if isinstance(error, ApiError)], ids=repr)
def test_only_a_server_error_leaves_open_whether_the_request_was_executed(error: ApiError) -> None:
    assert ("may or may not have been executed" in error.advice) == isinstance(error, ServerError)
    assert ("not executed" in error.advice) != isinstance(error, ServerError)
    assert str(error).endswith(error.advice)


def test_advice_replaces_that_of_the_class() -> None:
    error = ApiError(301, None, "moved", "", advice="Correct base_url.")
    assert str(error) == "the request: Plivo answered 301 (moved). Correct base_url."
