"""What a request is unless it says otherwise."""

from __future__ import annotations

from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.results import read_nothing


def test_a_request_is_sent_once_unless_it_says_that_it_is_repeatable() -> None:
    request = Request(operation="a call", method="POST", path="/", read=read_nothing)
    assert (request.repeatable, request.read_already_done, request.start_id) == (False, None, None)
