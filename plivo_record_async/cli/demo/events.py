"""The demo's events, and the rooms they are about: values, drawn by one view and played by one story."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Chapter", "Closed", "Event", "Happened", "Mode", "Opened", "Refused", "Room", "Step", "What"]

Mode = Literal["sync", "async"]

What = Literal["started", "pending", "answered", "conference ended", "stopped", "recorded", "failed"]
"""``started`` and ``pending`` are answers to a start; ``answered`` and ``recorded`` are callbacks, verified."""


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
        callback_url: Where Plivo calls back about it; with it the start is in asynchronous mode.
        api_id: Plivo's id of the start.
        recording_id: Plivo's id of the recording.
        duration_ms: The recording's length as Plivo gave it, which it does in a callback only.
        steps: What happened, in order.
        error: What went wrong, in words.
    """

    name: str
    callback_url: str | None = None
    api_id: str | None = None
    recording_id: str | None = None
    duration_ms: int | None = None
    steps: tuple[Step, ...] = ()
    error: str | None = None

    @property
    def mode(self) -> Mode:
        """How its recording is started."""
        return "sync" if self.callback_url is None else "async"

    @property
    def accepted(self) -> float | None:
        """When Plivo's answer to the start was here."""
        return self.at("started", "pending")

    @property
    def over(self) -> float | None:
        """When the recording was seen to be over."""
        return self.at("conference ended", "stopped", "recorded")

    @property
    def done(self) -> bool:
        """Whether nothing more is to come, at least nothing that must."""
        return self.at("stopped" if self.mode == "sync" else "recorded") is not None

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
        listener: The callback listener's address, if there is one.
        rooms: The conferences, in order.
        callbacks: How many callbacks are to come.
    """

    plivo: str
    listener: str | None
    rooms: tuple[Room, ...]
    callbacks: int


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
class Refused:
    """A callback was not believed, or not understood."""

    at: float
    error: str


@attrs.frozen(kw_only=True)
class Closed:
    """The demo is over.

    Attributes:
        at: Seconds that it took.
        rooms: The conferences and what became of them.
        callbacks: How many callbacks came and were verified.
        executions: How many starts were executed, where that can be known.
        problems: What went wrong or is missing, a sentence each; none if all is well.
    """

    at: float
    rooms: tuple[Room, ...]
    callbacks: int
    executions: int | None
    problems: tuple[str, ...]


Event = Opened | Chapter | Happened | Refused | Closed
"""Whatever a view is told."""
