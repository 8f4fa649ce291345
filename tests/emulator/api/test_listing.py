from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.api.listing import listing

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
PATH = "/v1/Account/MA/Recording/"


def recording(number: int, *, name: str = "standup", age: timedelta = timedelta(), running: bool = False) -> Recording:
    return Recording(
        recording_id=str(number),
        api_id=f"api-{number}",
        call_uuid=f"call-{name}",
        conference_name=name,
        file_format="mp3",
        url=f"http://h/{number}.mp3",
        resource_uri=f"{PATH}{number}/",
        started_at=NOW - age - timedelta(seconds=60),
        ended_at=None if running else NOW - age,
    )


def listed(recordings: list[Recording], **given_arguments: str) -> list[str]:
    page = listing(recordings, given_arguments, path=PATH, now=NOW)
    return [each["recording_id"] for each in page["objects"]]


def meta(recordings: list[Recording], **given_arguments: str) -> Mapping[str, Any]:
    page: Mapping[str, Any] = listing(recordings, given_arguments, path=PATH, now=NOW)["meta"]
    return page


def test_list_starts_with_the_last_to_end_and_leaves_out_running_recordings() -> None:
    some = [recording(n, age=timedelta(minutes=age)) for n, age in enumerate([3, 1, 2])]
    assert listed([*some, recording(9, running=True)]) == ["1", "2", "0"]


def test_pages_follow_limit_and_offset() -> None:
    many = [recording(n, age=timedelta(minutes=n)) for n in range(45)]
    assert listed(many) == [str(n) for n in range(20)]
    assert meta(many) == {
        "limit": 20,
        "offset": 0,
        "previous": None,
        "next": f"{PATH}?limit=20&offset=20",
        "total_count": 45,
    }
    assert listed(many, limit="10", offset="40") == [str(n) for n in range(40, 45)]
    last = meta(many, limit="10", offset="40", conference_name="standup")
    assert (last["next"], last["previous"]) == (None, f"{PATH}?limit=10&offset=30&conference_name=standup")
    assert meta(many, limit="10", offset="5")["previous"] == f"{PATH}?limit=10&offset=0"
    assert listed(many, offset="45") == []


@given(st.integers(0, 50), st.integers(1, 20))
def test_all_pages_together_are_all_recordings(count: int, limit: int) -> None:
    many = [recording(n, age=timedelta(minutes=n)) for n in range(count)]
    found: list[str] = []
    for offset in range(0, max(count, 1), limit):
        found += listed(many, limit=str(limit), offset=str(offset))
        assert (meta(many, limit=str(limit), offset=str(offset))["next"] is None) == (offset + limit >= count)
    assert found == [str(n) for n in range(count)]


@pytest.mark.parametrize(("name", "value"), [("limit", "0"), ("limit", "21"), ("limit", "x"), ("offset", "-1")])
def test_invalid_limit_or_offset_is_refused(name: str, value: str) -> None:
    with pytest.raises(RefusedError, match=f"400 {name}"):
        listed([], **{name: value})


def test_names_are_compared_exactly() -> None:
    some = [recording(0), recording(1, name="Standup"), recording(2, name="a/b")]
    assert listed(some, conference_name="standup") == ["0"]
    assert listed(some, conference_name="a/b") == ["2"]
    assert listed(some, call_uuid="call-Standup") == ["1"]
    assert listed(some, unknown="x") == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["conference_uuid", "subaccount", "from_number", "to_number", "mpc_name", "mpc_uuid"])
def test_filter_that_matches_no_recording_gives_an_empty_list(name: str) -> None:
    assert listed([recording(0)], **{name: "x"}) == []


AGES = [recording(n, age=timedelta(days=age)) for n, age in enumerate([0, 6.9, 7.1, 20, 29, 31, 100])]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "01"),
        ({"add_time__gte": "2026-05-03"}, "0123"),
        ({"add_time__gte": "2026-05-11 12:00"}, "0123"),
        ({"add_time__gt": "2026-05-11 12:00:00"}, "012"),
        ({"add_time__gte": "2026-05-11 17:30:00.000000+05:30"}, "0123"),
        ({"add_time__gte": "2026-05-04", "add_time__lt": "2026-05-24 12:00:00"}, "23"),
        ({"add_time__lte": "2026-05-11 12:00:00"}, "3"),
        ({"add_time__lte": "2026-05-11 11:59:59.999999"}, ""),
        ({"add_time": "2026-05-11 12:00:00"}, "3"),
        ({"add_time__gt": "2027-01-01"}, ""),
    ],
)
def test_time_filters_select_by_end_time(filters: dict[str, str], found: str) -> None:
    assert listed(AGES, **filters) == list(found)


@pytest.mark.parametrize(
    "filters",
    [{"add_time__gte": "2026-05-01 11:59:59"}, {"add_time__gt": "2026-01-01", "add_time__lt": "2026-03-01"}],
)
def test_time_filter_over_thirty_days_is_refused(filters: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="30 days"):
        listed(AGES, **filters)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "1407235163907", "2026-13-01", "\0"),
        *("0001-01-01", "0001-01-01 00:00+23:59", "1969-12-31", "1970-01-01 00:00+00:01", "9999-12-31 23:59-00:01"),
    ],
)
@pytest.mark.parametrize("name", ["add_time", "add_time__gte", "add_time__lt"])
def test_malformed_time_filter_is_refused(name: str, text: str) -> None:
    with pytest.raises(RefusedError, match=f"400 {name} parameter is invalid"):
        listed([], **{name: text})


def test_filter_by_days_of_storage() -> None:
    assert listed([recording(0)], recording_storage_duration="0") == ["0"]
    assert listed([recording(0)], recording_storage_duration__lt="1") == ["0"]
    assert listed([recording(0)], recording_storage_duration__gte="1") == []
    with pytest.raises(RefusedError, match="400 recording_storage_duration__gt"):
        listed([], recording_storage_duration__gt="x")
    with pytest.raises(RefusedError, match="together with add_time"):
        listed([], recording_storage_duration="0", add_time__gt="2026-05-30")
