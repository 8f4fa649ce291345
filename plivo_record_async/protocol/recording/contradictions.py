"""Whether a callback contradicts what is known about the recording to which its URL belongs.

The issued URL determines to which start a callback belongs, but not how its signed text is split into fields. A person
who chooses the name of a conference can put the names of fields into it. Nobody can choose the IDs that Plivo assigns.
"""

from __future__ import annotations

from plivo_record_async.protocol.callbacks.known_fields import holds_known_name
from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = ["contradiction"]


def contradiction(record: FollowedRecording, event: CallbackEvent) -> str | None:
    """Return how an event contradicts the record that its URL was issued for. If None, it does not.

    An ID contradicts the record if Plivo's response to the start, or an earlier callback, contained another one. An ID
    from a row that was only matched by name and time does not count, because a callback is stronger evidence.

    A different conference name contradicts the record only if the name in the record contains the name of a field.
    Plivo might normalize names, but only a name with a field in it can be split into another event.

    Args:
        record: The record before the event.
        event: The event of a verified callback.
    """
    for field, value, known in (
        ("api_id", _api_id(event), _known_api_ids(record)),
        ("recording_id", _recording_id(event), _known_recording_ids(record)),
    ):
        if value and value not in known and any(known):
            expected = " or ".join(sorted({each for each in known if each}))
            return f"its {field} is {value!r:.80}, but that of this recording is {expected!r:.200}"
    name = event.conference_name if isinstance(event, RecordingEnded) else None
    if name is not None and name != record.conference_name and holds_known_name(record.conference_name):
        return f"its conference is {name!r:.80}, but that of this recording is {record.conference_name!r:.80}"
    return None


def _api_id(event: CallbackEvent) -> str | None:
    return event.api_id if isinstance(event, ApiResponse | RecordingEnded) else None


def _recording_id(event: CallbackEvent) -> str | None:
    if isinstance(event, ApiResponse):
        value = event.answer.get("recording_id")
        return value if isinstance(value, str) else None
    return event.recording_id if isinstance(event, RecordingEnded | TranscriptionEnded) else None


def _known_api_ids(record: FollowedRecording) -> list[str | None]:
    return [
        source.api_id for source in (record.start_response, record.async_response, record.ended) if source is not None
    ]


def _known_recording_ids(record: FollowedRecording) -> list[str | None]:
    listed = [row.raw for row in record.candidates]
    by_callbacks = [
        _recording_id(event)
        for event in (record.async_response, record.ended, record.transcription)
        if event is not None and event.raw and event.raw not in listed  # from a callback, not from the list
    ]
    return [
        source.recording_id for source in (record.start_response, record.begun) if source is not None
    ] + by_callbacks
