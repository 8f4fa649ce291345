"""Each check of arguments. `models/test_requests.py` tests the checks of whole requests."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async.protocol import arguments

URLS = [
    "http://h",
    "https://h/",
    "https://user:secret@h.example:8443/cb?a=1&b=%2F#ct=2000&rc=5",
    "HTTPS://H.EXAMPLE/CB",
    "http://127.0.0.1:8080/cb",
    "http://[::1]:8080/cb",
    "https://h/%zz",
    "https://höst.example/ä?ö=ü#ß",
]
NOT_URLS = [
    "",
    " ",
    "h.example/cb",
    "/cb",
    "//h.example/cb",
    "ftp://h/cb",
    "javascript:alert(1)",
    "http:",
    "http://",
    "http:///cb",
    "http://:80/cb",
    "http://h:port/cb",
    "http://h:99999/cb",
    "http://[::1/cb",
    " http://h/cb",
    "http://h/cb ",
    "http://h/a b",
    "http://h/a\tb",
    "http://h/a\nb",
    "http://h/\x00",
    "http://h/\u200b",
    "http://h/\ud800",
    "http://" + "h" * 1000,
]


@attrs.frozen
class Holder:
    thing: Any


def verdict(check: Callable[[Any, Any, Any], None], value: object) -> None:
    """Run a validator on a value of the attribute ``thing``."""

    check(None, attrs.fields(Holder).thing, value)


@pytest.mark.parametrize("url", URLS)
def test_http_url_accepts(url: str) -> None:
    verdict(arguments.http_url, url)


@pytest.mark.parametrize("url", NOT_URLS)
def test_http_url_rejects(url: str) -> None:
    with pytest.raises(ValueError, match=r"^thing "):
        verdict(arguments.http_url, url)


@given(st.text())
@example("http://[v1.a]")
@example("http://\u2100/")
def test_http_url_accepts_any_string_or_raises_value_error(value: str) -> None:
    try:
        verdict(arguments.http_url, value)
    except ValueError:
        return
    assert value.lower().startswith(("http://", "https://"))


@pytest.mark.parametrize("value", [None, 5, b"http://h", ["http://h"]])
@pytest.mark.parametrize(
    "check", [arguments.text, arguments.conference_name, arguments.http_url, arguments.one_of("GET")]
)
def test_value_that_is_not_text_raises_a_type_error_that_shows_it(check: arguments.Validator, value: object) -> None:
    with pytest.raises(TypeError, match=r"^thing must be a str, not ") as caught:
        verdict(check, value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["x", " ", ".", "..", "a/b c?x#y", "ä", "🎙", "\x00", "x" * 100_000])
def test_text_accepts(value: str) -> None:
    verdict(arguments.text, value)


@pytest.mark.parametrize(("value", "why"), [("", "must not be empty"), ("a\ud800b", "lone surrogate")])
def test_text_rejects(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=rf"^thing .*{why}"):
        verdict(arguments.text, value)


@pytest.mark.parametrize("value", ["...", ". ", " .", "%2e", "a/..", "/", "?"])
def test_conference_name_accepts_names_that_contain_dots(value: str) -> None:
    verdict(arguments.conference_name, value)
    assert arguments.path_segment("thing", value) == value


@pytest.mark.parametrize("value", [".", ".."])
def test_conference_name_rejects_dot_segments(value: str) -> None:
    with pytest.raises(ValueError, match=rf"^thing must not be {value!r}"):
        verdict(arguments.conference_name, value)
    with pytest.raises(ValueError, match=rf"^thing must not be {value!r}"):
        arguments.path_segment("thing", value)


@pytest.mark.parametrize("value", ["get", "GET ", "", "PUT"])
def test_one_of_is_exact_and_names_the_choices(value: str) -> None:
    verdict(arguments.one_of("GET", "POST"), "POST")
    with pytest.raises(ValueError, match=rf"^thing must be one of GET, POST, not {value!r}"):
        verdict(arguments.one_of("GET", "POST"), value)


def test_optional_accepts_none_and_checks_any_other_value() -> None:
    verdict(arguments.optional(arguments.text), None)
    verdict(arguments.optional(arguments.text), "x")
    with pytest.raises(ValueError, match="empty"):
        verdict(arguments.optional(arguments.text), "")


@pytest.mark.parametrize("value", [1, 0.001, 1e300, 2**63])
def test_positive_number_returns_it(value: float) -> None:
    assert arguments.positive_number("thing", value) == value


@pytest.mark.parametrize("value", [0, -1, 0.0, -0.0, math.nan, math.inf, -math.inf, 10**400])
def test_positive_number_rejects(value: float) -> None:
    with pytest.raises(ValueError, match=r"^thing must be a finite number above 0"):
        arguments.positive_number("thing", value)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1]])
def test_positive_number_rejects_other_types(value: object) -> None:
    with pytest.raises(TypeError, match=r"^thing must be a number, not "):
        arguments.positive_number("thing", value)


def test_integer_accepts_its_minimum() -> None:
    assert arguments.integer("thing", 1, least=1) == 1
    assert arguments.integer("thing", 0, least=0) == 0
    with pytest.raises(ValueError, match=r"^thing must be at least 1, not 0"):
        arguments.integer("thing", 0, least=1)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_integer_rejects_other_types(value: object) -> None:
    with pytest.raises(TypeError, match=r"^thing must be an int, not "):
        arguments.integer("thing", value, least=1)


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_aware_datetime_accepts_any_time_zone(zone: timezone) -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    assert arguments.aware_datetime("thing", time) is time


def test_aware_datetime_rejects_naive_times() -> None:
    with pytest.raises(ValueError, match=r"^thing must be aware"):
        arguments.aware_datetime("thing", datetime(2026, 1, 2))  # noqa: DTZ001 - the point
    with pytest.raises(TypeError, match=r"^thing must be a datetime, not date"):
        arguments.aware_datetime("thing", date(2026, 1, 2))


class Sync:
    def __call__(self) -> None: ...


class Async:
    async def __call__(self) -> None: ...


async def async_function() -> None: ...


FORMS_OF_ASYNC = [async_function, Async(), functools.partial(async_function)]


@pytest.mark.parametrize("value", [print, Sync(), functools.partial(print, 1)], ids=["function", "object", "partial"])
def test_plain_function_accepts_what_can_be_called(value: object) -> None:
    arguments.plain_function("thing", value)
    assert not arguments.is_async(value)


@pytest.mark.parametrize("value", FORMS_OF_ASYNC, ids=["function", "object", "partial"])
def test_plain_function_rejects_async_functions(value: object) -> None:
    with pytest.raises(TypeError, match=r"^thing must not be an async function"):
        arguments.plain_function("thing", value)


@pytest.mark.parametrize("value", [None, 1, "print"])
def test_plain_function_rejects_what_cannot_be_called(value: object) -> None:
    with pytest.raises(TypeError, match=r"^thing must be a function, not "):
        arguments.plain_function("thing", value)
    assert not arguments.is_async(value)
