"""Does a callback contradict what is known of the recording whose URL it came to?

The URL that was issued fixes which start a callback belongs to, but not how its form was cut up: who may choose the
name of a conference can put the names of fields into it. The ids that Plivo gave this very start cannot be chosen.
"""

from __future__ import annotations

from plivo_record_async.protocol.callbacks.known_fields import holds_known_name
from plivo_record_async.protocol.models import ApiResponse, CallbackEvent, RecordingEnded, TranscriptionEnded
from plivo_record_async.protocol.recording.record import FollowedRecording

__all__ = ["contradiction"]


def contradiction(record: FollowedRecording, event: CallbackEvent) -> str | None:
    """Say in what an event contradicts the record that its URL was issued for; or return None.

    An id contradicts if the answer to the start, or a callback that was believed, said another one. A recording that
    was only found in Plivo's list, by name and time, proves nothing: a callback is better evidence.

    A conference's name that differs contradicts only if the record's name holds the name of a field. Plivo might
    spell names in its own way, but only out of such a name can another event be cut.

    Args:
        record: What is known, before the event.
        event: What a verified callback says.
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
        return f"it tells of the conference {name!r:.80}, but the recording is of {record.conference_name!r:.80}"
    return None


def _api_id(event: CallbackEvent) -> str | None:
    return event.api_id if isinstance(event, ApiResponse | RecordingEnded) else None


def _recording_id(event: CallbackEvent) -> str | None:
    if isinstance(event, ApiResponse):
        said = event.answer.get("recording_id")
        return said if isinstance(said, str) else None
    return event.recording_id if isinstance(event, RecordingEnded | TranscriptionEnded) else None


def _known_api_ids(record: FollowedRecording) -> set[str | None]:
    return {source.api_id for source in (record.answer, record.response, record.ended) if source is not None}


def _known_recording_ids(record: FollowedRecording) -> set[str | None]:
    listed = [row.raw for row in record.candidates]
    events = [
        event
        for event in (record.response, record.ended, record.transcription)
        if event is not None and event.raw and event.raw not in listed  # what Plivo called back with
    ]
    return {source.recording_id for source in (record.answer, record.begun) if source is not None} | {
        _recording_id(event) for event in events
    }
