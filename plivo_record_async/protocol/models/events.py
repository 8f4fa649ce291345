"""The events that verified callbacks report."""

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
    """The response to a request in asynchronous mode, which Plivo sends in the field ``response``.

    Attributes:
        api_id: Plivo's ID of the request.
        message: The text of Plivo's message, if the request succeeded.
        error: The text of Plivo's error, if the request failed.
        answer: The decoded response. After a start it also holds ``recording_id`` and ``url``.
        raw: Every field of the callback as it was received.
    """

    api_id: str
    message: str | None = None
    error: str | None = None
    answer: Mapping[str, Any] = raw_field()
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class RecordingEnded(Value):
    """A recording has ended and its file is available.

    Attributes:
        api_id: Plivo's ID of the request that started the recording.
        conference_name: The name of the conference.
        record_url: The address of the file.
        recording_id: Plivo's ID of the recording. It is opaque.
        duration_ms: The length in milliseconds.
        started_at: When the recording started (aware, UTC).
        ended_at: When the recording ended (aware, UTC).
        raw: Every field as it was received: of the callback, or of Plivo's list if a tracker found the recording there.
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
    """A transcription has ended, with a text or with an error.

    Attributes:
        recording_id: Plivo's ID of the recording. It is opaque.
        transcription: The transcript.
        duration_s: The length of the transcribed recording, in seconds.
        charge: The price of the transcription, in the account's currency.
        rate: The price per minute, in the account's currency.
        call_uuid: Plivo's ID of the call.
        error: The text of Plivo's error, if the transcription failed.
        raw: Every field of the callback as it was received.
    """

    recording_id: str
    transcription: str | None = None
    duration_s: int | None = None
    charge: float | None = None
    rate: float | None = None
    call_uuid: str | None = None
    error: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class UnknownCallback(Value):
    """A callback with a valid signature that cannot be trusted as any of the known events.

    Attributes:
        raw: Every field as it was received; a name that is repeated has the list of its values. It takes part in
            comparison, because there is nothing else to compare.
        reason: Why the callback is not trusted, as a text for people. It takes no part in comparison.
    """

    raw: Mapping[str, Any] = field(factory=dict[str, Any], hash=False, repr=False)
    reason: str = field(default="", eq=False)


CallbackEvent = ApiResponse | RecordingEnded | TranscriptionEnded | UnknownCallback
"""The event that a verified callback reports."""
