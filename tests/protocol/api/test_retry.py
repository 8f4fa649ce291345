"""The decisions about retries, as a table of (error, repeatable, attempt)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    Phase,
    PlivoRecordError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from plivo_record_async.protocol.api.retry import RetryBudget, RetryPolicy, decisive_error, may_have_been_executed


def not_sent(phase: Phase) -> NotSentError:
    return NotSentError("start", "why", phase=phase, evidence="seen")


def unknown(**more: Any) -> OutcomeUnknownError:
    return OutcomeUnknownError("start", "why", phase="answer", evidence="seen", **more)


def refused(kind: type[ApiError], status: int) -> ApiError:
    return kind(status, "a", "words", "body")


NEVER: list[PlivoRecordError] = [
    not_sent("queue"),
    not_sent("quota"),
    refused(BadRequestError, 400),
    refused(AuthenticationError, 401),
    refused(PermissionDeniedError, 403),
    refused(NotFoundError, 404),
    refused(MethodNotAllowedError, 405),
    refused(BadRequestError, 409),
    refused(BadRequestError, 422),
    refused(ApiError, 302),
    ConfigurationError("why"),
]
ALWAYS: list[PlivoRecordError] = [not_sent("connect"), not_sent("send"), refused(RateLimitError, 429)]
WHERE_HARMLESS: list[PlivoRecordError] = [
    unknown(),
    unknown(status=500),
    unknown(status=503),
    unknown(status=503, api_id="a"),
    refused(ServerError, 503),
    UnexpectedResponseError(202, "<html>", "why"),
]


def kind(error: PlivoRecordError) -> str:
    return f"{type(error).__name__} {getattr(error, 'status', None) or getattr(error, 'phase', '')}"


@pytest.mark.parametrize("error", NEVER, ids=kind)
@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("opted_in", [False, True])
def test_errors_that_are_never_retried(error: PlivoRecordError, repeatable: bool, opted_in: bool) -> None:
    policy = RetryPolicy(retry_503_starts=opted_in)
    assert policy.wait(error, repeatable=repeatable, attempt=1, jitter=0.5) is None


@pytest.mark.parametrize("error", ALWAYS, ids=kind)
@pytest.mark.parametrize("repeatable", [False, True])
def test_errors_that_are_always_retried(error: PlivoRecordError, repeatable: bool) -> None:
    assert RetryPolicy().wait(error, repeatable=repeatable, attempt=1, jitter=0.5) is not None


@pytest.mark.parametrize("error", WHERE_HARMLESS, ids=kind)
def test_errors_that_are_retried_only_for_repeatable_requests(error: PlivoRecordError) -> None:
    assert RetryPolicy().wait(error, repeatable=False, attempt=1, jitter=0.5) is None
    assert RetryPolicy().wait(error, repeatable=True, attempt=1, jitter=0.5) is not None


def test_start_is_retried_after_503_only_on_request_and_without_an_api_id() -> None:
    policy = RetryPolicy(retry_503_starts=True)
    again = [error for error in WHERE_HARMLESS if policy.wait(error, repeatable=False, attempt=1, jitter=1) is not None]
    assert [(type(error), error.__dict__["status"]) for error in again] == [(OutcomeUnknownError, 503)]
    assert again[0].__dict__["api_id"] is None


@pytest.mark.parametrize("error", ALWAYS + WHERE_HARMLESS, ids=kind)
@pytest.mark.parametrize("max_retries", [0, 1, 2, 5])
def test_retries_stop_at_the_maximum(error: PlivoRecordError, max_retries: int) -> None:
    policy = RetryPolicy(max_retries=max_retries)
    sent_again = [
        attempt
        for attempt in range(1, 10)
        if policy.wait(error, repeatable=True, attempt=attempt, jitter=0.5) is not None
    ]
    assert sent_again == list(range(1, max_retries + 1))


def test_retry_after_429_waits_for_the_quota_and_not_for_the_backoff() -> None:
    assert RetryPolicy().wait(refused(RateLimitError, 429), repeatable=False, attempt=2, jitter=1.0) == 0.0


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0), (7, 8.0), (1_000, 8.0)]
)
def test_backoff_doubles_up_to_its_maximum(attempt: int, longest: float) -> None:
    policy = RetryPolicy(max_retries=1_000)
    waits = [policy.wait(not_sent("connect"), repeatable=False, attempt=attempt, jitter=j) for j in (0.0, 0.5, 1.0)]
    assert waits == [0.0, longest / 2, longest]


@given(
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 100),
    first=st.floats(0.001, 10),
    longest=st.floats(0.001, 60),
)
def test_jitter_keeps_within_its_bounds(jitter: float, attempt: int, first: float, longest: float) -> None:
    policy = RetryPolicy(max_retries=100, first_wait=first, longest_wait=longest)
    wait = policy.wait(not_sent("connect"), repeatable=False, attempt=attempt, jitter=jitter)
    assert wait is not None
    assert 0 <= wait <= min(longest, first * 2.0 ** (attempt - 1))


@pytest.mark.parametrize("error", [*NEVER, *ALWAYS, *WHERE_HARMLESS], ids=kind)
def test_request_that_may_have_been_executed_stays_unknown(error: PlivoRecordError) -> None:
    assert may_have_been_executed(error) is (error in WHERE_HARMLESS)


# Errors in the order of how much they say about a whole call.
WITNESSES: list[list[PlivoRecordError]] = [
    [not_sent("connect"), not_sent("quota")],
    [refused(RateLimitError, 429)],
    [unknown(repeatable=True), refused(ServerError, 503), UnexpectedResponseError(200, "", "why")],
    [refused(NotFoundError, 404), refused(AuthenticationError, 401), refused(BadRequestError, 400)],
]


@pytest.mark.parametrize(("earlier", "last"), [*itertools.product(range(4), range(4))])
def test_stronger_error_counts_and_of_equal_errors_the_last_one(earlier: int, last: int) -> None:
    for first, second in itertools.product(WITNESSES[earlier], WITNESSES[last]):
        assert decisive_error(first, second) is (second if last >= earlier else first)


@pytest.mark.parametrize("error", [*NEVER, *ALWAYS, *WHERE_HARMLESS], ids=kind)
def test_single_error_is_raised_as_it_is(error: PlivoRecordError) -> None:
    assert decisive_error(None, error) is error


@pytest.mark.parametrize("last", [*NEVER, *ALWAYS], ids=kind)
def test_start_that_was_retried_after_an_unknown_attempt_stays_unknown(last: PlivoRecordError) -> None:
    doubt = unknown(status=503)
    assert decisive_error(doubt, last) is doubt


@pytest.mark.parametrize("last", WHERE_HARMLESS, ids=kind)
def test_later_unknown_outcome_replaces_an_earlier_one(last: PlivoRecordError) -> None:
    assert decisive_error(unknown(status=503), last) is last


def test_a_tenth_of_the_calls_may_be_retries() -> None:
    budget = RetryBudget(balance=0.0)
    assert not budget.spend()
    granted = 0
    for _ in range(1_000):
        budget.earn()
        granted += budget.spend()
    assert 99 <= granted <= 100


def test_idle_client_has_a_reserve_of_retries() -> None:
    budget = RetryBudget()
    assert sum(budget.spend() for _ in range(100)) == 10


def test_retry_budget_grows_no_further_than_its_maximum() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(1_000)) == 100
