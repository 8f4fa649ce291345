"""What Plivo's list of recordings says about a followed recording.

A row is this recording if Plivo's IDs say so, or else if its recording began when the start was sent. Both times are
Plivo's, as far as they are known. Whatever is not known makes the result "not yet known", never "absent".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import attrs

from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.models import Recording
from plivo_record_async.protocol.recording.evidence import (
    CandidatesFound,
    ConferenceGone,
    Evidence,
    NothingFound,
    RecordingFound,
)
from plivo_record_async.protocol.recording.kinds import Kind
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.tracking_policy import DEFAULT_TRACKING, TrackingPolicy

__all__ = ["Claim", "Finding", "Matches", "Search", "conclude", "matching", "ownership_of", "start_window", "weigh"]

_MARGIN: Final = timedelta(seconds=30)
"""How long Plivo may take to begin recording, and by how much the clocks of its machines may differ."""

_UNMEASURED: Final = timedelta(seconds=90)
"""The same if Plivo's clock was not measured, because the clock of this machine may be wrong too."""

_MIN_TOLERANCE: Final = timedelta(minutes=1)
_MAX_TOLERANCE: Final = timedelta(days=1)

_LONGEST: Final = timedelta(days=1)
"""No conference, and so no recording, lasts longer. https://plivo.com/docs/voice/concepts/account-limits.md"""

_FILING: Final = timedelta(hours=1)
"""How long after its end a recording may be added to the list."""

_DEADLINE: Final = timedelta(seconds=30)
"""The deadline of a start whose record does not say it."""

_ANSWERED: Final[frozenset[Kind]] = frozenset({"accepted", "start_confirmed"})
"""The kinds of evidence that show that the recording has begun."""


@attrs.frozen(kw_only=True)
class Search:
    """When a recording must have begun, by Plivo's clock, if it is the one in question.

    Attributes:
        first: Not before this.
        last: Not after this.
        tolerance: By how much both may be wrong.
    """

    first: datetime
    last: datetime
    tolerance: timedelta

    @property
    def added_after(self) -> datetime:
        """The earliest time at which the recording can have been added to the list."""
        return self.first - self.tolerance

    def holds(self, began: tuple[datetime, datetime], *, tolerance: timedelta = timedelta()) -> bool:
        """Return whether a recording that began between two times may be the one in question.

        Args:
            began: The two times.
            tolerance: By how much the times may be wrong.
        """
        earliest, latest = began
        return earliest <= self.last + tolerance and latest >= self.first - tolerance


@attrs.frozen(kw_only=True)
class Matches:
    """The rows of a list that are, or may be, one recording.

    Attributes:
        certain: The rows that are the recording by Plivo's own ids.
        likely: The rows whose recording began when the start was sent.
        possible: The rows that cannot be excluded.
    """

    certain: tuple[Recording, ...] = ()
    likely: tuple[Recording, ...] = ()
    possible: tuple[Recording, ...] = ()


Claim = Literal["free", "found", "taken"]
"""Whether a row belongs to no other start, was matched to another one by time, or belongs to it by Plivo's own ids."""


@attrs.frozen(kw_only=True)
class Finding:
    """The result of reading the list.

    Attributes:
        found: The rows that are the recording, or are likely to be.
        in_doubt: Whether the recording may exist although nothing was found.
    """

    found: tuple[Recording, ...] = ()
    in_doubt: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it matters if the conference is live."""
        return not self.found and not self.in_doubt


def start_window(record: FollowedRecording, clock: PlivoClock, now: Reading) -> Search:
    """Return when the recording must have begun: between the last sending and the first sign of it, or the deadline.

    An earlier sending does not count, because nothing of it was sent.

    Args:
        record: The recording.
        clock: Plivo's clock.
        now: The clocks of this machine.
    """
    sent_at = max((entry.at for entry in record.history if entry.kind == "sending_began"), default=record.created_at)
    within = _DEADLINE if record.sending is None else timedelta(seconds=record.sending.within)
    answered_at = next((entry.at for entry in record.history if entry.at >= sent_at and entry.kind in _ANSWERED), None)
    took = within if answered_at is None else min(max(answered_at - sent_at, timedelta()), within)
    sent = clock.when_sent(sent_at, record.sending, now)
    margin = _MARGIN if sent.measured else _UNMEASURED
    tolerance = max(_MIN_TOLERANCE, within) if sent.measured else _MAX_TOLERANCE
    return Search(first=sent.earliest - margin, last=sent.latest + took + margin, tolerance=tolerance)


def matching(record: FollowedRecording, rows: Sequence[Recording], search: Search) -> Matches:
    """Return the rows that are, or may be, a recording.

    Args:
        record: The recording.
        rows: The rows of Plivo's list.
        search: When the recording must have begun.
    """
    certain = tuple(row for row in rows if _is_it(record, row))
    if certain or record.recording_id is not None:
        return Matches(certain=certain)
    likely: list[Recording] = []
    possible: list[Recording] = []
    for row in rows:
        began = _began(row)
        if began is not None and search.holds(began) and _may_be_of(record.conference_name, row):
            likely.append(row)
        elif began is None or search.holds(began, tolerance=search.tolerance):
            possible.append(row)
    if not likely and record.api_id is not None:
        # Plivo's documents do not say whether the api_id in a row is that of the start or that of the question.
        likely = [row for row in rows if row.api_id == record.api_id]
    return Matches(likely=tuple(likely), possible=tuple(possible))


def ownership_of(owner: FollowedRecording | None, row: Recording, record: FollowedRecording) -> Claim:
    """Return whether a row belongs to another start.

    Args:
        owner: The record that has the row's ``recording_id``. If None, the store has no such record.
        row: The row.
        record: The recording in question.
    """
    if owner is None or owner.start_id == record.start_id:
        return "free"
    return "taken" if _was_named(owner, row.recording_id) else "found"


def weigh(record: FollowedRecording, matches: Matches, claims: Mapping[Recording, Claim], *, complete: bool) -> Finding:
    """Return what the rows prove.

    Args:
        record: The recording.
        matches: The rows that are, or may be, the recording.
        claims: Whether the likely and the possible rows belong to other starts.
        complete: Whether the whole list was read.
    """
    found = matches.certain + tuple(row for row in matches.likely if claims[row] == "free")
    doubtful = [row for row in matches.likely if claims[row] == "found"]
    doubtful += [row for row in matches.possible if claims[row] != "taken"]
    in_doubt = bool(doubtful) or not complete or record.recording_id is not None
    return Finding(found=found, in_doubt=in_doubt)


def conclude(
    record: FollowedRecording,
    finding: Finding,
    *,
    live: bool,
    plivo_time: datetime | None,
    tracking: TrackingPolicy = DEFAULT_TRACKING,
) -> Evidence | None:
    """Return the evidence that follows from the list. If None, Plivo has to be asked again later.

    Args:
        record: The recording.
        finding: The result of reading the list.
        live: Whether the conference is live. It matters only if nothing was found.
        plivo_time: The time by Plivo's clock. If None, it is not known yet.
        tracking: The intervals and timeouts.
    """
    match finding.found:
        case [row]:
            return RecordingFound(recording=row)
        case [_, *_]:
            return CandidatesFound(recordings=finding.found)
        case _ if finding.in_doubt or live or plivo_time is None:
            return None
        case _ if record.gone_at is None:
            return ConferenceGone(at=plivo_time)
        case _:
            return NothingFound() if plivo_time >= record.gone_at + tracking.absence_grace else None


def _was_named(owner: FollowedRecording, recording_id: str | None) -> bool:
    """Whether Plivo itself said that a recording is this one, so that it was not only matched by time."""
    said = (owner.start_response, owner.begun, owner.transcription)
    return (
        (owner.async_response is not None and owner.async_response.answer.get("recording_id") == recording_id)
        or any(source is not None and source.recording_id == recording_id for source in said)
        or any(entry.kind == "recording_ended" for entry in owner.history)
    )


def _is_it(record: FollowedRecording, row: Recording) -> bool:
    """Whether Plivo's ID of the recording or the URL of its file says that a row is the recording."""
    pairs = ((record.recording_id, row.recording_id), (record.record_url, row.recording_url))
    return any(ours is not None and ours == theirs for ours, theirs in pairs)


def _may_be_of(conference_name: str, row: Recording) -> bool:
    """Whether a row is of this conference by its name, which Plivo may have put right.

    A row with another name is in tolerance all the same, because only rows of this conference were asked for.
    """
    return row.conference_name is None or _normal(row.conference_name) == _normal(conference_name)


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _began(row: Recording) -> tuple[datetime, datetime] | None:
    """Return between which times a recording began. If None, its row does not say, or contradicts itself.

    A row is added when its recording has ended.
    """
    times = [time for time in (row.started_at, row.ended_at, row.added_at) if time is not None]
    if not times or max(times) - min(times) > _LONGEST + _FILING:
        return None
    if row.started_at is not None:
        return row.started_at, row.started_at
    ended = row.ended_at or row.added_at or max(times)
    lasted = _LONGEST if row.duration_ms is None else min(timedelta(milliseconds=row.duration_ms), _LONGEST)
    earliest = ended - lasted - (timedelta() if row.ended_at else _FILING)
    return earliest, ended if row.duration_ms is None else ended - lasted
