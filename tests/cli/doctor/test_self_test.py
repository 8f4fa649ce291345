from __future__ import annotations

from typing import Any

import attrs
import pytest

from plivo_record_async import ApiResponse, parse_callback
from plivo_record_async.cli.doctor.check import Check
from plivo_record_async.cli.doctor.self_test import ArrivedRequest, SelfTest, compare

TEST = SelfTest(public_url="https://me.example/plivo", auth_token="a-secret-token")
ARRIVED = ArrivedRequest(
    method="POST",
    path="/plivo/recording",
    query="plivo_record_doctor=a%20b%2Bc%26d",
    headers={**TEST.headers, "host": "127.0.0.1:8000", "x-forwarded-proto": "https"},
    body=TEST.body,
)


def compared(**changes: Any) -> list[Check]:
    return list(compare(TEST, attrs.evolve(ARRIVED, **changes)))


def test_request_is_a_genuine_callback_that_reports_no_recording() -> None:
    event = parse_callback("POST", TEST.url, TEST.headers, TEST.body, auth_tokens="a-secret-token")
    assert isinstance(event, ApiResponse)
    assert (event.api_id, event.error) == ("plivo-record-doctor", None)


def test_auth_token_is_not_shown() -> None:
    assert "a-secret-token" not in repr(TEST)


@pytest.mark.parametrize("path", ["/plivo/recording", "/recording", "/recording/"])
def test_request_that_arrives_unaltered_is_ok_also_without_its_prefix(path: str) -> None:
    signature, arrival = compared(path=path)
    assert (signature.result, arrival.result) == ("ok", "ok")
    assert arrival.finding == f"the request arrives as POST {path} for 127.0.0.1:8000, x-forwarded-proto: https"


def test_query_that_is_encoded_in_another_way_is_ok() -> None:
    assert compared(query="plivo_record_doctor=a+b%2bc%26d")[0].result == "ok"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method": "GET"}, "POST arrives as GET"),
        ({"path": "/plivo/"}, "the path arrives as /plivo/"),
        ({"query": ""}, "arrives as ''"),
        ({"query": "plivo_record_doctor=a b+c&d"}, "the query 'plivo_record_doctor=a%20b%2Bc%26d' arrives as"),
        ({"headers": {"content-type": "application/x-www-form-urlencoded"}}, "x-plivo-signature-v3, x-plivo-"),
        ({"headers": TEST.headers | {"content-type": "application/json"}}, "the body or its Content-Type"),
        ({"body": b""}, "the body or its Content-Type"),
    ],
)
def test_each_difference_is_a_problem_with_advice(changes: dict[str, object], reason: str) -> None:
    problem, arrival = compared(**changes)
    assert (problem.name, problem.result, arrival.result) == ("callback_signature", "problem", "ok")
    assert reason in problem.finding
    assert problem.advice
