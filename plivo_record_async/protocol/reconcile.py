"""What Plivo's list of recordings says of a recording that is silent: pure decisions over what was seen.

A row is this recording if Plivo's ids say so, or else if the recording began when the start was sent. Both times are
Plivo's, as far as they are known; what is not known makes the answer "not yet known", never "absent".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from plivo_record_async.protocol.clocks import PlivoClock, Reading
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

__all__ = ["Matches", "Search", "conclude", "is_certainly", "match", "search_for"]

_MARGIN: Final = timedelta(seconds=30)
"""How long Plivo may take to begin, and how far the clocks of its machines may differ."""

_UNMEASURED: Final = timedelta(seconds=90)
"""The same where Plivo's clock was not measured, and ours may be wrong too."""

_LEAST_DOUBT: Final = timedelta(minutes=1)
_GREATEST_DOUBT: Final = timedelta(days=1)

_LONGEST: Final = timedelta(days=1)
"""No conference, and so no recording, lasts longer: https://plivo.com/docs/voice/concepts/account-limits.md"""

_FILING: Final = timedelta(hours=1)
"""How long after its end a recording may be added to the list."""

_DEADLINE: Final = timedelta(seconds=30)
"""That of a start which did not write its own down."""

_ANSWERED: Final[frozenset[Kind]] = frozenset({"accepted", "start_confirmed"})
"""What tells that the recording has begun by then."""


@attrs.frozen(kw_only=True)
class Search:
    """When, by Plivo's clock, a recording began if it is the one that is looked for.

    Attributes:
        first: Not before this.
        last: Not after this.
        doubt: By how much both may be wrong all the same.
    """

    first: datetime
    last: datetime
    doubt: timedelta

    @property
    def added_after(self) -> datetime:
        """Since when the recording can have been added to the list."""
        return self.first - self.doubt

    def holds(self, began: tuple[datetime, datetime], *, doubt: timedelta = timedelta()) -> bool:
        """Whether a recording that began between two times may have begun in this time."""
        earliest, latest = began
        return earliest <= self.last + doubt and latest >= self.first - doubt


@attrs.frozen(kw_only=True)
class Matches:
    """The rows of a list that are, or may be, one recording.

    Attributes:
        certain: Those that are the recording by Plivo's own ids.
        likely: Those that began when it was sent.
        possible: Those of which it cannot be excluded.
    """

    certain: tuple[Recording, ...] = ()
    likely: tuple[Recording, ...] = ()
    possible: tuple[Recording, ...] = ()


def search_for(record: FollowedRecording, clock: PlivoClock, now: Reading) -> Search:
    """Return when the recording began if it did: between its sending and the first news of it, or its deadline.

    Of an earlier sending nothing left.

    Args:
        record: The recording.
        clock: Plivo's clock.
        now: Our clocks.
    """
    sent_at = max((step.at for step in record.steps if step.kind == "sending_began"), default=record.created_at)
    within = _DEADLINE if record.sending is None else timedelta(seconds=record.sending.within)
    answered_at = next((step.at for step in record.steps if step.at >= sent_at and step.kind in _ANSWERED), None)
    took = within if answered_at is None else min(max(answered_at - sent_at, timedelta()), within)
    sent = clock.when_sent(sent_at, record.sending, now)
    margin = _MARGIN if sent.measured else _UNMEASURED
    doubt = max(_LEAST_DOUBT, within) if sent.measured else _GREATEST_DOUBT
    return Search(first=sent.earliest - margin, last=sent.latest + took + margin, doubt=doubt)


def match(record: FollowedRecording, rows: Sequence[Recording], search: Search) -> Matches:
    """Return the rows that are, or may be, a recording.

    Args:
        record: The recording.
        rows: What Plivo lists.
        search: When it began if it did.
    """
    certain = tuple(row for row in rows if _is_it(record, row))
    if certain or record.recording_id is not None:
        return Matches(certain=certain)
    rows = [row for row in rows if _may_be_of(record.conference_name, row)]
    likely: list[Recording] = []
    possible: list[Recording] = []
    for row in rows:
        began = _began(row)
        if began is not None and search.holds(began):
            likely.append(row)
        elif began is None or search.holds(began, doubt=search.doubt):
            possible.append(row)
    if not likely and record.api_id is not None:
        # Plivo's documents do not say whose it is in a row: that of the start, or that of the question.
        likely = [row for row in rows if row.api_id == record.api_id]
    return Matches(likely=tuple(likely), possible=tuple(possible))


def is_certainly(owner: FollowedRecording, recording_id: str) -> bool:
    """Whether Plivo itself said that a recording is this one: it was not only found at its time."""
    response = None if owner.response is None else owner.response.answer.get("recording_id")
    said = (owner.answer, owner.begun, owner.transcription)
    return (
        recording_id == response
        or any(source is not None and source.recording_id == recording_id for source in said)
        or any(step.kind == "recording_ended" for step in owner.steps)
    )


def conclude(
    record: FollowedRecording,
    found: Sequence[Recording],
    *,
    in_doubt: bool,
    live: bool,
    plivo_time: datetime,
    terms: Terms = DEFAULT_TERMS,
) -> Evidence | None:
    """Return what to make of it, or None to look again later.

    Args:
        record: The recording.
        found: The rows that are it, or are likely to be.
        in_doubt: Whether it may be in the list although it was not found.
        live: Whether its conference is live; if anything was found or is in doubt, it does not matter.
        plivo_time: The time at Plivo.
        terms: How long to wait for what.
    """
    match found:
        case [row]:
            return RecordingFound(recording=row)
        case [_, *_]:
            return CandidatesFound(recordings=tuple(found))
        case _ if in_doubt or live or record.recording_id is not None:
            return None
        case _ if record.gone_at is None:
            return ConferenceGone(at=plivo_time)
        case _:
            return NothingFound() if plivo_time >= record.gone_at + terms.grace else None


def _is_it(record: FollowedRecording, row: Recording) -> bool:
    """Whether Plivo's id of the recording says so, or the address of its file."""
    pairs = ((record.recording_id, row.recording_id), (record.record_url, row.recording_url))
    return any(ours is not None and ours == theirs for ours, theirs in pairs)


def _may_be_of(conference_name: str, row: Recording) -> bool:
    """Whether a row is of this conference. Plivo filters them; it may do so by a name that it has put right."""
    return row.conference_name is None or _normal(row.conference_name) == _normal(conference_name)


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _began(row: Recording) -> tuple[datetime, datetime] | None:
    """Between which times a recording began, or None if its row does not tell, or contradicts itself.

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
