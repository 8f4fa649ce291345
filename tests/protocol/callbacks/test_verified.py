"""The attributes of a request with a valid signature."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from plivo_record_async.protocol.callbacks.verified import VerifiedCallback


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        ([], {}),
        ([("b", "2"), ("a", "1")], {"b": "2", "a": "1"}),
        ([("a", "1"), ("b", ""), ("a", "1"), ("a", "2")], {"a": ["1", "1", "2"], "b": ""}),
    ],
)
def test_raw_keeps_every_value(fields: list[tuple[str, str]], raw: dict[str, object]) -> None:
    callback = VerifiedCallback(method="POST", fields=fields, signed_text="", nonce="1")
    assert callback.raw == raw
    assert json.loads(json.dumps(callback.raw)) == raw


def test_raw_of_a_get_begins_with_the_issued_query() -> None:
    callback = VerifiedCallback(method="GET", issued=[("a", "1")], fields=[("a", "2")], signed_text="", nonce="1")
    assert callback.raw == {"a": ["1", "2"]}


def test_digest_covers_only_the_signed_text() -> None:
    one = VerifiedCallback(method="POST", fields=[("a", "1")], signed_text="https://h/?a1.7", nonce="7")
    other = VerifiedCallback(method="GET", fields=[], signed_text="https://h/?a1.7", nonce="7")
    assert one.digest == other.digest == sha256(b"https://h/?a1.7").hexdigest()
    assert VerifiedCallback(method="POST", fields=[], signed_text="\ud800", nonce="1").digest
