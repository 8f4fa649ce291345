"""Errors about followed recordings; `test_root` tests the rules for all errors."""

from __future__ import annotations

from plivo_record_async.errors import UnknownStartError, WaitTimeoutError
from tests.support.samples.error_examples import STATUS


def test_wait_timeout_error_is_a_timeout_error() -> None:
    error = WaitTimeoutError("ran out", recording=STATUS)
    assert isinstance(error, TimeoutError)
    assert error.recording is STATUS
    assert error.args == ("ran out",)


def test_unknown_start_error_is_a_lookup_error() -> None:
    error = UnknownStartError("start-9")
    assert isinstance(error, LookupError)
    assert error.start_id == "start-9"
