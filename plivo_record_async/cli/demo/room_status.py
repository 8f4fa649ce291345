"""What the demo knows about one conference and its recording."""

from __future__ import annotations

from typing import Any, Literal

import attrs

__all__ = ["RoomStatus", "What"]

What = Literal["started", "accepted", "conference ended", "stopped", "recorded", "transcribed", "failed"]
"""What can happen to a recording. A synchronous start is ``started``, one in asynchronous mode is ``accepted``."""


@attrs.define(kw_only=True)
class RoomStatus:
    """One conference, and what has become of its recording.

    Attributes:
        mode: How its recording is started. One that is started in asynchronous mode is followed.
        transcribe: Whether a transcript is requested.
        duration_ms: The recording's length. Only a callback contains it.
        steps: What happened, in order, each with the seconds since the demo began.
    """

    name: str
    mode: Literal["sync", "async"] = "sync"
    transcribe: bool = False
    api_id: str | None = None
    recording_id: str | None = None
    duration_ms: int | None = None
    transcription: str | None = None
    steps: list[tuple[float, What]] = attrs.field(factory=list[tuple[float, What]])
    error: str | None = None

    def at(self, *whats: What) -> float | None:
        """Return when the first of these happened, or None."""
        return next((at for at, what in self.steps if what in whats), None)

    @property
    def accepted(self) -> float | None:
        """When Plivo answered the start."""
        return self.at("started", "accepted")

    @property
    def over(self) -> float | None:
        """When the recording was seen to be over."""
        return self.at("conference ended", "stopped", "recorded")

    @property
    def last(self) -> What:
        """What happens last if all goes well."""
        return "stopped" if self.mode == "sync" else "transcribed" if self.transcribe else "recorded"

    @property
    def measured_ms(self) -> int | None:
        """The recording's length as measured here, from answer to answer."""
        return None if self.accepted is None or self.over is None else round((self.over - self.accepted) * 1000)

    def as_record(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        fields = attrs.asdict(self) | {"steps": [{"at": at, "what": what} for at, what in self.steps]}
        return {"conference_name": fields.pop("name")} | fields | {"measured_ms": self.measured_ms}
