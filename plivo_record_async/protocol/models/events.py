"""The events that Plivo reports with verified callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from attrs import field

from plivo_record_async._value import Value
from plivo_record_async.protocol.models.raw import raw_field

__all__ = ["ApiResponse", "CallbackEvent", "RecordingEnded", "TranscriptionEnded", "UnknownCallback"]


@attrs.frozen(kw_only=True)
class ApiResponse(Value):
    """The asynchronous response: Plivo has executed or rejected a request in asynchronous mode.

    Plivo sends it as JSON in the field ``response`` of a callback.
    https://docs.plivo.com/docs/voice/api/request/asynchronous-request

    Attributes:
        api_id: Plivo's ID of the request.
        message: Plivo's message. If None, the request failed.
        error: Plivo's error message. If None, the request succeeded.
        answer: The decoded JSON. After a start it may also contain ``recording_id`` and ``url``.
        raw: Every field of the callback as it was received.
    """

    api_id: str
    message: str | None = None
    error: str | None = None
    answer: Mapping[str, Any] = raw_field()
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class RecordingEnded(Value):
    """A recording has ended, and its file is available.

    An attribute is None if Plivo did not send the field. https://plivo.com/docs/voice/api/conferences

    Attributes:
        api_id: Plivo's ID of the request that started the recording.
        conference_name: The name of the conference.
        record_url: The URL of the file.
        recording_id: Plivo's ID of the recording. It is opaque.
        duration_ms: The duration in milliseconds.
        started_at: When the recording started (aware, UTC).
        ended_at: When the recording ended (aware, UTC).
        raw: Every field of the callback as it was received. If a tracker found the recording in Plivo's list instead,
            every field of its row.
    """

    api_id: str | None = None
    conference_name: str | None = None
    record_url: str
    recording_id: str | None = None
    duration_ms: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class TranscriptionEnded(Value):
    """The transcription of a recording has ended, with a transcript or with an error.

    An attribute is None if Plivo did not send the field. https://plivo.com/docs/voice/api/conferences

    Attributes:
        recording_id: Plivo's ID of the recording. It is opaque.
        transcription: The transcript. It is empty if nobody spoke. If None, the transcription failed. The ``repr`` does
            not show it.
        duration_s: The duration of the transcribed recording in seconds.
        charge: The price of the transcription in the account's currency.
        rate: The price per minute in the account's currency.
        call_uuid: Plivo's ID of the call.
        error: Plivo's error message. If None, the transcription succeeded.
        raw: Every field of the callback as it was received.
    """

    recording_id: str
    transcription: str | None = field(default=None, repr=False)
    duration_s: int | None = None
    charge: float | None = None
    rate: float | None = None
    call_uuid: str | None = None
    error: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class UnknownCallback(Value):
    """A callback with a valid signature that cannot be trusted as one of the known events.

    Something happened, but the fields do not prove what. Do not act on them; ask Plivo about the recording.

    Attributes:
        raw: Every field as it was received. A repeated name has the list of its values. Two values of this class are
            equal if they have the same ``raw``.
        reason: Why the callback is not trusted, as a text for people. It is not compared.
    """

    raw: Mapping[str, Any] = field(factory=dict[str, Any], hash=False, repr=False)
    reason: str = field(default="", eq=False)


CallbackEvent = ApiResponse | RecordingEnded | TranscriptionEnded | UnknownCallback
"""The event that a verified callback reports: one of four classes."""
