"""PURE: the arguments of a request, checked as Plivo checks them.

Plivo takes JSON in the body of a POST, and the query of a GET or DELETE; its Python SDK sends JSON with a
DELETE, others no body at all with a POST. https://docs.plivo.com/docs/voice/api/request
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["RefusedError", "choice_argument", "integer_argument", "parse_arguments", "url_argument"]


class RefusedError(Exception):
    """The request cannot be executed.

    Attributes:
        status: HTTP status.
        error: Plivo's words.
        headers: What to send besides.
    """

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.headers = headers or {}


def parse_arguments(method: str, query: str, body: bytes) -> Mapping[str, Any]:
    """The arguments of a request, known and unknown.

    Raises:
        RefusedError: 400, the body is not a JSON object.
    """
    in_query = {} if method == "POST" else dict(parse_qsl(query, keep_blank_values=True))
    if method == "GET" or not body.strip():
        return in_query
    try:
        in_body = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"invalid JSON: {error}") from error
    if not isinstance(in_body, dict):
        raise RefusedError(400, "invalid JSON: an object is wanted")
    return in_query | in_body


def _invalid(name: str, wanted: str) -> RefusedError:
    return RefusedError(400, f"{name} parameter is invalid, it must be {wanted}")


def choice_argument(given: Mapping[str, Any], name: str, choices: Collection[str], default: str) -> str:
    """One of these words, or the default where none is given."""
    value = given.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise _invalid(name, f"one of {', '.join(choices)}")
    return value


def url_argument(given: Mapping[str, Any], name: str) -> str | None:
    """An absolute http or https URL, as it was given, or ``None`` where none is."""
    if name not in given:
        return None
    value = given[name]
    invalid = _invalid(name, "an http or https URL")
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise invalid
    try:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise invalid
    except ValueError as error:
        raise invalid from error
    return value


def integer_argument(given: Mapping[str, Any], name: str, *, at_least: int, at_most: int, default: int) -> int:
    """A whole number within bounds, or the default where none is given."""
    text = str(given.get(name, default))
    if not re.fullmatch("[0-9]{1,9}", text) or not at_least <= int(text) <= at_most:
        raise _invalid(name, f"a whole number from {at_least} to {at_most}")
    return int(text)
