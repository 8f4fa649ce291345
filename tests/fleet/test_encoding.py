"""Items and outcomes, written as JSON and read again."""

from __future__ import annotations

import json

import attrs
import pytest

from plivo_record_async import (
    Failed,
    NotSentError,
    OutcomeUnknownError,
    PlivoRecordError,
    StartRequest,
    StoreError,
    Succeeded,
    UnexpectedResponseError,
)
from plivo_record_async.fleet.encoding import decode_item, decode_outcome, encode_item, failure, success
from tests.support.samples.error_examples import EXAMPLES


@pytest.mark.parametrize("item", ["standup", StartRequest("ünï\0", file_format="wav", transcription_type="auto")])
@pytest.mark.parametrize("transcribe", [True, False])
def test_item_is_read_as_it_was_written(item: str | StartRequest, transcribe: bool) -> None:
    stored = json.loads(json.dumps(encode_item(item, transcribe=transcribe)))
    assert decode_item(stored) == (item, transcribe)


def test_start_is_a_success() -> None:
    assert decode_outcome("standup", success("s1")) == Succeeded("standup", "s1")


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_error_is_read_as_it_was_written(error: PlivoRecordError) -> None:
    stored = json.loads(json.dumps(failure(error)))
    assert stored[0] == ("unknown" if isinstance(error, OutcomeUnknownError | UnexpectedResponseError) else "failed")
    outcome = decode_outcome("standup", stored)
    assert isinstance(outcome, Failed)
    if attrs.has(type(error)) or isinstance(error, StoreError):
        assert type(outcome.error) is type(error)
        assert str(outcome.error) == str(error)
    if isinstance(error, NotSentError | OutcomeUnknownError | UnexpectedResponseError):
        assert vars(outcome.error) == vars(error)
    assert str(error) in str(outcome.error)


def test_any_exception_keeps_its_name_and_text() -> None:
    outcome = decode_outcome("standup", failure(KeyError("x")))
    assert type(outcome.error) is PlivoRecordError
    assert str(outcome.error) == "KeyError: 'x'"


def test_error_of_a_newer_version_keeps_its_name_and_content() -> None:
    outcome = decode_outcome("standup", ["failed", "NewError", {"status": 499}])
    assert type(outcome.error) is PlivoRecordError
    assert str(outcome.error) == "NewError: {'status': 499}"


def test_item_that_another_program_ended_has_failed() -> None:
    outcome = decode_outcome("standup", None)
    assert "another program ended this item in the fleet's database, with None" in str(outcome.error)
