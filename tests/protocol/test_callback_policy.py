"""The fragment in which a policy is written into a URL, and the valid options of a policy."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urldefrag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async.protocol.callback_policy import CallbackPolicy

REGIONS = ["nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"]

policies = st.builds(
    CallbackPolicy,
    retries=st.integers(0, 5),
    retry_on=st.lists(st.sampled_from(["ct", "rt", "4xx", "5xx", "all"]), min_size=1, unique=True),
    connect_ms=st.none() | st.integers(100, 10_000),
    read_ms=st.none() | st.integers(100, 40_000),
    total_ms=st.none() | st.integers(100, 55_000),
    region=st.none() | st.sampled_from(REGIONS),
)


def test_default_policy_asks_for_every_retry_that_plivo_offers() -> None:
    assert CallbackPolicy().apply("https://h/cb?q=1") == "https://h/cb?q=1#rc=5&rp=ct,rt,5xx&tt=55000"


def test_every_option_has_its_key() -> None:
    policy = CallbackPolicy(
        retries=3, retry_on=["all"], connect_ms=2000, read_ms=3000, total_ms=None, region="frankfurt"
    )
    assert policy.apply("http://h") == "http://h#rc=3&rp=all&ct=2000&rt=3000&er=frankfurt"


@pytest.mark.parametrize("url", ["https://h?", "HTTPS://H/a%2fb;c?x=%7e&x", "http://[::1]:80/ü", "https://h/"])
def test_apply_changes_only_the_fragment(url: str) -> None:
    assert CallbackPolicy().apply(url).startswith(f"{url}#rc=")


@given(policies, policies)
def test_policy_replaces_an_earlier_one(first: CallbackPolicy, last: CallbackPolicy) -> None:
    assert last.apply(first.apply("https://h/cb")) == last.apply("https://h/cb")


@given(policies)
def test_fragment_contains_the_options_of_the_policy(policy: CallbackPolicy) -> None:
    said = {key: value for key, [value] in parse_qs(urldefrag(policy.apply("https://h/cb")).fragment).items()}
    meant = {
        "rc": policy.retries,
        "rp": ",".join(policy.retry_on),
        "ct": policy.connect_ms,
        "rt": policy.read_ms,
        "tt": policy.total_ms,
        "er": policy.region,
    }
    assert said == {key: str(value) for key, value in meant.items() if value is not None}


@pytest.mark.parametrize(
    ("option", "least", "most"),
    [("retries", 0, 5), ("connect_ms", 100, 10_000), ("read_ms", 100, 40_000), ("total_ms", 100, 55_000)],
)
def test_number_outside_plivos_range_is_invalid(option: str, least: int, most: int) -> None:
    for value in (least, most):
        given: dict[str, Any] = {option: value}
        assert getattr(CallbackPolicy(**given), option) == value
    for value in (least - 1, most + 1):
        given = {option: value}
        with pytest.raises(ValueError, match=f"{option} must be from {least} to {most}, not {value}"):
            CallbackPolicy(**given)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"retry_on": ("3xx",)}, "retry_on must be one of ct, rt, 4xx, 5xx, all, not '3xx'"),
        ({"retry_on": ()}, "retry_on must not be empty; to switch retries off, pass retries=0"),
        ({"region": "mars"}, "region must be one of nearest, local, .* not 'mars'"),
    ],
)
def test_option_that_plivo_does_not_offer_is_invalid(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CallbackPolicy(**wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"retries": True}, "retries must be an int, not bool"),
        ({"retries": None}, "retries must be an int, not NoneType"),
        ({"connect_ms": 200.0}, "connect_ms must be an int, not float"),
        ({"retry_on": "5xx"}, r"retry_on must be a sequence of texts, not the text '5xx'; write \('5xx',\)"),
        ({"retry_on": (5,)}, "retry_on must be a str, not int"),
        ({"region": 1}, "region must be a str, not int"),
    ],
)
def test_wrong_type_raises_type_error(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        CallbackPolicy(**wrong)


@pytest.mark.parametrize("url", ["", "/cb", "h/cb", "ftp://h/cb", "https://", "https:///cb"])
def test_policy_applies_only_to_absolute_urls(url: str) -> None:
    with pytest.raises(ValueError, match="absolute http:// or https:// URL"):
        CallbackPolicy().apply(url)
