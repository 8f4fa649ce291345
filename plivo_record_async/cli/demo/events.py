"""The demo's events, and the rooms they are about: values, drawn by one view and played by one story."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Chapter", "Closed", "Event", "Happened", "Mode", "Opened", "Room", "Step", "Warned", "What"]

Mode = Literal["sync", "async"]

What = Literal["started", "accepted", "conference ended", "stopped", "recorded", "transcribed", "failed"]
"""``started`` is the answer to a synchronous start; ``accepted``, ``recorded`` and ``transcribed`` are the stages of a
followed recording."""


@attrs.frozen(kw_only=True)
class Step:
    """Something that happened to a room, ``at`` so many seconds after the demo began."""

    at: float
    what: What


@attrs.frozen(kw_only=True)
class Room:
    """One conference and what became of its recording.

    Attributes:
        name: The conference's name.
        mode: How its recording is started; one that is followed is started in asynchronous mode.
        transcribe: Whether a transcript is asked for too.
        api_id: Plivo's id of the start.
        recording_id: Plivo's id of the recording.
        duration_ms: The recording's length as Plivo gave it, which it does in a callback only.
        transcription: What was said, as Plivo gave it.
        steps: What happened, in order.
        error: What went wrong, in words.
    """

    name: str
    mode: Mode = "sync"
    transcribe: bool = False
    api_id: str | None = None
    recording_id: str | None = None
    duration_ms: int | None = None
    transcription: str | None = None
    steps: tuple[Step, ...] = ()
    error: str | None = None

    @property
    def accepted(self) -> float | None:
        """When Plivo's answer to the start was here."""
        return self.at("started", "accepted")

    @property
    def over(self) -> float | None:
        """When the recording was seen to be over."""
        return self.at("conference ended", "stopped", "recorded")

    @property
    def last(self) -> What:
        """What makes it complete: nothing more is to come after that, at least nothing that must."""
        if self.mode == "sync":
            return "stopped"
        return "transcribed" if self.transcribe else "recorded"

    @property
    def done(self) -> bool:
        """Whether it is complete."""
        return self.at(self.last) is not None

    @property
    def measured_ms(self) -> int | None:
        """The recording's length as measured here, from answer to answer."""
        return None if self.accepted is None or self.over is None else round((self.over - self.accepted) * 1000)

    def at(self, *whats: What) -> float | None:
        """When the first of these happened."""
        return next((step.at for step in self.steps if step.what in whats), None)


@attrs.frozen(kw_only=True)
class Opened:
    """The demo begins.

    Attributes:
        plivo: The API's address.
        listener: Where callbacks are received, if they are.
        rooms: The conferences, in order.
    """

    plivo: str
    listener: str | None
    rooms: tuple[Room, ...]


@attrs.frozen(kw_only=True)
class Chapter:
    """A part of the demo begins."""

    at: float
    title: str


@attrs.frozen(kw_only=True)
class Happened:
    """Something happened to a room, which now is ``room``."""

    step: Step
    room: Room


@attrs.frozen(kw_only=True)
class Warned:
    """Something was logged, such as a callback that was not believed."""

    at: float
    text: str


@attrs.frozen(kw_only=True)
class Closed:
    """The demo is over.

    Attributes:
        at: Seconds that it took.
        rooms: The conferences and what became of them.
        callbacks: How many callbacks were verified and stored.
        executions: How many starts were executed, where that can be known.
        problems: What went wrong or is missing, a sentence each; none if all is well.
    """

    at: float
    rooms: tuple[Room, ...]
    callbacks: int
    executions: int | None
    problems: tuple[str, ...]


Event = Opened | Chapter | Happened | Warned | Closed
"""Whatever a view is told."""
