"""A known field whose name and value were split in another place is distinguished from a new field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.errors import MalformedCallbackError
from plivo_record_async.protocol.callbacks.field_confusion import find_shifted_name
from plivo_record_async.protocol.callbacks.known_fields import KNOWN_NAMES
from plivo_record_async.protocol.callbacks.parsing import parse_callback
from plivo_record_async.protocol.models import RecordingEnded, UnknownCallback
from tests.support.samples.callbacks import (
    HONEST,
    RECORDING_ENDED,
    RECORDING_ENDED_2012,
    RECORDING_ENDED_CAMEL_CASE,
    TOKEN,
    TRANSCRIPTION_ENDED,
    callback,
    reason_of,
)

RECORDED_URL, ID = RECORDING_ENDED["record_url"], RECORDING_ENDED["recording_id"]


def moved_borders(fields: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield forms in which one letter or more moves from a name to its value, or from a value to its name."""
    for name, value in fields.items():
        both, rest = name + value, {one: fields[one] for one in fields if one != name}
        for end in range(len(both) + 1):
            if end != len(name) and both[:end] not in rest:
                yield both[:end], rest | {both[:end]: both[end:]}


@pytest.mark.parametrize("fields", HONEST)
def test_genuine_fields_are_whole(fields: dict[str, str]) -> None:
    assert find_shifted_name(fields) is None


@pytest.mark.parametrize("fields", HONEST)
def test_each_moved_field_border_is_rejected_or_looks_like_a_new_field(fields: dict[str, str]) -> None:
    for name, cut in moved_borders(fields):
        if find_shifted_name(cut) is None:
            known = next(known for known in KNOWN_NAMES if name.startswith(known) or known.startswith(name))
            assert name.removeprefix(known) in {"s", ""} or fields[known] in {"", "record_done", "record done"}, name


@pytest.mark.parametrize(
    ("fields", "shifted_name"),
    [
        ({"record_ur": f"l{RECORDED_URL}"}, "record_ur"),
        ({"record_urlhttps": RECORDED_URL.removeprefix("https")}, "record_urlhttps"),
        ({"messagerecord": "_done"}, "messagerecord"),
        ({"messagerecord_done": ""}, "messagerecord_done"),
        ({"": f"record_url{RECORDED_URL}"}, ""),
        ({"recording_duration": "_ms12345"}, "recording_duration"),
        ({"recording_duration_m": "s12345"}, "recording_duration_m"),
        ({"recording_duration1": "2"}, "recording_duration1"),
        ({f"recording_id{ID[:2]}": ID[2:]}, f"recording_id{ID[:2]}"),
        ({"RecordingDuration": "Ms12345"}, "RecordingDuration"),
        ({"RecordUrlHTTPS": "://h/x"}, "RecordUrlHTTPS"),
        ({"recording_id": ID, "transcription": "_charge0.05"}, "transcription"),
        ({"conference_nameMy Conf": " Room", "record_url": RECORDED_URL}, "conference_nameMy Conf"),
        ({"response{": '"api_id": "1"}'}, "response{"),
        ({"respon": 'se{"api_id": "1"}'}, "respon"),
        ({"api_id": "1", "errorno such": " conference"}, "errorno such"),
        ({"api_id": "1", "e": "rrorno such conference"}, "e"),
    ],
)
def test_error_names_the_split_field(fields: dict[str, str], shifted_name: str) -> None:
    assert find_shifted_name(fields) == shifted_name
    with pytest.raises(MalformedCallbackError, match="may be a known field whose name and value were split"):
        parse_callback(**callback(fields), auth_tokens=TOKEN)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"record": "yes", "rec": "ord"},
        {"record_format": "wav", "recordings": "2", "a": "pi", "m": "ssage"},
        {"message_uuid": "97ceeb52"},
        {"messages": "2"},
        {"recording_id_v2": "x"},
        {"rounded_recording_duration": "60"},
        {"recording_duration_s": "60"},
        {"record_urls": RECORDED_URL},
        {"record_url_expires": "60"},
        {"response_code": "200"},
        {"response_time": "0.1"},
        {"duration_ms": "12"},
        {"conference_name_hash": "x"},
        {"error": "", "errorcode": "0"},
        {"errored": "no", **RECORDING_ENDED},
        {"": "", "Event": "RecordStop"},
    ],
)
def test_new_names_are_whole(fields: dict[str, str]) -> None:
    assert find_shifted_name(fields) is None


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        (RECORDING_ENDED, {"message_uuid": "97ceeb52"}),
        (RECORDING_ENDED, {"messages": "2"}),
        (RECORDING_ENDED_2012, {"rounded_recording_duration": "60"}),
        (RECORDING_ENDED_2012, {"recording_id_v2": "x"}),
        (RECORDING_ENDED_2012, {"recording_durations": "1,2"}),
        (RECORDING_ENDED_CAMEL_CASE, {"ConferenceUUIDs": "1"}),
        ({name: TRANSCRIPTION_ENDED[name] for name in ("recording_id", "transcription")}, {"error_code": "0"}),
    ],
)
def test_new_fields_that_may_hide_a_missing_one_are_kept_but_not_trusted(
    fields: dict[str, str], new: dict[str, str]
) -> None:
    event = parse_callback(**callback(fields | new), auth_tokens=TOKEN)
    assert event == UnknownCallback(raw=fields | new)
    assert isinstance(event, UnknownCallback)
    assert "may be a field of another event" in reason_of(event)


@pytest.mark.parametrize(
    "new", [{"rounded_recording_duration": "60"}, {"recording_id_v2": "x"}, {"error_code": "0"}, {"record_urls": "x"}]
)
def test_new_fields_beside_the_known_one_are_trusted(new: dict[str, str]) -> None:
    assert isinstance(parse_callback(**callback(RECORDING_ENDED | new), auth_tokens=TOKEN), RecordingEnded)


@given(st.dictionaries(st.text(), st.text()))
def test_other_fields_are_not_rejected(extra: dict[str, str]) -> None:
    fields = RECORDING_ENDED | extra
    if find_shifted_name(fields) is not None:
        assert any((name + value).startswith(known) for name, value in extra.items() for known in KNOWN_NAMES)
