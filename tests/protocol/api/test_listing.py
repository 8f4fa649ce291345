"""Paging: every recording is listed once, whatever the server says about its pages, and the list always ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.api.listing import Listing, time_windows
from plivo_record_async.protocol.api.results import Page
from plivo_record_async.protocol.models import Recording

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Answer = Callable[[Mapping[str, str]], Page]


def asked(listing: Listing) -> dict[str, str]:
    assert listing.request is not None
    return dict(parse_qsl(urlsplit(listing.request.path).query, keep_blank_values=True))


def listed(server: Answer, *, at_most: int = 200, **span: Any) -> list[str | None]:
    """Return the IDs that are listed. Fail after more than ``at_most`` requests."""
    listing = Listing(now=NOW, **span)
    ids: list[str | None] = []
    for _ in range(at_most):
        if listing.request is not None:
            ids += [row.recording_id for row in listing.take(server(asked(listing)))]
    assert listing.request is None, f"no end after {at_most} requests"
    return ids


def rows(ids: Sequence[object]) -> tuple[Recording, ...]:
    return tuple(Recording(recording_id=str(each)) for each in ids)


def server(
    count: int,
    *,
    size: int = 20,
    following: Callable[[Mapping[str, str], int], str | None] | None = None,
    says_total: bool = True,
    says_limit: bool = True,
    total: int | None = None,
) -> Answer:
    """Return a server with a number of recordings and pages of at most ``size``."""

    def answer(query: Mapping[str, str]) -> Page:
        offset, limit = int(query["offset"]), min(size, int(query["limit"]))
        end = offset + limit
        address = None if following is None or end >= count else following(query, end)
        return Page(
            rows=rows(range(count)[offset:end]),
            next=address,
            ends=following is not None and end >= count,
            limit=limit if says_limit else None,
            total=(count if total is None else total) if says_total else None,
        )

    return answer


def relative(query: Mapping[str, str], offset: int) -> str:
    return f"/v1/Account/MA/Recording/?{urlencode({**query, 'offset': offset})}"


def elsewhere(query: Mapping[str, str], offset: int) -> str:
    return f"https://evil.example:8443{relative(query, offset)}#fragment"


def without_filters(query: Mapping[str, str], offset: int) -> str:
    return f"/Recording/?limit=5&offset={offset}"


def without_offset(query: Mapping[str, str], offset: int) -> str:
    return "/Recording/?limit=20"


def always_the_first(query: Mapping[str, str], offset: int) -> str:
    return relative(query, 0)


def far_away(query: Mapping[str, str], offset: int) -> str:
    return relative(query, 999_999)


def garbage(query: Mapping[str, str], offset: int) -> str:
    return "http://[::1?offset"


def no_number(query: Mapping[str, str], offset: int) -> str:
    return f"?offset={'9' * 5_000}&limit=20"


def too_long(query: Mapping[str, str], offset: int) -> str:
    return f"{relative(query, offset)}&x={'y' * 10_000}"


NEXT = [None, relative, elsewhere, without_filters, without_offset, always_the_first, far_away]
GARBAGE = [garbage, no_number, too_long]


@pytest.mark.parametrize("following", [*NEXT, *GARBAGE])
@pytest.mark.parametrize("size", [1, 7, 19, 20])
@pytest.mark.parametrize("count", [0, 1, 20, 21, 45])
@pytest.mark.parametrize("says_total", [True, False])
def test_every_recording_is_listed_whatever_the_server_says_of_its_pages(
    following: Any, size: int, count: int, says_total: bool
) -> None:
    answer = server(count, size=size, following=following, says_total=says_total)
    assert listed(answer) == [str(number) for number in range(count)]


@pytest.mark.parametrize("size", [1, 7, 19])
@pytest.mark.parametrize("told", [{"following": relative}, {"says_limit": True}, {"says_total": True}])
def test_single_hint_about_small_pages_is_enough(size: int, told: dict[str, Any]) -> None:
    options: dict[str, Any] = {"says_total": False, "says_limit": False, **told}
    answer = server(45, size=size, **options)
    assert listed(answer) == [str(number) for number in range(45)]


@pytest.mark.parametrize("total", [0, 1, 20, 44, 46, 1_000_000])
@pytest.mark.parametrize("following", [None, relative])
def test_wrong_total_count_hides_no_recording(total: int, following: Any) -> None:
    assert listed(server(45, following=following, total=total)) == [str(number) for number in range(45)]


@pytest.mark.parametrize("count", [0, 19, 20, 40])
def test_no_page_is_requested_after_the_server_says_it_was_the_last(count: int) -> None:
    requests: list[str] = []

    def counted(query: Mapping[str, str]) -> Page:
        requests.append(query["offset"])
        return server(count, following=relative)(query)

    listed(counted)
    assert requests == [str(offset) for offset in range(0, max(count, 1), 20)]


def test_only_the_query_of_the_next_page_is_used_and_no_filter_is_changed_by_it() -> None:
    def other_filters(query: Mapping[str, str], offset: int) -> str:
        other = {"conference_name": "another", "add_time__gte": "1970-01-01", "cursor": "abc"}
        return f"https://user:password@evil.example/steal?{urlencode({**other, 'offset': offset})}"

    listing = Listing(conference_name="a/b c", added_after=NOW - DAY, now=NOW)
    first = asked(listing)
    assert first == {
        "conference_name": "a/b c",
        "add_time__gte": "2026-02-28 12:00:00.000000",
        "limit": "20",
        "offset": "0",
    }
    listing.take(server(45, following=other_filters)(first))
    assert asked(listing) == {**first, "offset": "20", "cursor": "abc"}
    assert listing.request is not None
    assert listing.request.path.startswith("/Recording/?")


@pytest.mark.parametrize("words", ["\ud800", "\n", "ü", "%", "&&&=;"])
def test_any_url_of_a_next_page_makes_a_request(words: str) -> None:
    listing = Listing(now=NOW)
    listing.take(Page(rows=rows(range(20)), next=f"?offset=20&x={words}"))
    assert asked(listing)["offset"] == "20"
    assert listing.request is not None
    assert listing.request.path.isascii()
    assert listing.request.path.isprintable()


# Every list ends


def ignores_offset(query: Mapping[str, str]) -> Page:
    return Page(rows=rows(range(20)), next=relative(query, int(query["offset"]) + 20), total=20)


def clamps_offset(query: Mapping[str, str]) -> Page:
    offset = min(int(query["offset"]), 25)
    return Page(rows=rows(range(45)[offset : offset + 20]), total=45)


def goes_round(query: Mapping[str, str]) -> Page:
    offset = int(query["offset"]) % 60
    return Page(rows=rows(range(offset, offset + 20)), next=relative(query, int(query["offset"]) + 20))


def gives_empty_pages(query: Mapping[str, str]) -> Page:
    offset = int(query["offset"])
    return Page(rows=rows(range(20)) if not offset else (), next=relative(query, offset + 20), total=1_000)


def repeats_rows_without_ids(query: Mapping[str, str]) -> Page:
    return Page(
        rows=tuple(Recording(raw={"number": number}) for number in range(20)),
        next=relative(query, int(query["offset"]) + 20),
    )


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (ignores_offset, 20),
        (clamps_offset, 45),
        (goes_round, 60),
        (gives_empty_pages, 20),
        (repeats_rows_without_ids, 20),
    ],
)
def test_listing_ends_although_the_server_always_gives_a_next_page(answer: Answer, count: int) -> None:
    assert len(listed(answer, at_most=count // 20 + 2)) == count


def test_listing_ends_when_far_more_rows_came_than_the_server_counts() -> None:
    numbers = itertools.count()

    def endless(query: Mapping[str, str]) -> Page:
        return Page(
            rows=rows([next(numbers) for _ in range(20)]), next=relative(query, int(query["offset"]) + 20), total=9
        )

    assert 1_000 < len(listed(endless)) < 1_100


def test_listing_ends_although_the_total_count_grows_with_each_page() -> None:
    totals = itertools.count(20, 100)

    def repeats(query: Mapping[str, str]) -> Page:
        return Page(rows=rows(range(20)), next=relative(query, int(query["offset"]) + 20), total=next(totals))

    assert listed(repeats, at_most=1_000) == [str(number) for number in range(20)]


# Completeness


@pytest.mark.parametrize(
    ("answer", "complete"),
    [
        (server(45, following=relative), True),
        (server(45, size=7, following=relative, says_total=False), True),
        (server(40, says_total=False), True),
        (server(0), True),
        (server(45, total=46), False),
        (ignores_offset, False),
        (clamps_offset, False),
        (goes_round, False),
        (gives_empty_pages, False),
    ],
)
def test_listing_is_complete_only_if_the_server_showed_everything(answer: Answer, complete: bool) -> None:
    listing = Listing(now=NOW)
    while listing.request is not None:
        assert not listing.complete
        listing.take(answer(asked(listing)))
    assert listing.complete is complete


def test_listing_is_complete_only_if_each_of_its_windows_is() -> None:
    listing = Listing(added_after=NOW - 58 * DAY, now=NOW)
    while listing.request is not None:
        query = asked(listing)
        listing.take(server(3)(query) if "add_time__lte" in query else ignores_offset(query))
    assert not listing.complete


# Recordings that are added in the meantime


@pytest.mark.parametrize("added_at_each_page", [0, 1, 19, 20, 40])
def test_recording_added_while_listing_hides_nothing_and_causes_no_duplicate(added_at_each_page: int) -> None:
    newest = 45

    def busy(query: Mapping[str, str]) -> Page:
        nonlocal newest
        offset = int(query["offset"])
        kept = [str(number) for number in range(newest)][::-1]
        newest += added_at_each_page if len(kept) < 500 else 0
        return Page(rows=rows(kept[offset : offset + 20]), total=len(kept), next=relative(query, offset + 20))

    ids = listed(busy)
    assert len(ids) == len(set(ids))
    assert set(ids) >= {str(number) for number in range(45)}


# Rows without valid IDs


def test_rows_without_ids_are_listed_once_each() -> None:
    odd = tuple(Recording(raw={"row": number}) for number in (1, 2, 1))
    listing = Listing(now=NOW)
    assert [row.raw["row"] for row in listing.take(Page(rows=odd))] == [1, 2]


def test_only_the_latest_ids_of_a_long_list_are_remembered() -> None:
    listing = Listing(now=NOW)
    for first in range(0, 10_020, 20):
        assert len(listing.take(Page(rows=rows(range(first, first + 20)), next=f"?offset={first + 20}"))) == 20
    again = listing.take(Page(rows=rows([0, 10_019]), next="?offset=20000"))
    assert [row.recording_id for row in again] == ["0"]


def test_rows_with_the_same_invalid_id_are_listed_once_each() -> None:
    odd = tuple(Recording(recording_id="N/A", added_at=NOW + number * DAY) for number in (1, 2, 1))
    assert Listing(now=NOW).take(Page(rows=odd)) == list(odd[:2])


def test_a_row_that_is_nested_too_deeply_is_listed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    listing = Listing(now=NOW)
    assert len(listing.take(Page(rows=(Recording(raw=deep), Recording(recording_id="r"))))) == 2


# Windows


def spans(added_after: datetime | None, added_before: datetime | None) -> list[tuple[datetime | None, datetime | None]]:
    return list(time_windows(added_after, added_before, NOW))


def test_list_without_times_is_one_request_without_time_filter() -> None:
    assert spans(None, None) == [(None, None)]


def test_a_short_span_is_one_window() -> None:
    assert spans(NOW - 29 * DAY, None) == [(NOW - 29 * DAY, None)]
    assert spans(NOW - 40 * DAY, NOW - 20 * DAY) == [(NOW - 40 * DAY, NOW - 20 * DAY)]
    assert spans(NOW, NOW) == [(NOW, NOW)]


def test_list_without_a_beginning_covers_a_week() -> None:
    assert spans(None, NOW - 20 * DAY) == [(NOW - 27 * DAY, NOW - 20 * DAY)]
    assert spans(None, NOW + 20 * DAY) == [(NOW - 7 * DAY, None)]


def test_a_long_span_is_several_windows_the_newest_first() -> None:
    assert spans(NOW - 60 * DAY, None) == [
        (NOW - 29 * DAY, None),
        (NOW - 58 * DAY, NOW - 29 * DAY),
        (NOW - 60 * DAY, NOW - 58 * DAY),
    ]


def test_no_window_lies_in_the_future_or_before_plivo() -> None:
    ages = datetime.min.replace(tzinfo=UTC)
    end_of_time = datetime.max.replace(tzinfo=UTC)
    everything = spans(ages, end_of_time)
    assert everything[0] == (NOW - 29 * DAY, None)
    assert everything[-1][0] == datetime(2011, 1, 1, tzinfo=UTC)
    assert len(everything) < 200
    assert spans(ages, ages) == spans(None, ages) == []
    assert spans(end_of_time, end_of_time) == [(NOW + DAY, None)]


times = st.none() | st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(times, times)
def test_windows_cover_their_span_without_a_gap(added_after: datetime | None, added_before: datetime | None) -> None:
    if added_after and added_before and added_after > added_before:
        with pytest.raises(ValueError, match="added_after must not be later than added_before"):
            Listing(added_after=added_after, added_before=added_before, now=NOW)
        return
    found = spans(added_after, added_before)
    for (newer_from, newer_to), (_, older_to) in itertools.pairwise(found):
        assert older_to == newer_from
        assert newer_from is not None
        assert (newer_to or NOW) - newer_from <= 30 * DAY
    if added_after and found:
        assert found[-1][0] == min(max(added_after, datetime(2011, 1, 1, tzinfo=UTC)), NOW + DAY)
    if added_before and found:
        assert found[0][1] in {added_before, None}


def test_a_recording_on_the_border_of_two_windows_is_listed_once() -> None:
    requests: list[Mapping[str, str]] = []

    def border(query: Mapping[str, str]) -> Page:
        requests.append(query)
        return Page(rows=rows(["newer", "border"] if len(requests) == 1 else ["border", "older"]))

    assert listed(border, added_after=NOW - 58 * DAY) == ["newer", "border", "older"]
    assert requests[0]["add_time__gte"] == requests[1]["add_time__lte"]


def test_a_window_that_the_server_makes_endless_does_not_hide_the_next() -> None:
    requests: Iterator[int] = itertools.count(1)

    def answer(query: Mapping[str, str]) -> Page:
        next(requests)
        return ignores_offset(query) if "add_time__lte" not in query else Page(rows=rows(["older"]))

    assert listed(answer, added_after=NOW - 58 * DAY)[-1] == "older"
    assert next(requests) == 4


@pytest.mark.parametrize("name", ["added_after", "added_before"])
def test_naive_times_raise_at_once(name: str) -> None:
    times: dict[str, Any] = {name: datetime(2026, 1, 2)}  # noqa: DTZ001 - the point
    with pytest.raises(ValueError, match=f"^{name} must be aware"):
        Listing(now=NOW, **times)
