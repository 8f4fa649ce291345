"""An HTTP response, and the parts of it that can be read even if the rest cannot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

import attrs

from plivo_record_async.protocol.api.bodies import decompressed, parse_json_object, string_fields, text_of
from plivo_record_async.protocol.api.wire import text_or_none
from plivo_record_async.protocol.clocks import http_date

__all__ = ["LONGEST_PAUSE", "QUOTA_PERIOD", "Response"]

QUOTA_PERIOD: Final = 5.0
"""Seconds for which calls pause after a 429 without ``Retry-After``. It is the length of the period of Plivo's quota:
https://plivo.com/docs/voice/concepts/account-limits.md"""

LONGEST_PAUSE: Final = 3600.0
"""Seconds. No ``Retry-After`` makes calls pause for longer than this."""


@attrs.frozen(kw_only=True)
class Response:
    """The response to one request, as far as it arrived.

    Attributes:
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        body: The part of the body that arrived.
        complete: Whether the whole body arrived.
        sent_at: The time at which sending the request began (aware, UTC). If None, the transport does not report it.
        received_at: The time at which the status line arrived (aware, UTC). If None, it is not known.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    complete: bool = True
    sent_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @cached_property
    def text(self) -> str:
        """The body as text. Any bytes can be decoded."""
        return text_of(decompressed(self.body, self.headers.get("content-encoding", "")))

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """The JSON object in the body, or an empty object if there is none."""
        try:
            return parse_json_object(self.text)
        except ValueError:
            return {}

    @property
    def api_id(self) -> str | None:
        """Plivo's ID of the request. If None, the response does not contain one."""
        return self.text_field("api_id")

    @property
    def retry_after(self) -> float | None:
        """The number of seconds that ``Retry-After`` names. If None, the header is missing or cannot be read.

        The header contains a number of seconds or an HTTP date: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
        """
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return float(value)
        date = http_date(value)
        if date is None or self.received_at is None:
            return None
        return max(0.0, (date - self.received_at).total_seconds())

    @property
    def quota_pause(self) -> float | None:
        """The number of seconds for which all calls must pause, because the status is 429. If None, it is not 429."""
        if self.status != HTTPStatus.TOO_MANY_REQUESTS:
            return None
        return QUOTA_PERIOD if self.retry_after is None else min(self.retry_after, LONGEST_PAUSE)

    def text_field(self, name: str) -> str | None:
        """Return the text of a field, even if the body as a whole cannot be read as JSON.

        Args:
            name: The name of the field.

        Returns:
            The text, or None if there is no such field, or if it is empty or contains something other than a text or a
            number.
        """
        return text_or_none((self.data or string_fields(self.text)).get(name))
