"""The values that are made from responses of Plivo's API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.models.raw import raw_field

__all__ = [
    "Conference",
    "PendingResponse",
    "Recording",
    "RecordingStarted",
    "RecordingStopped",
    "Transcription",
    "TranscriptionRequested",
]


@attrs.frozen(kw_only=True)
class RecordingStarted(Value):
    """The response to a start: Plivo has started to record the conference.

    https://plivo.com/docs/voice/api/conferences

    Attributes:
        api_id: Plivo's ID of the request.
        message: Plivo's message, usually ``conference recording started``. If None, the response has none.
        url: The URL of the file, which exists after the recording has ended. If None, the response has none.
        recording_id: Plivo's ID of the recording. It is opaque and not always a UUID. If None, the response has none.
        raw: The whole response.
    """

    api_id: str
    message: str | None = None
    url: str | None = None
    recording_id: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class RecordingStopped(Value):
    """The response to a stop: Plivo has stopped all recordings of the conference.

    The response usually has no body. Then all attributes are empty. https://plivo.com/docs/voice/api/conferences

    Attributes:
        api_id: Plivo's ID of the request. If None, the response has none.
        message: Plivo's message. If None, the response has none.
        raw: The whole response. It is empty if the response has no body.
    """

    api_id: str | None = None
    message: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen
class PendingResponse(Value):
    """The response to a start or a stop in asynchronous mode: Plivo will send the actual response to ``callback_url``.

    The callback becomes an `ApiResponse` with the same ``api_id``.
    https://docs.plivo.com/docs/voice/api/request/asynchronous-request

    Attributes:
        api_id: Plivo's ID of the request.
    """

    api_id: str


@attrs.frozen(kw_only=True)
class Recording(Value):
    """A recording that Plivo keeps.

    An attribute is None if Plivo did not send the field or the field cannot be read; ``raw`` contains the field as it
    was received. A recording that is still running has neither a duration nor an end.
    https://plivo.com/docs/voice/api/recordings.md

    Attributes:
        recording_id: Plivo's ID of the recording. It is opaque. It is None only in a row of a list that cannot be read.
        conference_name: The name of the conference. If None, a call was recorded instead of a conference.
        recording_url: The URL of the file.
        recording_format: ``mp3`` or ``wav``.
        recording_type: The type of the recording: ``conference`` for that of a conference.
        duration_ms: The duration in milliseconds.
        started_at: When the recording started (aware, UTC).
        ended_at: When the recording ended (aware, UTC).
        added_at: When Plivo added the recording to its list (aware, UTC).
        api_id: Plivo's ID of the request that returned this value, not of the start.
        call_uuid: Plivo's ID of the call.
        raw: Every field of the recording as it was received.
    """

    recording_id: str | None = None
    conference_name: str | None = None
    recording_url: str | None = None
    recording_format: str | None = None
    recording_type: str | None = None
    duration_ms: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    added_at: datetime | None = None
    api_id: str | None = None
    call_uuid: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class Transcription(Value):
    """The transcript of a recording, or the state of its transcription.

    An attribute is None if Plivo did not send the field or the field cannot be read; ``raw`` contains the field as it
    was received. https://plivo.com/docs/voice/api/recordings.md

    Attributes:
        recording_id: Plivo's ID of the recording.
        transcription: The text. It is None while the transcription is in progress. The ``repr`` does not show it.
        status: The state of the transcription: ``success`` if the text is complete.
        duration_ms: The duration of the recording in milliseconds.
        cost: The price of the transcription.
        rate: The price of one minute of transcription.
        raw: The whole response.
    """

    recording_id: str | None = None
    transcription: str | None = attrs.field(default=None, repr=False)
    status: str | None = None
    duration_ms: int | None = None
    cost: float | None = None
    rate: float | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class TranscriptionRequested(Value):
    """The response to a request for a transcript: Plivo transcribes the recording.

    https://plivo.com/docs/voice/api/recordings.md

    Attributes:
        api_id: Plivo's ID of the request.
        message: Plivo's message, usually ``transcription in progress``. If None, the response has none.
        raw: The whole response.
    """

    api_id: str
    message: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class Conference(Value):
    """A conference that is live.

    An attribute is None if Plivo did not send the field or the field cannot be read.
    https://plivo.com/docs/voice/api/conferences

    Attributes:
        conference_name: The name of the conference.
        run_time_s: The time since the conference began, in seconds.
        member_count: The number of members.
        members: The fields of each member as they were received.
        api_id: Plivo's ID of the request that returned this value.
        raw: The whole response.
    """

    conference_name: str
    run_time_s: int | None = None
    member_count: int | None = None
    members: tuple[Mapping[str, Any], ...] = ()
    api_id: str | None = None
    raw: Mapping[str, Any] = raw_field()
