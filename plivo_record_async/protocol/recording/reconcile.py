"""What Plivo's list of recordings proves about a followed recording.

A *row* is one recording in that list. A row is the followed recording if Plivo's IDs say so, or else if its recording
began when the start was sent. Both times are measured with Plivo's clock, as far as it is known. If anything is
missing, the conclusion is "not known yet", and never "absent".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import attrs

from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.models import EvidenceKind, Recording
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    Evidence,
    NothingFound,
    RecordingFound,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy

__all__ = [
    "Assessment",
    "Matches",
    "Ownership",
    "StartWindow",
    "assess",
    "conclude",
    "match_rows",
    "ownership_of",
    "start_window",
]

_MARGIN: Final = timedelta(seconds=30)
"""How long Plivo may take to begin recording, and how far the clocks of its machines may differ."""

_MARGIN_IF_UNMEASURED: Final = timedelta(seconds=90)
"""The same if Plivo's clock was not measured, because then the clock of this machine may be wrong too."""

_MIN_TOLERANCE: Final = timedelta(minutes=1)
_MAX_TOLERANCE: Final = timedelta(days=1)

_MAX_LENGTH: Final = timedelta(days=1)
"""No conference, and so no recording, is longer: https://plivo.com/docs/voice/concepts/account-limits.md"""

_MAX_LISTING_DELAY: Final = timedelta(hours=1)
"""How long after its end Plivo may take to add a recording to the list."""

_DEFAULT_DEADLINE: Final = timedelta(seconds=30)
"""The deadline of a start whose record does not contain it."""

_CONFIRMING: Final[frozenset[EvidenceKind]] = frozenset({"accepted", "start_confirmed"})
"""The kinds of evidence that show that the recording has begun."""


@attrs.frozen(kw_only=True)
class StartWindow:
    """The period in which the recording of a start must have begun, by Plivo's clock.

    Attributes:
        first: The beginning of the period.
        last: The end of the period.
        tolerance: How far both times may be wrong.
    """

    first: datetime
    last: datetime
    tolerance: timedelta

    @property
    def added_after(self) -> datetime:
        """The earliest time at which Plivo can have added the recording to the list."""
        return self.first - self.tolerance

    def overlaps(self, began: tuple[datetime, datetime], *, tolerance: timedelta = timedelta()) -> bool:
        """Return whether a recording may have begun in this period.

        Args:
            began: The earliest and the latest time at which the recording can have begun.
            tolerance: How far the times may be wrong.
        """
        earliest, latest = began
        return earliest <= self.last + tolerance and latest >= self.first - tolerance


@attrs.frozen(kw_only=True)
class Matches:
    """The rows that are, or may be, one recording.

    Attributes:
        certain: The rows that are the recording according to Plivo's own IDs.
        likely: The rows whose recording began when the start was sent.
        possible: The rows that cannot be excluded.
    """

    certain: tuple[Recording, ...] = ()
    likely: tuple[Recording, ...] = ()
    possible: tuple[Recording, ...] = ()


Ownership = Literal["free", "matched", "proven"]
"""Whether a row belongs to no other start, was matched to another start by time, or is another's by Plivo's own IDs."""


@attrs.frozen(kw_only=True)
class Assessment:
    """What the rows prove.

    Attributes:
        found: The rows that are the recording, or are likely to be.
        in_doubt: Whether the recording may exist although no row was found.
    """

    found: tuple[Recording, ...] = ()
    in_doubt: bool = False

    @property
    def needs_conference(self) -> bool:
        """Whether the conclusion depends on whether the conference is live."""
        return not self.found and not self.in_doubt


def start_window(record: FollowedRecording, clock: PlivoClock, now: Reading) -> StartWindow:
    """Return the period in which a recording must have begun.

    The period extends from the last time at which the start was sent to the first evidence that it was executed, or to
    the deadline of the start. Earlier attempts to send the start do not count, because nothing of them was sent.

    Args:
        record: The recording.
        clock: The estimate of Plivo's clock.
        now: The clocks of this machine.
    """
    sent_at = max((entry.at for entry in record.history if entry.kind == "sending_began"), default=record.created_at)
    within = _DEFAULT_DEADLINE if record.sending is None else timedelta(seconds=record.sending.within)
    confirmed_at = next(
        (entry.at for entry in record.history if entry.at >= sent_at and entry.kind in _CONFIRMING), None
    )
    took = within if confirmed_at is None else min(max(confirmed_at - sent_at, timedelta()), within)
    sent = clock.when_sent(sent_at, record.sending, now)
    margin = _MARGIN if sent.measured else _MARGIN_IF_UNMEASURED
    tolerance = max(_MIN_TOLERANCE, within) if sent.measured else _MAX_TOLERANCE
    return StartWindow(first=sent.earliest - margin, last=sent.latest + took + margin, tolerance=tolerance)


def match_rows(record: FollowedRecording, rows: Sequence[Recording], window: StartWindow) -> Matches:
    """Return the rows that are, or may be, a recording.

    Args:
        record: The recording.
        rows: The rows of Plivo's list.
        window: The period in which the recording must have begun.
    """
    certain = tuple(row for row in rows if _has_same_id(record, row))
    if certain or record.recording_id is not None:
        return Matches(certain=certain)
    likely: list[Recording] = []
    possible: list[Recording] = []
    for row in rows:
        began = _began(row)
        if _has_other_file(record, row):
            possible.append(row)
        elif began is not None and window.overlaps(began) and _may_be_of(record.conference_name, row):
            likely.append(row)
        elif began is None or window.overlaps(began, tolerance=window.tolerance):
            possible.append(row)
    if not likely and record.api_id is not None:
        # Plivo's documents do not say whether the api_id of a row is that of the start or that of the list request.
        likely = [row for row in rows if row.api_id == record.api_id]
    return Matches(likely=tuple(likely), possible=tuple(possible))


def ownership_of(row: Recording, owner: FollowedRecording | None, record: FollowedRecording) -> Ownership:
    """Return whether a row belongs to another start.

    Args:
        row: The row.
        owner: The record that has the row's ``recording_id``. If None, the store has no such record.
        record: The record of the recording that is searched for.
    """
    if owner is None or owner.start_id == record.start_id:
        return "free"
    return "proven" if _is_proven(owner, row.recording_id) else "matched"


def assess(
    record: FollowedRecording, matches: Matches, owners: Mapping[Recording, Ownership], *, complete: bool
) -> Assessment:
    """Return what the rows prove.

    Args:
        record: The recording.
        matches: The rows that are, or may be, the recording.
        owners: Whether the likely and the possible rows belong to other starts.
        complete: Whether the whole list was read.
    """
    found = matches.certain + tuple(row for row in matches.likely if owners[row] == "free")
    doubtful = [row for row in matches.likely if owners[row] == "matched"]
    doubtful += [row for row in matches.possible if owners[row] != "proven"]
    is_named = record.recording_id is not None or record.record_url is not None
    in_doubt = bool(doubtful) or not complete or is_named
    return Assessment(found=found, in_doubt=in_doubt)


def conclude(
    record: FollowedRecording,
    assessment: Assessment,
    *,
    live: bool,
    plivo_time: datetime | None,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> Evidence | None:
    """Return the evidence that follows from Plivo's list. If None, Plivo has to be asked again later.

    Args:
        record: The recording.
        assessment: What the rows prove.
        live: Whether the conference is live. It matters only if ``assessment.needs_conference``.
        plivo_time: The time by Plivo's clock. If None, it is not known yet.
        tracking: The intervals and timeouts.
    """
    match assessment.found:
        case [row]:
            return RecordingFound(recording=row)
        case [_, *_]:
            return CandidatesFound(recordings=assessment.found)
        case _ if assessment.in_doubt or live or plivo_time is None:
            return None
        case _ if record.gone_at is None:
            return ConferenceGone(at=plivo_time)
        case _:
            return NothingFound() if plivo_time >= record.gone_at + tracking.absence_grace else None


def _is_proven(owner: FollowedRecording, recording_id: str | None) -> bool:
    """Return whether Plivo itself named the recording of a start, so that it was not only matched by time."""
    sources = (owner.start_response, owner.begun, owner.transcription)
    return (
        (owner.async_response is not None and owner.async_response.answer.get("recording_id") == recording_id)
        or any(source is not None and source.recording_id == recording_id for source in sources)
        or any(entry.kind == "recording_ended" for entry in owner.history)
    )


def _has_same_id(record: FollowedRecording, row: Recording) -> bool:
    """Return whether a row has the recording's ID, or the same file."""
    known, listed = _file_name(record.record_url), _file_name(row.recording_url)
    has_id = record.recording_id is not None and record.recording_id == row.recording_id
    return has_id or (known != "" and known == listed)


def _has_other_file(record: FollowedRecording, row: Recording) -> bool:
    """Return whether a row has another file than the recording.

    Only the names of the files are compared, because Plivo has served the same file from several hosts.
    """
    known, listed = _file_name(record.record_url), _file_name(row.recording_url)
    return "" not in {known, listed} and known != listed


def _file_name(url: str | None) -> str:
    return (url or "").partition("?")[0].rpartition("/")[2]


def _may_be_of(conference_name: str, row: Recording) -> bool:
    """Return whether a row has the name of the conference, which Plivo may have normalized.

    A row with another name is still possible, because only rows of this conference were requested.
    """
    return row.conference_name is None or _normal(row.conference_name) == _normal(conference_name)


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _began(row: Recording) -> tuple[datetime, datetime] | None:
    """Return the earliest and the latest time at which the recording of a row can have begun.

    If None, the row has no usable time, or its times contradict each other. Plivo adds a row when the recording has
    ended.
    """
    times = [time for time in (row.started_at, row.ended_at, row.added_at) if time is not None]
    if not times or max(times) - min(times) > _MAX_LENGTH + _MAX_LISTING_DELAY:
        return None
    if row.started_at is not None:
        return row.started_at, row.started_at
    ended = row.ended_at or row.added_at or max(times)
    length = _MAX_LENGTH if row.duration_ms is None else min(timedelta(milliseconds=row.duration_ms), _MAX_LENGTH)
    earliest = ended - length - (timedelta() if row.ended_at else _MAX_LISTING_DELAY)
    return earliest, ended if row.duration_ms is None else ended - length
