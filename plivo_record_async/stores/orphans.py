"""`Orphan`, a callback that a store keeps although it could not be applied to a followed recording."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.callbacks.fields import named_ids
from plivo_record_async.protocol.models import CallbackEvent

__all__ = ["MAX_ORPHANS_PER_START", "MAX_ORPHANS_WITHOUT_START", "Orphan"]

MAX_ORPHANS_PER_START: Final = 20
"""The largest number of orphans that a store keeps for one ``start_id``."""

MAX_ORPHANS_WITHOUT_START: Final = 1000
"""The largest number of orphans without a ``start_id`` that a store keeps."""


@attrs.frozen(kw_only=True)
class Orphan(Value):
    """A callback with a valid signature that could not be applied to a followed recording.

    Attributes:
        received_at: When the callback was received (aware, UTC).
        event: The event that its fields report. It was not applied to any recording.
        reason: Why it was not applied, as a text for people.
        digest: The SHA-256 of the signed text, in hexadecimal digits. Callbacks with the same digest are the same
            orphan, even if their text was split into other fields.
        start_id: The start that the callback's URL names. If None, the URL names no start.
    """

    received_at: datetime
    event: CallbackEvent
    reason: str
    digest: str
    start_id: str | None = None

    @property
    def api_id(self) -> str | None:
        """Plivo's ID of the request, if the fields of the callback contain it. It is not trusted."""
        return named_ids(self.event.raw).get("api_id")

    @property
    def recording_id(self) -> str | None:
        """Plivo's ID of the recording, if the fields of the callback contain it. It is not trusted."""
        return named_ids(self.event.raw).get("recording_id")
