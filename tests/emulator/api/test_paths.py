from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.emulator.api.paths import authority_of, first_segment, segments


@given(st.lists(st.text()))
def test_path_is_split_into_the_segments_that_were_joined(names: list[str]) -> None:
    path = "/".join(["", *(quote(name, safe="") for name in names)])
    assert segments(path.encode()) == (names or [""])


@given(st.binary())
def test_any_path_gives_segments_or_none(path: bytes) -> None:
    assert len(segments(b"/" + path)) in {0, path.count(b"/") + 1}


@pytest.mark.parametrize(
    ("target", "address", "path"),
    [
        (b"/v1/x", None, ["v1", "x"]),
        (b"/http://h/x", None, ["http:", "", "h", "x"]),
        (b"http://h:80/v1/x", "h:80", ["v1", "x"]),
        (b"HTTPS://H/", "H", [""]),
        (b"http://h", "h", [""]),
        (b"http:///x", "", ["x"]),
        (b"ftp://h/x", None, ["ftp:", "", "h", "x"]),
        (b"*", None, ["*"]),
        (b"h:80", None, ["h:80"]),
    ],
)
def test_a_target_may_be_an_absolute_url(target: bytes, address: str | None, path: list[str]) -> None:
    assert (authority_of(target), segments(target)) == (address, path)


@pytest.mark.parametrize("target", [b"/__emulator__/deliveries/%ff", b"http://h/__emulator__/\xff", b"/%5F_emulator__"])
def test_first_segment_is_known_even_if_the_rest_is_not_utf_8(target: bytes) -> None:
    assert first_segment(target) == "__emulator__"


@pytest.mark.parametrize("target", [b"/%ff/__emulator__", b"*", b"/", b""])
def test_other_first_segments(target: bytes) -> None:
    assert first_segment(target) != "__emulator__"
