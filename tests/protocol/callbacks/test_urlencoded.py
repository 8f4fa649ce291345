"""Queries and forms are decoded as the standard library decodes them, which the official SDK uses."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.callbacks.urlencoded import MOST_ODD_ESCAPES, MOST_PAIRS, read_pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("a=2&a=1", [("a", "2"), ("a", "1")]),
        ("a&b=", [("a", ""), ("b", "")]),
        ("&&a=1&", [("a", "1")]),
        ("=x&=", [("", "x"), ("", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a%20b=%2B%26%3D", [("a b", "+&=")]),
        ("%C3%BC=%f0%9f%8e%99", [("ü", "🎙")]),
        ("a=%7B%22b%22%3A%201%7D", [("a", '{"b": 1}')]),
        ("a=%2%22&b=%%3A22&c=%C3%22&d=%2522", [("a", '%2"'), ("b", "%:22"), ("c", '\ufffd"'), ("d", "%22")]),
        ("a=%ff&b=%&c=%zz", [("a", "\ufffd"), ("b", "%"), ("c", "%zz")]),
        ("é=\ud83d", [("é", "\ud83d")]),
    ],
)
def test_names_and_values_are_decoded(text: str, pairs: list[tuple[str, str]]) -> None:
    assert read_pairs(text) == pairs


PIECES = (
    "&",
    "=",
    "+",
    "%",
    "%",
    "\r",
    "\n",
    "_",
    "%0D%0A",
    "%0A",
    "%20",
    "%3D",
    ";",
    "2",
    "A",
    "F",
    " ",
    "ü",
    "\ud83d",
    "%22",
    "%3A",
    "%3a",
    "%7D",
    "%25",
    "%C3",
    "%BC",
)
ESCAPES = ("&", "=", "+", "a", "F", "_", " ", "\n", "%0A", "%0D%0A", "%3D", "%25", "%26", "%C3%BC", "%C3", "%00", "%7f")


@given(st.lists(st.sampled_from(PIECES) | st.characters()).map("".join))
def test_decoding_agrees_with_the_standard_library(text: str) -> None:
    assert read_pairs(text) == parse_qsl(text, keep_blank_values=True)


def test_the_number_of_pairs_is_bounded() -> None:
    assert len(read_pairs("&".join(["a=1"] * MOST_PAIRS))) == MOST_PAIRS
    for text in ("&".join(["a=1"] * (MOST_PAIRS + 1)), "&" * 60_000, "ab&" * 20_000):
        with pytest.raises(
            ValueError, match=f"at most {MOST_PAIRS} names and values, but {text.count('&') + 1} were received"
        ):
            read_pairs(text)


@given(st.lists(st.sampled_from(ESCAPES)).map("".join))
def test_decoding_agrees_with_the_standard_library_where_no_escape_is_broken(text: str) -> None:
    assert read_pairs(text) == parse_qsl(text, keep_blank_values=True)


@pytest.mark.parametrize("odd", ["%", "é", "%4", "%zz", "\ud83d"])
def test_text_that_is_slow_to_decode_must_be_short(odd: str) -> None:
    most = "%41" * (MOST_ODD_ESCAPES - 1) + odd
    assert read_pairs(most) == parse_qsl(most, keep_blank_values=True)
    with pytest.raises(ValueError, match="it is not a form"):
        read_pairs("%41" * MOST_ODD_ESCAPES + "%41" + odd)
    assert read_pairs("a=" + "%41" * 100_000) == [("a", "A" * 100_000)]
