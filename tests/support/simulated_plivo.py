"""A machine with wrong clocks, and a Plivo that lists recordings late or with odd fields, in simulated time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from plivo_record_async.protocol.api.endpoints import get_conference, get_recording, list_conferences
from plivo_record_async.protocol.api.listing import Listing
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.result_or_error import result_of
from plivo_record_async.protocol.clocks import PlivoClock, Reading
from plivo_record_async.protocol.models import Recording, StartRequest
from plivo_record_async.protocol.recording.evidence import DueTimeReached, StartAccepted, StartOutcomeUnknown
from plivo_record_async.protocol.recording.lifecycle import Reconcile, apply, begin_sending
from plivo_record_async.protocol.recording.reconcile import (
    Ownership,
    assess,
    conclude,
    match_rows,
    ownership_of,
    start_window,
)
from plivo_record_async.protocol.recording.record import FollowedRecording
from plivo_record_async.protocol.recording.schedule import is_due

__all__ = ["SimulatedMachine", "SimulatedPlivo", "SimulatedRecording", "moment"]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the true time, in seconds after noon."""
    return NOON + timedelta(seconds=seconds)


@attrs.frozen(kw_only=True)
class SimulatedRecording:
    """A recording that exists at the simulated Plivo.

    Attributes:
        recording_id: Its id.
        room: The name of its conference.
        began: The true time at which it began, in seconds after noon.
        ended: The true time at which it ended.
        listed: The true time from which it is listed as ended.
        odd_fields: The fields of its row that differ from what Plivo documents; None stands for a missing value.
    """

    recording_id: str
    room: str
    began: float
    ended: float
    listed: float
    odd_fields: Mapping[str, Any]


@attrs.define(kw_only=True)
class SimulatedPlivo:
    """A Plivo whose clock shows the true time, except for the errors in ``dates``.

    Attributes:
        rows: The recordings that exist; those of the machine's own starts come first.
        conferences: The true time at which each conference ends.
        dates: The errors of the ``Date`` of its answers in turn, in seconds; None for an answer without a date.
        page: The number of recordings on one page.
        gives_next: Whether a page contains the address of the next one.
        shows_running: Whether it lists recordings that have not ended.
        requests: The number of requests.
    """

    rows: list[SimulatedRecording] = attrs.field(factory=list[SimulatedRecording])
    conferences: Mapping[str, float] = attrs.field(factory=dict[str, float])
    dates: Sequence[float | None] = (0.0,)
    page: int = 20
    gives_next: bool = True
    shows_running: bool = False
    requests: int = 0

    def answer(self, request: Request[Any], now: float) -> Response:
        """Answer a request at a true time."""
        self.requests += 1
        body: dict[str, Any]
        path, query = urlsplit(request.path).path, dict(parse_qsl(urlsplit(request.path).query))
        match path.strip("/").split("/"):
            case ["Recording"]:
                status, body = 200, self._list(query, now)
            case ["Recording", recording_id]:
                rows = [row for row in self.rows if row.recording_id == unquote(recording_id) and row.listed <= now]
                status, body = (200, _fields_of(rows[0], now)) if rows else (404, {"error": "not found"})
            case ["Conference"]:
                status, body = 200, {"conferences": list[str]()}
            case [_, name]:
                live = now < self.conferences[unquote(name)]
                status, body = (200, {"conference_name": name}) if live else (404, {"error": "not found"})
            case other:
                raise AssertionError(other)
        off = self.dates[self.requests % len(self.dates)]
        headers = {} if off is None else {"date": format_datetime(moment(now + off), usegmt=True)}
        return Response(status=status, headers=headers, body=json.dumps(body).encode())

    def _list(self, query: Mapping[str, str], now: float) -> dict[str, Any]:
        since = datetime.fromisoformat(query["add_time__gte"]).replace(tzinfo=UTC)
        listed = [
            row
            for row in self.rows
            if row.room == query["conference_name"]
            and (moment(row.listed) >= since if row.listed <= now else self.shows_running and row.began <= now)
        ]
        listed.sort(key=lambda row: row.listed, reverse=True)
        offset = int(query["offset"])
        end = offset + min(self.page, int(query["limit"]))
        more = end < len(listed)
        address = f"/v1/Account/MA/Recording/?limit={self.page}&offset={end}" if self.gives_next and more else None
        return {
            "meta": {"limit": self.page, "next": address, "total_count": len(listed)},
            "objects": [_fields_of(row, now) for row in listed[offset:end]],
        }


def _fields_of(row: SimulatedRecording, now: float) -> dict[str, Any]:
    """Return the fields of a row as Plivo documents them, except for its odd ones."""
    ended = row.listed <= now
    fields = {
        "recording_id": row.recording_id,
        "conference_name": row.room,
        "recording_url": f"https://media.example/{row.recording_id}.mp3",
        "recording_start_ms": f"{moment(row.began).timestamp() * 1000:.5f}",
        "recording_end_ms": f"{moment(row.ended).timestamp() * 1000:.5f}" if ended else "-1.00000",
        "recording_duration_ms": f"{(row.ended - row.began) * 1000:.5f}" if ended else "-1.00000",
        "add_time": f"{moment(row.listed if ended else row.began)}",
    }
    return {**fields, **(row.odd_fields if ended else {})}


@attrs.define(kw_only=True)
class SimulatedMachine:
    """A machine on which one program runs after another, and the store that they share.

    Attributes:
        plivo: The Plivo to which its requests go.
        offset: The error of its time of day at the beginning, in seconds.
        drift: The seconds that its clocks gain in each second.
        steps: The times at which its time of day is changed, and by how much.
        pauses: The times from which and until which it is suspended.
        stops_steady_clock: Whether its steady clock stops while it is suspended.
        restarts: The times at which the program ends and the next one begins.
        round_trip: The duration of a request, in seconds.
        records: The records in the store.
    """

    plivo: SimulatedPlivo
    offset: float = 0.0
    drift: float = 0.0
    steps: Sequence[tuple[float, float]] = ()
    pauses: Sequence[tuple[float, float]] = ()
    stops_steady_clock: bool = False
    restarts: Sequence[float] = ()
    round_trip: float = 0.2
    records: dict[str, FollowedRecording] = attrs.field(factory=dict[str, FollowedRecording])
    _clocks: dict[int, PlivoClock] = attrs.field(factory=dict[int, PlivoClock])

    def read(self, now: float) -> Reading:
        """Return the reading of its clocks at a true time."""
        run = sum(restart <= now for restart in self.restarts)
        gained = now * self.drift
        step = sum(by for when, by in self.steps if when <= now)
        lost = (
            sum(min(until, now) - since for since, until in self.pauses if since < now)
            if self.stops_steady_clock
            else 0.0
        )
        return Reading(
            wall=moment(now + self.offset + gained + step), steady=1e6 + now + gained - lost, run=f"run {run}"
        )

    @property
    def changes(self) -> list[float]:
        """The times at which its clocks or its program change; the first is its start."""
        return [0.0, *(when for when, _ in self.steps), *(until for _, until in self.pauses), *self.restarts]

    def is_awake(self, now: float) -> bool:
        """Return whether it is not suspended."""
        return not any(since <= now < until for since, until in self.pauses)

    def clock(self, now: float) -> PlivoClock:
        """Return what the program that runs at this time knows of Plivo's clock."""
        return self._clocks.setdefault(sum(restart <= now for restart in self.restarts), PlivoClock())

    def ask(self, request: Request[Any], now: float) -> Any:
        """Send a request as a client does. If the answer is 404, return None."""
        response = self.plivo.answer(request, now)
        before, after = self.read(now - self.round_trip / 2), self.read(now + self.round_trip / 2)
        self.clock(now).observe_date(response.headers.get("date", ""), before, after)
        if response.status == 404:
            return None
        return result_of(request, response)

    def send_unrelated_request(self, now: float) -> None:
        """Send a request that has nothing to do with any recording."""
        if self.is_awake(now):
            self.ask(list_conferences(), now)

    def start(self, start_id: str, room: str, now: float, *, within: float, answered: float | None) -> None:
        """Send a start, which is answered after ``answered`` seconds. If None, it is not answered."""
        clocks = self.read(now)
        sending = self.clock(now).sending(clocks, within=within)
        record = begin_sending(start_id, StartRequest(room), clocks.wall, sending=sending)
        if answered is None:
            record, _ = apply(record, StartOutcomeUnknown(description="no answer"), self.read(now + within).wall)
        else:
            record, _ = apply(record, StartAccepted(description="202", api_id=start_id), self.read(now + answered).wall)
        self.records[start_id] = record

    def do_due_work(self, now: float) -> None:
        """Do what is due for each record by the machine's own time of day."""
        if not self.is_awake(now):
            return
        wall = self.read(now).wall
        for start_id, record in self.records.items():
            if is_due(record, wall):
                changed, effects = apply(record, DueTimeReached(), wall)
                self.records[start_id] = self._reconcile(changed, now) if Reconcile() in effects else changed

    def _reconcile(self, record: FollowedRecording, now: float) -> FollowedRecording:
        """Reconcile a record, as `Reconciler` does."""
        rows, complete = self._listed(record, now)
        matches = match_rows(record, rows, start_window(record, self.clock(now), self.read(now)))
        owners: dict[Recording, Ownership] = {
            row: ownership_of(row, self._owner(row), record) for row in (*matches.likely, *matches.possible)
        }
        assessment = assess(record, matches, owners, complete=complete)
        live = assessment.needs_conference and self.ask(get_conference(record.conference_name), now) is not None
        evidence = conclude(record, assessment, live=live, plivo_time=self.clock(now).time(self.read(now)))
        return record if evidence is None else apply(record, evidence, self.read(now).wall)[0]

    def _listed(self, record: FollowedRecording, now: float) -> tuple[list[Recording], bool]:
        if record.recording_id is not None:
            row = self.ask(get_recording(record.recording_id), now)
            if row is not None:
                return [row], True
        search = start_window(record, self.clock(now), self.read(now))
        listing = Listing(
            conference_name=record.conference_name, added_after=search.added_after, now=self.read(now).wall
        )
        rows: list[Recording] = []
        while listing.request is not None:
            rows += listing.take(self.ask(listing.request, now))
        return rows, listing.complete

    def _owner(self, row: Recording) -> FollowedRecording | None:
        owners = (record for record in self.records.values() if record.recording_id == row.recording_id)
        return None if row.recording_id is None else next(owners, None)
