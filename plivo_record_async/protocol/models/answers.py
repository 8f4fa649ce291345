"""What Plivo answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from plivo_record_async._value import Value
from plivo_record_async.protocol.models.raw import raw_field

__all__ = ["Conference", "PendingResponse", "Recording", "RecordingStarted", "RecordingStopped"]


@attrs.frozen(kw_only=True)
class RecordingStarted(Value):
    """Plivo has started to record.

    Attributes:
        api_id: Plivo's ID of the request.
        message: The text of Plivo's message, usually "conference recording started".
        url: The address of the file once the recording has ended. It is opaque.
        recording_id: Plivo's ID of the recording. It is opaque and not always a UUID. If None, the answer has none.
        raw: The whole answer.
    """

    api_id: str
    message: str | None = None
    url: str | None = None
    recording_id: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen(kw_only=True)
class RecordingStopped(Value):
    """Plivo has stopped recording. The answer usually has no body, and then ``api_id`` and ``message`` are None.

    Attributes:
        api_id: Plivo's ID of the request.
        message: The text of Plivo's message.
        raw: The whole answer. It is empty if the answer has no body.
    """

    api_id: str | None = None
    message: str | None = None
    raw: Mapping[str, Any] = raw_field()


@attrs.frozen
class PendingResponse(Value):
    """Plivo has accepted a request in asynchronous mode and sends the response to ``callback_url``.

    https://docs.plivo.com/docs/voice/api/request/asynchronous-request

    Attributes:
        api_id: Plivo's ID of the request. The callback carries the same ID.
    """

    api_id: str


@attrs.frozen(kw_only=True)
class Recording(Value):
    """A recording that Plivo keeps: https://plivo.com/docs/voice/api/recordings.md .

    A field that cannot be read is None, and ``raw`` has it as it was received. A recording that is still running has
    neither a length nor an end.

    Attributes:
        recording_id: Plivo's ID of the recording. It is opaque. It can be None only in a listing, if it cannot be read.
        conference_name: The name of the conference, if a conference was recorded.
        recording_url: The address of the file.
        recording_format: ``mp3`` or ``wav``.
        recording_type: ``conference`` for the recording of a conference.
        duration_ms: The length in milliseconds.
        started_at: When the recording started (aware, UTC).
        ended_at: When the recording ended (aware, UTC).
        added_at: When Plivo added the recording to its list (aware, UTC).
        api_id: Plivo's ID of the request that returned this answer.
        call_uuid: Plivo's ID of the call.
        raw: The recording as Plivo described it, with every field.
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
class Conference(Value):
    """A conference that is live: https://plivo.com/docs/voice/api/conferences .

    Attributes:
        conference_name: The name of the conference.
        run_time_s: How long the conference has been live, in seconds.
        member_count: The number of members.
        members: What Plivo says about each member, as it was received.
        api_id: Plivo's ID of the request that returned this answer.
        raw: The whole answer.
    """

    conference_name: str
    run_time_s: int | None = None
    member_count: int | None = None
    members: tuple[Mapping[str, Any], ...] = ()
    api_id: str | None = None
    raw: Mapping[str, Any] = raw_field()
