"""What comes in while ``listen`` runs: values, and the store that tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from plivo_record_async.cli.output import printable
from plivo_record_async.protocol.models import (
    ApiResponse,
    CallbackEvent,
    RecordingEnded,
    RecordingStatus,
    TranscriptionEnded,
)
from plivo_record_async.protocol.recording.evidence import kind_of
from plivo_record_async.protocol.recording.record import status_of
from plivo_record_async.stores.interface import FollowedRecording, Orphan
from plivo_record_async.stores.sqlite.store import SQLiteStore

__all__ = ["Heard", "News", "Ready", "TellingStore", "details", "record", "subject", "word"]


@attrs.frozen(kw_only=True)
class Ready:
    """Callbacks are received from now on.

    Attributes:
        url: Where.
        public_url: What Plivo has to call it.
        db: The file they are kept in.
    """

    url: str
    public_url: str
    db: Path


@attrs.frozen(kw_only=True)
class Heard:
    """A verified callback that is stored.

    Attributes:
        at: When it was.
        event: What it says.
        followed: The recording that it is about, as it stands by it; ``None`` if that is not followed.
    """

    at: datetime
    event: CallbackEvent
    followed: RecordingStatus | None = None


News = Ready | Heard | str
"""Whatever ``listen`` tells; a text is a warning."""


class TellingStore(SQLiteStore):
    """Tells of each callback as soon as the file has it.

    It does not register handlers with the tracker: an event counts as handled once they have run, and those of the
    program that started the recordings would no longer be run for it.

    Args:
        path: The file.
        tell: Is told.
    """

    def __init__(self, path: Path, tell: Callable[[Heard], None]) -> None:
        super().__init__(path)
        self._tell = tell

    async def replace(self, record: FollowedRecording) -> bool:
        """Keep a changed record, and tell what callbacks changed in it."""
        before = await self.get(record.start_id)
        replaced = await super().replace(record)
        if replaced and before is not None:
            for heard in _heard(before, record):
                self._tell(heard)
        return replaced

    async def keep_orphan(self, orphan: Orphan) -> bool:
        """Keep a callback that was not believed, and tell of it if it is new."""
        kept = await super().keep_orphan(orphan)
        if kept:
            self._tell(Heard(at=orphan.received_at, event=orphan.event))
        return kept


def _heard(before: FollowedRecording, after: FollowedRecording) -> Iterator[Heard]:
    events = [event for event in (after.response, after.ended, after.transcription) if event is not None]
    for step in after.steps[len(before.steps) :]:
        for event in events:
            if kind_of(event) == step.kind:
                yield Heard(at=step.at, event=event, followed=status_of(after))


def record(news: Ready | Heard) -> dict[str, Any]:
    """The news for machines: of a callback its event with all its fields, and the recording that it is about."""
    if isinstance(news, Ready):
        return {"type": "Ready"} | attrs.asdict(news)
    status = news.followed
    about = {"start_id": status and status.start_id, "state": status and status.state}
    return (
        {"type": type(news.event).__name__, "received_at": news.at}
        | about
        | attrs.asdict(news.event)
        | {"conference_name": subject(news)}
    )


def subject(heard: Heard) -> str | None:
    """The conference's name, if it can be known."""
    named = getattr(heard.event, "conference_name", None)
    return named if heard.followed is None else heard.followed.conference_name


def word(heard: Heard) -> str:
    """What happened, in a word."""
    match heard.event:
        case ApiResponse(error=error):
            return "answered" if error is None else "refused"
        case RecordingEnded():
            return "recorded"
        case TranscriptionEnded(error=error):
            return "transcribed" if error is None else "no text"
        case _:
            return "unknown"


def details(heard: Heard) -> str:
    """What the callback says, for people."""
    match heard.event:
        case ApiResponse(message=message, error=error):
            said = error or message or ""
        case RecordingEnded(duration_ms=duration_ms, record_url=record_url):
            said = record_url if duration_ms is None else f"{duration_ms / 1000:.2f} s  {record_url}"
        case TranscriptionEnded(transcription=transcription, error=error):
            said = error or transcription or ""
        case unknown:
            said = ", ".join(unknown.raw)
    return printable(said)
