"""A callback's URL names its start, and nobody else can make one that does."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async.protocol.callbacks.url_tokens import (
    PLACES,
    Place,
    find_start_id,
    issue_url,
    names_start,
    read_start_id,
    without_proof,
)
from plivo_record_async.protocol.models import StartRequest
from plivo_record_async.protocol.policy import CallbackPolicy

PUBLIC = "https://me.example/plivo"
TOKEN, OTHER = "the account's auth token", "a subaccount's auth token"
START = "Zm9vYmFyYmF6cXV4LV8xMg"


def query_of(url: str) -> str:
    return urlsplit(url).query


@pytest.mark.parametrize("place", PLACES)
def test_a_url_is_where_we_are_reached_with_its_kind_and_a_query(place: Place) -> None:
    url = issue_url(PUBLIC, place, START, TOKEN)
    assert url.startswith(f"{PUBLIC}/{place}?")
    assert dict(parse_qsl(query_of(url))).keys() == {"plivo_record_start", "plivo_record_proof"}
    assert url == issue_url(PUBLIC, place, START, TOKEN)
    assert TOKEN not in url


def test_a_url_survives_the_policy_and_our_own_checks() -> None:
    url = CallbackPolicy().apply(issue_url(PUBLIC, "recording", START, TOKEN))
    assert StartRequest("standup", callback_url=url).callback_url == url
    assert read_start_id("recording", query_of(url), [TOKEN]) == START


@given(st.sampled_from(PLACES), st.text(st.characters(codec="utf-8"), min_size=1))
@example("recording", "a&b=c #ü+%00")
def test_what_was_issued_is_read(place: Place, start_id: str) -> None:
    assert read_start_id(place, query_of(issue_url(PUBLIC, place, start_id, TOKEN)), [TOKEN]) == start_id


def test_what_others_add_to_the_query_does_not_matter() -> None:
    query = query_of(issue_url(PUBLIC, "recording", START, TOKEN))
    assert read_start_id("recording", f"a=1&{query}&record_url=http%3A%2F%2Fu", [TOKEN]) == START


@pytest.mark.parametrize("query", ["", "a=1", "plivo_record_starts=1"])
def test_a_url_without_a_token_names_no_start(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


def test_during_a_rotation_either_token_proves() -> None:
    query = query_of(issue_url(PUBLIC, "recording", START, OTHER))
    assert read_start_id("recording", query, [TOKEN, OTHER]) == START
    assert read_start_id("recording", query, [OTHER, TOKEN]) == START
    assert read_start_id("recording", query, [TOKEN]) is None


def forged(**changes: str) -> str:
    query = dict(parse_qsl(query_of(issue_url(PUBLIC, "recording", START, TOKEN))))
    return urlencode({**query, **changes})


@pytest.mark.parametrize(
    "query",
    [
        forged(plivo_record_start="another"),
        forged(plivo_record_start=""),
        forged(plivo_record_proof=""),
        forged(plivo_record_proof="0" * 32),
        forged(plivo_record_proof="ü" * 32),
        forged() + "0",
        forged() + "&plivo_record_start=another",
        forged() + "&" + forged(),
        "&".join(part for part in forged().split("&") if "proof" in part),
        "&".join(part for part in forged().split("&") if "start=" in part),
        query_of(issue_url(PUBLIC, "transcription", START, TOKEN)),
        query_of(issue_url(PUBLIC, "recording", START, OTHER)),
        forged().replace("&", ";"),
    ],
)
def test_a_start_without_its_proof_is_not_read(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@pytest.mark.parametrize(
    ("query", "named"), [(forged(plivo_record_proof=""), True), (f"a=1&{forged()}", True), ("", False), ("a=1", False)]
)
def test_a_start_is_named_whether_or_not_it_is_proven(query: str, *, named: bool) -> None:
    assert names_start(query) is named


@pytest.mark.parametrize(
    "query",
    [
        forged().replace("plivo", "%70livo"),
        forged().replace("&", "%26").replace("=", "%3D"),
        "a=1%26" + forged().replace("&", "%26"),
        "x" + forged().replace("&", "&x"),
    ],
)
def test_names_that_are_spelled_otherwise_than_they_were_issued_name_no_start(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@given(st.text())
def test_no_query_breaks_the_reading(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_found_in_the_text_that_was_signed(place: Place) -> None:
    """Whatever the query was spelled like: the text has it decoded and sorted."""
    start, proof = query_of(issue_url(PUBLIC, place, START, TOKEN)).split("&")
    text = f"{PUBLIC}/{place}?{proof}&{start}.conference_namestandup.12345"
    assert find_start_id(place, text, [OTHER, TOKEN]) == START
    assert find_start_id(place, text, [OTHER]) is None
    assert find_start_id(place, text.replace(START, "another"), [TOKEN]) is None
    assert find_start_id(place, f"{PUBLIC}/{place}?a=b.conference_namestandup.12345", [TOKEN]) is None


def test_what_is_shown_of_a_query_holds_no_proof() -> None:
    query = query_of(issue_url(PUBLIC, "recording", START, TOKEN))
    start, proof = query.split("&")
    assert without_proof(query) == start
    assert without_proof(f"a=b&{proof}&{start}&{proof}") == f"a=b&{start}"
    assert without_proof(proof) == ""
