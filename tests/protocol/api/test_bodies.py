"""The body of a response: decompression, decoding, and how much of its JSON is read."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.api.bodies import (
    LONGEST_DECOMPRESSED,
    decompressed,
    parse_json_object,
    string_fields,
    text_of,
)

BODY = json.dumps({"api_id": "2867b6e2", "message": "conference recording started"}).encode()


def headless(body: bytes) -> bytes:
    """Compress with deflate but without zlib's header, as some servers do."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, "gzip"),
    "gzip by its old name": (gzip.compress, "x-gzip"),
    "in capitals, with spaces": (gzip.compress, " GZIP "),
    "deflate": (zlib.compress, "deflate"),
    "deflate without a header": (headless, "deflate"),
    "twice": (lambda body: gzip.compress(zlib.compress(body)), "deflate, gzip"),
    "nothing": (bytes, ""),
    "identity": (bytes, "identity"),
}


@pytest.mark.parametrize(("pack", "encodings"), PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("body", [BODY, b"", b"<html>", BODY * 1_000])
def test_compressed_body_is_decompressed(pack: Callable[[bytes], bytes], encodings: str, body: bytes) -> None:
    assert decompressed(pack(body), encodings) == body


@pytest.mark.parametrize("encodings", ["gzip", "deflate", "br", "zstd", "gzip, br", "no such thing", ",,"])
def test_decompressed_body_is_not_changed(encodings: str) -> None:
    assert decompressed(BODY, encodings) == BODY
    assert decompressed(b"\r\n " + BODY, encodings) == b"\r\n " + BODY


def test_body_that_cannot_be_decompressed_is_not_changed() -> None:
    packed = gzip.compress(BODY)
    assert decompressed(packed, "br") == packed
    damaged = packed[:-8] + bytes(8)
    assert decompressed(damaged, "gzip") == damaged


def test_beginning_of_a_truncated_body_is_decompressed() -> None:
    body = json.dumps({"api_id": "2867b6e2", "words": [str(number) for number in range(1_000)]}).encode()
    packed = gzip.compress(body)
    beginning = decompressed(packed[: len(packed) // 2], "gzip")
    assert string_fields(text_of(beginning))["api_id"] == "2867b6e2"


def test_decompression_is_limited() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    assert len(decompressed(bomb, "gzip")) == LONGEST_DECOMPRESSED
    assert len(decompressed(gzip.compress(bomb), "gzip, gzip")) == LONGEST_DECOMPRESSED


@given(st.binary(), st.lists(st.sampled_from(["gzip", "deflate", "br", ""])).map(",".join))
def test_any_bytes_become_text(body: bytes, encodings: str) -> None:
    assert isinstance(text_of(decompressed(body, encodings)), str)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "latin-1"]
)
def test_text_is_decoded_with_its_own_encoding(encoding: str) -> None:
    text = '{"message": "enregistrement démarré", "recording_id": "r"}'
    assert text_of(text.encode(encoding)) == text


def test_truncated_character_does_not_change_the_others() -> None:
    assert text_of('{"message": "démarré'.encode()[:-1]) == '{"message": "démarr'


def test_bytes_that_are_not_utf_8_are_read_as_latin_1() -> None:
    assert text_of(b"\xff\xe9") == "ÿé"


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\x00"[:0]])
def test_error_says_that_a_body_is_empty(body: bytes) -> None:
    with pytest.raises(ValueError, match="the response is empty"):
        parse_json_object(text_of(body))


@pytest.mark.parametrize(
    "body",
    [b"<html>busy</html>", b'{"api_id": "28', b"\xff\xfe\xfd", b"{'api_id': 1}", b"[" * 100_000],
    ids=["HTML", "cut off", "not text", "not JSON", "too deep"],
)
def test_error_shows_a_body_that_is_not_json(body: bytes) -> None:
    with pytest.raises(ValueError, match="the response is not JSON: ") as caught:
        parse_json_object(text_of(body))
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"17", b"null", b"true", b"NaN", b"9" * 5_000])
def test_error_shows_json_that_is_not_an_object(body: bytes) -> None:
    with pytest.raises(ValueError, match="the response is not a JSON object: "):
        parse_json_object(text_of(body))


ODD: dict[str, tuple[str, dict[str, object]]] = {
    "spaces around it": (' \r\n{"api_id": "a"}\n', {"api_id": "a"}),
    "a comment behind it": ('{"api_id": "a"}\n<!-- served by cache 7 -->', {"api_id": "a"}),
    "two of them": ('{"api_id": "a"}{"api_id": "b"}', {"api_id": "a"}),
    "a name twice": ('{"api_id": "a", "api_id": "b"}', {"api_id": "b"}),
    "numbers that are none": (
        '{"api_id": "a", "x": NaN, "y": [Infinity, -Infinity]}',
        {"api_id": "a", "x": "NaN", "y": ["Infinity", "-Infinity"]},
    ),
    "a number of 5,000 digits": ('{"api_id": "a", "x": %s}' % ("9" * 5_000), {"api_id": "a", "x": "9" * 5_000}),
    "half a character": ('{"api_id": "a", "x": "\\ud83d"}', {"api_id": "a", "x": "\ud83d"}),
}


@pytest.mark.parametrize(("text", "data"), ODD.values(), ids=ODD)
def test_odd_json_is_read_as_far_as_possible(text: str, data: object) -> None:
    assert parse_json_object(text) == data


BROKEN: dict[str, tuple[str, dict[str, str]]] = {
    "cut off": ('{"api_id": "2867b6e2", "recording_id": "r", "mess', {"api_id": "2867b6e2", "recording_id": "r"}),
    "cut off in an id": ('{"recording_id": "r", "api_id": "2867', {"recording_id": "r"}),
    "within HTML": ('<pre>{"api_id" : "a", "n": 1</pre>', {"api_id": "a"}),
    "with escapes": (r'{"url": "https:\/\/f", "api_id": "a"', {"api_id": "a"}),
    "twice": ('{"api_id": "a", "rows": [{"api_id": "b"}', {"api_id": "a"}),
    "none": ("<html>busy</html>", {}),
}


@pytest.mark.parametrize(("text", "texts"), BROKEN.values(), ids=BROKEN)
def test_ids_in_broken_json_are_read(text: str, texts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="the response is not JSON"):
        parse_json_object(text)
    assert string_fields(text) == texts


@given(st.binary())
def test_any_bytes_are_an_object_or_a_value_error(body: bytes) -> None:
    try:
        data = parse_json_object(text_of(body))
    except ValueError:
        return
    assert isinstance(data, dict)
