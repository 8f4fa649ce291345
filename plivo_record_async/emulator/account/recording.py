"""One recording, its callbacks, and its Recording resource."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs

from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect

__all__ = ["Recording", "milliseconds", "seconds_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDIA = timezone(timedelta(hours=5, minutes=30))
_LONGEST = timedelta(days=1)  # of a conference: https://plivo.com/docs/voice/concepts/account-limits.md


def milliseconds(moment: datetime) -> int:
    """Return a time in milliseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def seconds_of(duration_ms: int) -> int:
    """Convert milliseconds to whole seconds. -1 stays -1."""
    return duration_ms if duration_ms < 0 else round(duration_ms / 1000)


@attrs.frozen(kw_only=True)
class Recording:
    """One recording.

    Attributes:
        recording_id: Its id.
        api_id: The id of the request that started it.
        call_uuid: The id of a call that took part in the conference.
        conference_name: The conference's name.
        file_format: ``mp3`` or ``wav``.
        url: Where its file is, or will be.
        resource_uri: The path of its resource.
        started_at: When it started (aware).
        ended_at: When it ended (aware), or ``None`` while it is running.
        callback_url: The URL that receives the end of the recording.
        callback_method: ``GET`` or ``POST``.
        transcription_url: The URL that receives the transcript.
        transcription_method: ``GET`` or ``POST``.
        transcription_type: The ``transcription_type`` of the start. If None, it had none.
        transcribed_at: When the transcript is ready (aware), or ``None`` if none was requested.
        executed_transcriptions: How many requests for a transcript were executed.
        deleted: Whether the recording was deleted.
    """

    recording_id: str
    api_id: str
    call_uuid: str
    conference_name: str
    file_format: str
    url: str
    resource_uri: str
    started_at: datetime
    ended_at: datetime | None = None
    callback_url: str | None = None
    callback_method: str = "POST"
    transcription_url: str | None = None
    transcription_method: str = "POST"
    transcription_type: str | None = None
    transcribed_at: datetime | None = None
    executed_transcriptions: int = 0
    deleted: bool = False

    @property
    def duration_ms(self) -> int:
        """Its length in milliseconds; 0 while it is running."""
        return milliseconds(self.ended_at or self.started_at) - milliseconds(self.started_at)

    @property
    def _end_ms(self) -> int:
        return milliseconds(self.started_at) + self.duration_ms

    def ended(self, now: datetime) -> Recording:
        """Return the recording with its end. It is not longer than a conference may be."""
        return attrs.evolve(self, ended_at=max(self.started_at, min(now, self.started_at + _LONGEST)))

    def to_dict(self) -> dict[str, Any]:
        """Return the recording as JSON values: every attribute, and its length once it has ended."""
        return {
            **attrs.asdict(self),
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "transcribed_at": self.transcribed_at.isoformat() if self.transcribed_at else None,
            "duration_ms": self.duration_ms if self.ended_at else None,
        }

    def started_callbacks(self, dialect: Dialect) -> tuple[Callback, ...]:
        """Return the callback that the recording has started, if the dialect has one.

        It is known of the Record XML element: https://github.com/plivo/plivo-java/issues/36
        """
        return self._recorded(dialect, -1, -1) if dialect.started_callback else ()

    def ended_callbacks(self, dialect: Dialect) -> tuple[Callback, ...]:
        """Return the callback of the end, to the callback_url."""
        return self._recorded(dialect, self.duration_ms, self._end_ms)

    def _recorded(self, dialect: Dialect, duration_ms: int, end_ms: int) -> tuple[Callback, ...]:
        """Return the callback to the callback_url: https://plivo.com/docs/voice/api/conferences ."""
        if self.callback_url is None:
            return ()
        fields: dict[str, str | int] = {
            "api_id": self.api_id,
            "record_url": self.url,
            "recording_id": self.recording_id,
            "conference_name": self.conference_name,
            "recording_duration": seconds_of(duration_ms),
            "recording_duration_ms": duration_ms,
            "recording_start_ms": milliseconds(self.started_at),
            "recording_end_ms": end_ms,
        }
        return (
            Callback(
                kind="recording",
                conference_name=self.conference_name,
                recording_id=self.recording_id,
                url=self.callback_url,
                method=self.callback_method,
                fields=dialect.ended_fields(fields),
                api_id=self.api_id,
            ),
        )

    def resource(self) -> Mapping[str, Any]:
        """Return the Recording resource, which exists after the end: https://plivo.com/docs/voice/api/recordings.md .

        Milliseconds are text with decimals, and the time carries India's offset, as in Plivo's own samples.
        """
        added = (self.ended_at or self.started_at).astimezone(_INDIA)
        return {
            "add_time": added.isoformat(" ", "microseconds"),
            "api_id": self.api_id,
            "call_uuid": self.call_uuid,
            "conference_name": self.conference_name,
            "from_number": None,
            "monthly_recording_storage_amount": 0.0004,
            "recording_duration_ms": f"{self.duration_ms}.00000",
            "recording_end_ms": f"{self._end_ms}.00000",
            "recording_format": self.file_format,
            "recording_id": self.recording_id,
            "recording_start_ms": f"{milliseconds(self.started_at)}.00000",
            "recording_storage_duration": 0,
            "recording_storage_rate": 0.0004,
            "recording_type": "conference",
            "recording_url": self.url,
            "resource_uri": self.resource_uri,
            "rounded_recording_duration": 60 * math.ceil(self.duration_ms / 60_000),
            "to_number": None,
        }
