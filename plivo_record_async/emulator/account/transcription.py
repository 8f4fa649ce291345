"""The transcript of a recording: when it is ready, its resource, and its callback.

https://plivo.com/docs/voice/api/recordings.md
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.account.callbacks import Callback
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording, milliseconds, seconds_of

__all__ = ["begin_transcription", "callbacks_of_start", "transcription_callback", "transcription_resource"]

_LONGEST = timedelta(hours=4)
_RATE = 0.05


def begin_transcription(recording: Recording, dialect: Dialect, *, now: datetime, by_start: bool) -> Recording:
    """Return a recording that has ended, and whose transcription begins now.

    Args:
        recording: The recording.
        dialect: The dialect of its conference, which says how long a transcription takes.
        now: The time (aware).
        by_start: Whether the start of the recording decides. If it requested no transcript, the recording is returned
            unchanged.
    """
    by_type = recording.transcription_type is not None and dialect.transcribe_without_url
    if by_start and not by_type and recording.transcription_url is None:
        return recording
    return attrs.evolve(recording, transcribed_at=now + timedelta(seconds=dialect.transcription_s))


def callbacks_of_start(recording: Recording, *, now: datetime) -> tuple[Callback, ...]:
    """Return the callback of the transcript that the start of a recording requested, if it named a URL."""
    url, method = recording.transcription_url, recording.transcription_method
    if url is None:
        return ()
    return (transcription_callback(recording, url, method, api_id=recording.api_id, now=now),)


def transcription_resource(recording: Recording, *, now: datetime) -> Mapping[str, Any]:
    """Return the Transcription resource. Its numbers are JSON numbers, unlike those of the Recording resource.

    Raises:
        RefusedError: 404, nobody requested a transcript of the recording.
    """
    if recording.transcribed_at is None:
        raise RefusedError(404, "not found")
    is_ready = recording.transcribed_at <= now
    text, error = _text(recording), _error(recording)
    return {
        "cost": _charge(recording) if is_ready else 0.0,
        "rate": _RATE,
        "recording_duration_ms": recording.duration_ms,
        "recording_start_ms": milliseconds(recording.started_at),
        "status": "in progress" if not is_ready else "failed" if error else "success",
        "transcription": text if is_ready else "",
    }


def transcription_callback(recording: Recording, url: str, method: str, *, api_id: str, now: datetime) -> Callback:
    """Return the callback of a transcript, to deliver when it is ready. It names neither conference nor request.

    https://docs.plivo.com/docs/voice/api/conference/record-conference/start-recording-a-conference

    Args:
        recording: The recording, whose transcription has begun.
        url: The URL to call, with its fragment.
        method: ``GET`` or ``POST``.
        api_id: The ID of the request that asked for the transcript.
        now: The time (aware).
    """
    fields = {
        "transcription_charge": str(_charge(recording)),
        "transcription": _text(recording),
        "duration": str(seconds_of(recording.duration_ms)),
        "call_uuid": recording.call_uuid,
        "transcription_rate": str(_RATE),
        "recording_id": recording.recording_id,
        "error": _error(recording),
    }
    return Callback(
        kind="transcription",
        conference_name=recording.conference_name,
        recording_id=recording.recording_id,
        url=url,
        method=method,
        fields=fields,
        api_id=api_id,
        delay_s=((recording.transcribed_at or now) - now).total_seconds(),
    )


def _error(recording: Recording) -> str:
    too_long = timedelta(milliseconds=recording.duration_ms) > _LONGEST
    return "Recording duration too long for transcription" if too_long else ""


def _text(recording: Recording) -> str:
    return "" if _error(recording) else f"This is what was said in {recording.conference_name}."


def _charge(recording: Recording) -> float:
    return 0.0 if _error(recording) else round(math.ceil(recording.duration_ms / 60_000) * _RATE, 5)
