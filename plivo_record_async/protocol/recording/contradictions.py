"""Whether a callback contradicts what is known about the recording whose URL it came to.

The issued URL determines which start a callback belongs to, but not where its form is split into fields: anybody who
chooses the name of a conference can put the names of fields into it. Nobody can choose the ids that Plivo gives.
"""

from __future__ import annotations

from plivo_record_async.protocol.callbacks.known_fields import holds_known_name
from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = ["contradiction"]


def contradiction(record: FollowedRecording, event: CallbackEvent) -> str | None:
    """Return how an event contradicts the record that its URL was issued for. If None, it does not.

    An id contradicts if the answer to the start, or a callback that was applied, had another one. A recording that was
    only matched in Plivo's list by name and time proves nothing, because a callback is better evidence.

    A different conference name contradicts only if the name in the record contains the name of a field. Plivo might
    normalize names, but only a name with a field in it can be split into another event.

    Args:
        record: The record before the event.
        event: The event of a verified callback.
    """
    for words, said, known in (
        ("api_id", _api_id(event), _known_api_ids(record)),
        ("recording_id", _recording_id(event), _known_recording_ids(record)),
    ):
        others = sorted(filter(None, known))
        if said and others and said not in others:
            return f"its {words} is {said!r:.80}, but that of this recording is {' or '.join(others)!r:.200}"
    name = event.conference_name if isinstance(event, RecordingEnded) else None
    if name is not None and name != record.conference_name and holds_known_name(record.conference_name):
        return f"it names the conference {name!r:.80}, but the recording is of {record.conference_name!r:.80}"
    return None


def _api_id(event: CallbackEvent) -> str | None:
    return event.api_id if isinstance(event, ApiResponse | RecordingEnded) else None


def _recording_id(event: CallbackEvent) -> str | None:
    if isinstance(event, ApiResponse):
        said = event.answer.get("recording_id")
        return said if isinstance(said, str) else None
    return event.recording_id if isinstance(event, RecordingEnded | TranscriptionEnded) else None


def _known_api_ids(record: FollowedRecording) -> set[str | None]:
    return {
        source.api_id for source in (record.start_response, record.async_response, record.ended) if source is not None
    }


def _known_recording_ids(record: FollowedRecording) -> set[str | None]:
    listed = [row.raw for row in record.candidates]
    events = [
        event
        for event in (record.async_response, record.ended, record.transcription)
        if event is not None and event.raw and event.raw not in listed  # from a callback, not from the list
    ]
    return {source.recording_id for source in (record.start_response, record.begun) if source is not None} | {
        _recording_id(event) for event in events
    }
