"""The arguments of a request, checked as Plivo checks them.

Plivo reads the JSON body of a POST and the query of a GET or DELETE. Its Python SDK sends JSON with a DELETE, and other
SDKs send a POST without a body. https://docs.plivo.com/docs/voice/api/request
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = [
    "RefusedError",
    "choice_argument",
    "integer_argument",
    "parse_arguments",
    "start_arguments",
    "url_argument",
]


class RefusedError(Exception):
    """The request cannot be executed.

    Attributes:
        status: The HTTP status.
        error: The text of Plivo's error.
        headers: Additional headers of the answer.
    """

    def __init__(self, status: int, error: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.headers: Mapping[str, str] = headers or {}


def parse_arguments(method: str, query: str, body: bytes) -> Mapping[str, Any]:
    """Return all arguments of a request.

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
    """Return an argument that must be one of the choices. If it was not given, return the default."""
    value = given.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise _invalid(name, f"one of {', '.join(choices)}")
    return value


def url_argument(given: Mapping[str, Any], name: str) -> str | None:
    """Return an argument that must be an absolute http or https URL. If it was not given, return None."""
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
    """Return an argument that must be an integer within bounds. If it was not given, return the default."""
    text = str(given.get(name, default))
    if not re.fullmatch("[0-9]{1,9}", text) or not at_least <= int(text) <= at_most:
        raise _invalid(name, f"a whole number from {at_least} to {at_most}")
    return int(text)


def start_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of a start and return them with Plivo's defaults.

    Raises:
        RefusedError: 400, an argument is invalid.
    """
    # Depending on their age, the documents name auto, auto and hybrid, or auto, hybrid and manual.
    transcription_type = choice_argument(given, "transcription_type", ("auto", "hybrid", "manual"), "auto")
    return {
        "file_format": choice_argument(given, "file_format", ("mp3", "wav"), "mp3"),
        "callback_url": url_argument(given, "callback_url"),
        "callback_method": choice_argument(given, "callback_method", ("GET", "POST"), "POST"),
        "transcription_type": transcription_type if "transcription_type" in given else None,
        "transcription_url": url_argument(given, "transcription_url"),
        "transcription_method": choice_argument(given, "transcription_method", ("GET", "POST"), "POST"),
    }
