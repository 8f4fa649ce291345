"""One HTTP response as it was received, and what can be read of it whatever its shape.

What can be read of a response is kept, whatever the rest of it is like.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

import attrs

from plivo_record_async.protocol.api.bodies import named_texts, parse_json_object, text_of, unpacked
from plivo_record_async.protocol.api.wire import text_or_none
from plivo_record_async.protocol.clocks import http_date

__all__ = ["LONGEST_PAUSE", "QUOTA_PERIOD", "Response"]

QUOTA_PERIOD: Final = 5.0
"""Seconds. After a 429 that names no time, calls pause until the next period of Plivo's quota:
https://plivo.com/docs/voice/concepts/account-limits.md"""

LONGEST_PAUSE: Final = 3600.0
"""Seconds. No ``Retry-After`` makes a client pause for longer."""


@attrs.frozen(kw_only=True)
class Response:
    """What was received for one request.

    Attributes:
        status: The HTTP status.
        headers: The header fields, their names in lower case.
        body: The body, as far as it arrived.
        complete: Whether the whole body arrived.
        sent_at: When sending the request began. If None, the transport does not report it.
        received_at: When the status line arrived. If None, it is not known.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: bytes = b""
    complete: bool = True
    sent_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def is_success(self) -> bool:
        """Whether Plivo says that the request was executed."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @cached_property
    def text(self) -> str:
        """The body as text, whatever bytes it holds."""
        return text_of(unpacked(self.body, self.headers.get("content-encoding", "")))

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """The body's JSON object; empty if the body is no JSON object."""
        try:
            return parse_json_object(self.text)
        except ValueError:
            return {}

    @property
    def api_id(self) -> str | None:
        """Plivo's ID of the request. If None, the response does not carry one."""
        return self.text_field("api_id")

    @property
    def retry_after(self) -> float | None:
        """The seconds in ``Retry-After``, a number or an HTTP date (RFC 9110, 10.2.3). If None, it names no time."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return float(value)
        date = http_date(value)
        if date is None or self.received_at is None:
            return None
        return max(0.0, (date - self.received_at).total_seconds())

    @property
    def quota_pause(self) -> float | None:
        """The seconds for which the client must not send, because this is a 429. If None, it is not."""
        if self.status != HTTPStatus.TOO_MANY_REQUESTS:
            return None
        return QUOTA_PERIOD if self.retry_after is None else min(self.retry_after, LONGEST_PAUSE)

    def text_field(self, name: str) -> str | None:
        """Return a text field of the body, even if the body as a whole cannot be read.

        Args:
            name: The name of the field.

        Returns:
            The text, or None if the body has no such field or the field is not a text.
        """
        return text_or_none((self.data or named_texts(self.text)).get(name))
