"""The table of known fields is complete, and it identifies the kinds of callbacks."""

from __future__ import annotations

import pytest

from plivo_record_async.protocol.callbacks.known_fields import (
    FREE_TEXT_NAMES,
    ID_NAMES,
    KNOWN_NAMES,
    NAMES_BY_KIND,
    ORDINARY_WORDS,
    URL_NAMES,
    VALUE_STARTS,
    holds_known_name,
    missing_names,
)
from tests.support.samples.callbacks import (
    HONEST,
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TRANSCRIPTION_ENDED,
)


@pytest.mark.parametrize("fields", HONEST)
def test_the_fields_of_every_documented_callback_are_known(fields: dict[str, str]) -> None:
    assert fields.keys() <= KNOWN_NAMES


def test_each_known_name_is_matched_in_one_way() -> None:
    assert VALUE_STARTS.keys().isdisjoint(ORDINARY_WORDS)
    assert KNOWN_NAMES >= ID_NAMES | URL_NAMES | FREE_TEXT_NAMES
    for names in NAMES_BY_KIND.values():
        assert names <= KNOWN_NAMES


@pytest.mark.parametrize("text", ["xrecord_urlhttps://h", "error", "the_error_room", "RecordUrl", "a.response{"])
def test_text_that_contains_a_known_name_is_recognized(text: str) -> None:
    assert holds_known_name(text)


@pytest.mark.parametrize("text", ["", "standup", "record url", "My Conf Room"])
def test_text_without_a_known_name_is_not_recognized(text: str) -> None:
    assert not holds_known_name(text)


def test_missing_fields_depend_on_the_kind_of_callback() -> None:
    assert missing_names(frozenset(RECORDING_ENDED)) == {"message"}
    assert missing_names(frozenset(RECORDING_ENDED_2012)) == RECORDING_ENDED.keys() - RECORDING_ENDED_2012.keys()
    assert "record_url" not in missing_names(frozenset(RECORDING_ENDED_CAMEL_CASE))
    assert missing_names(frozenset(TRANSCRIPTION_ENDED)) == frozenset()
    assert missing_names(frozenset({"response"})) == frozenset()
    assert missing_names(frozenset[str]()) == KNOWN_NAMES
    assert missing_names(frozenset({"RecordUrl", "record_url"})) == KNOWN_NAMES - {"RecordUrl", "record_url"}
