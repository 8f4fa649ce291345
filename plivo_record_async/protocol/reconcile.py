"""What a look at Plivo says of a recording that is silent: pure decisions over what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from plivo_record_async.protocol.evidence import (
    CandidatesFound,
    ConferenceGone,
    Evidence,
    Kind,
    NothingFound,
    RecordingFound,
)
from plivo_record_async.protocol.followed import DEFAULT_TERMS, FollowedRecording, Terms
from plivo_record_async.protocol.models import Recording

__all__ = ["candidates", "conclude", "send_window"]

_SKEW = timedelta(seconds=30)
"""How far Plivo's clock and ours may differ, and how long Plivo may take to begin."""

_ENDS: frozenset[Kind] = frozenset({"accepted", "unanswered", "came_due", "start_confirmed"})
"""What ends the time in which the recording may have begun."""


def send_window(record: FollowedRecording) -> tuple[datetime, datetime]:
    """Between which times the recording must have begun, if it did.

    From its sending to the first thing that was learned afterwards; of an earlier sending nothing left.
    """
    began = max((step.at for step in record.steps if step.kind == "sending_began"), default=record.created_at)
    ended = next((step.at for step in record.steps if step.at >= began and step.kind in _ENDS), record.since)
    return began - _SKEW, ended + _SKEW


def candidates(record: FollowedRecording, rows: Sequence[Recording]) -> tuple[Recording, ...]:
    """Of the rows that Plivo lists for the conference, those that are, or may be, this recording."""
    if record.recording_id is not None:
        return tuple(row for row in rows if row.recording_id == record.recording_id)
    first, last = send_window(record)
    return tuple(row for row in rows if (time := row.started_at or row.added_at) is not None and first <= time <= last)


def conclude(
    record: FollowedRecording, found: Sequence[Recording], *, live: bool, now: datetime, terms: Terms = DEFAULT_TERMS
) -> Evidence | None:
    """What to make of it, or ``None`` to look again later.

    Args:
        record: The recording.
        found: Its `candidates` that are no other start's.
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
