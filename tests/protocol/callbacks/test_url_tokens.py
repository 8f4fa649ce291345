"""URL tokens: a callback URL names its start, and only the holder of the auth token can issue it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async.protocol.callback_policy import CallbackPolicy
from plivo_record_async.protocol.callbacks.url_tokens import (
    CALLBACK_PATHS,
    CallbackPath,
    find_start_id,
    issue_url,
    names_start,
    read_start_id,
    without_proof,
)
from plivo_record_async.protocol.models import StartRequest

PUBLIC = "https://me.example/plivo"
TOKEN, OTHER = "the account's auth token", "a subaccount's auth token"
START = "Zm9vYmFyYmF6cXV4LV8xMg"


def query_of(url: str) -> str:
    return urlsplit(url).query


@pytest.mark.parametrize("path", CALLBACK_PATHS)
def test_issued_url_is_the_public_url_with_kind_and_token(path: CallbackPath) -> None:
    url = issue_url(PUBLIC, path, START, TOKEN)
    assert url.startswith(f"{PUBLIC}/{path}?")
    assert dict(parse_qsl(query_of(url))).keys() == {"plivo_record_start", "plivo_record_proof"}
    assert url == issue_url(PUBLIC, path, START, TOKEN)
    assert TOKEN not in url


def test_issued_url_stays_valid_with_a_policy() -> None:
    url = CallbackPolicy().apply(issue_url(PUBLIC, "recording", START, TOKEN))
    assert StartRequest("standup", callback_url=url).callback_url == url
    assert read_start_id("recording", query_of(url), [TOKEN]) == START


@given(st.sampled_from(CALLBACK_PATHS), st.text(st.characters(codec="utf-8"), min_size=1))
@example("recording", "a&b=c #ü+%00")
def test_issued_token_is_read(path: CallbackPath, start_id: str) -> None:
    assert read_start_id(path, query_of(issue_url(PUBLIC, path, start_id, TOKEN)), [TOKEN]) == start_id


def test_additions_to_the_query_are_ignored() -> None:
    query = query_of(issue_url(PUBLIC, "recording", START, TOKEN))
    assert read_start_id("recording", f"a=1&{query}&record_url=http%3A%2F%2Fu", [TOKEN]) == START


@pytest.mark.parametrize("query", ["", "a=1", "plivo_record_starts=1"])
def test_a_url_without_a_token_names_no_start(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


def test_either_auth_token_proves_a_url_during_rotation() -> None:
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
def test_start_id_without_proof_is_not_read(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@pytest.mark.parametrize(
    ("query", "named"), [(forged(plivo_record_proof=""), True), (f"a=1&{forged()}", True), ("", False), ("a=1", False)]
)
def test_start_id_is_named_with_and_without_proof(query: str, *, named: bool) -> None:
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
def test_token_with_differently_spelled_names_names_no_start(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@given(st.text())
def test_any_query_is_read_without_an_error(query: str) -> None:
    assert read_start_id("recording", query, [TOKEN]) is None


@pytest.mark.parametrize("path", CALLBACK_PATHS)
def test_a_token_is_found_in_the_text_that_was_signed(path: CallbackPath) -> None:
    """The signed text contains the query decoded and sorted, however it was encoded."""
    start, proof = query_of(issue_url(PUBLIC, path, START, TOKEN)).split("&")
    text = f"{PUBLIC}/{path}?{proof}&{start}.conference_namestandup.12345"
    assert find_start_id(path, text, [OTHER, TOKEN]) == START
    assert find_start_id(path, text, [OTHER]) is None
    assert find_start_id(path, text.replace(START, "another"), [TOKEN]) is None
    assert find_start_id(path, f"{PUBLIC}/{path}?a=b.conference_namestandup.12345", [TOKEN]) is None


def test_logged_query_contains_no_proof() -> None:
    query = query_of(issue_url(PUBLIC, "recording", START, TOKEN))
    start, proof = query.split("&")
    assert without_proof(query) == start
    assert without_proof(f"a=b&{proof}&{start}&{proof}") == f"a=b&{start}"
    assert without_proof(proof) == ""
