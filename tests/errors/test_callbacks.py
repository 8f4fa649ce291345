"""Errors that reject a callback; `test_root` tests the rules for all errors."""

from __future__ import annotations

import pytest

from plivo_record_async.errors import (
    CallbackRejectedError,
    MalformedCallbackError,
    SignatureMismatchError,
    SignatureMissingError,
)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CallbackRejectedError, 403),
        (SignatureMissingError, 403),
        (SignatureMismatchError, 403),
        (MalformedCallbackError, 400),
    ],
)
def test_rejected_callback_has_the_status_to_answer(kind: type[CallbackRejectedError], status: int) -> None:
    assert kind("no").status == status


def test_status_to_answer_is_in_the_dictionary_of_a_rejected_callback() -> None:
    assert SignatureMismatchError("no").to_dict() == {"type": "SignatureMismatchError", "error": "no", "status": 403}
