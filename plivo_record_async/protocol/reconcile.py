"""What a look at Plivo says of a recording that is silent: pure decisions over what was seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from plivo_record_async.protocol.evidence import CandidatesFound, ConferenceGone, Evidence, NothingFound, RecordingFound
from plivo_record_async.protocol.followed import DEFAULT_TERMS, FollowedRecording, Terms
from plivo_record_async.protocol.models import Recording

__all__ = ["candidates", "conclude", "send_window"]

_SKEW = timedelta(seconds=30)
"""How far Plivo's clock and ours may differ."""


def send_window(record: FollowedRecording) -> tuple[datetime, datetime]:
    """Between which times the recording must have begun, if it did: from its sending to what ended it."""
    began = next((step.at for step in record.steps if step.kind == "sending_began"), record.created_at)
    ended = next((step.at for step in record.steps if step.at >= began and step.kind in _ENDS), record.since)
    return began - _SKEW, ended + _SKEW


_ENDS = frozenset({"accepted", "unanswered", "came_due", "start_confirmed"})


def candidates(record: FollowedRecording, rows: Sequence[Recording], others: Collection[str]) -> tuple[Recording, ...]:
    """The rows that are, or may be, this recording.

    Args:
        record: The recording.
        rows: What Plivo lists for its conference.
        others: The ids of those that are known to be another start's.
    """
    if record.recording_id is not None:
        return tuple(row for row in rows if row.recording_id == record.recording_id)
    first, last = send_window(record)
    return tuple(
        row
        for row in rows
        if row.recording_id not in others
        and (time := row.started_at or row.added_at) is not None
        and first <= time <= last
    )


def conclude(
    record: FollowedRecording, found: Sequence[Recording], *, live: bool, now: datetime, terms: Terms = DEFAULT_TERMS
) -> Evidence | None:
    """What to make of it, or ``None`` to look again later.

    Args:
        record: The recording.
        found: Its `candidates`.
        live: Whether its conference is live; where there are candidates it does not matter.
        now: The time.
        terms: How long what is waited for.
    """
    match found:
        case [row]:
            return RecordingFound(recording=row)
        case [_, *_]:
            return CandidatesFound(recordings=tuple(found))
        case _ if live:
            return None
        case _ if record.gone_at is None:
            return ConferenceGone()
        case _:
            return NothingFound() if now >= record.gone_at + terms.grace else None
