"""The defaults of a request."""

from __future__ import annotations

from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.results import read_nothing


def test_request_is_not_repeatable_by_default() -> None:
    request = Request(operation="a call", name="call", route="/", method="POST", path="/", read=read_nothing)
    assert (request.repeatable, request.read_already_executed, request.start_id) == (False, None, None)
