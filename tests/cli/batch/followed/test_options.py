from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from plivo_record_async.cli.batch.followed.options import FollowingOptions, following_of
from plivo_record_async.cli.batch.followed.tracking import Following

NOTHING: dict[str, Any] = {
    "store": None, "batch": None, "resume": False, "wait": None, "download": None, "public_url": None, "listen": None
}  # fmt: skip
IN_STORE = {"store": "s.db", "batch": "monday"}
URL = "https://me.example/plivo"


def following(*, is_stdin: bool = False, **given: Any) -> Following | None:
    return following_of(FollowingOptions(**NOTHING | given), is_stdin=is_stdin, concurrency=1, timeout=None)


def test_batch_without_these_options_follows_nothing() -> None:
    assert following() is None
    assert following(wait="accepted") is None


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        (IN_STORE, "accepted"),
        ({"wait": "recorded"}, "recorded"),
        ({"download": Path("d")}, "recorded"),
        ({"download": Path("d"), "wait": "transcribed"}, "transcribed"),
    ],
)
def test_stage_is_what_the_options_need(given: dict[str, Any], stage: str) -> None:
    found = following(**given)
    assert found is not None
    assert found.stage == stage


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"wait": "recorded", "public_url": URL}, ("127.0.0.1", 8766)),
        ({"wait": "recorded", "public_url": "http://127.0.0.1:9000/plivo"}, ("127.0.0.1", 9000)),
        ({"wait": "recorded", "public_url": URL, "listen": "0.0.0.0:80"}, ("0.0.0.0", 80)),
        ({"wait": "recorded", "public_url": URL, "listen": "[::1]:0"}, ("::1", 0)),
        ({"wait": "recorded"}, None),
        ({**IN_STORE, "public_url": URL}, None),
    ],
)
def test_callbacks_are_received_only_by_a_batch_that_waits(given: dict[str, Any], address: object) -> None:
    found = following(**given)
    assert found is not None
    assert found.address == address


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"batch": "monday"}, "--batch and --resume need --store"),
        ({"resume": True}, "--batch and --resume need --store"),
        ({"store": "s.db"}, "--store needs --batch NAME"),
        ({"store": "s.db", "batch": ""}, "1 to 100 printable characters"),
        ({"store": "s.db", "batch": "a\nb"}, "1 to 100 printable characters"),
        ({"store": "s.db", "batch": "a" * 101}, "1 to 100 printable characters"),
        ({**IN_STORE, "resume": True, "is_stdin": True}, "standard input cannot be resumed"),
        ({"download": Path("d"), "wait": "accepted"}, "--download needs recordings that have ended"),
        ({"public_url": URL}, "--public-url needs --store or --wait recorded"),
        ({"wait": "recorded", "listen": "127.0.0.1:1"}, "--listen needs --public-url"),
        ({**IN_STORE, "public_url": URL, "listen": "127.0.0.1:1"}, "--listen needs --public-url, and --wait"),
        ({"wait": "recorded", "public_url": URL, "listen": "8766"}, "--listen must be HOST:PORT, not '8766'"),
        ({"wait": "recorded", "public_url": URL, "listen": "a:70000"}, "--listen must be HOST:PORT"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(click.UsageError) as raised:
        following(**given)
    assert reason in raised.value.message
