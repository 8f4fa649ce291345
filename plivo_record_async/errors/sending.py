"""Errors of requests that Plivo did not answer, or whose answer does not say whether they were executed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import attrs
from attrs import field

from plivo_record_async.errors.root import PlivoRecordError

__all__ = ["NotSentError", "OutcomeUnknownError", "Phase", "UnexpectedResponseError"]

Phase = Literal["queue", "quota", "connect", "send", "answer"]
"""How far a request got: waiting for a connection, waiting for the account's quota, connecting, sending the request, or
waiting for the answer and reading it."""

_REMEDIES: dict[Phase, str] = {
    "queue": "If this happens often, raise timeout or max_connections, or make fewer calls at once.",
    "quota": "If this happens often, raise timeout or make fewer calls: the account's quota is used up.",
    "connect": "Check the network, base_url and the proxy, if there is one.",
    "send": "Check the network.",
    "answer": "Check the network.",
}
"""What to do about a request that was not sent, by how far it got."""


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class NotSentError(PlivoRecordError):
    """No byte of the request left this machine. It is safe to call again.

    Attributes:
        operation: The call, in words, such as ``start of 'standup'``.
        reason: What went wrong.
        phase: How far the request got: ``queue``, ``quota``, ``connect`` or ``send``.
        evidence: Why it is certain that nothing was sent.
        called_at: When the call was made (aware, UTC).
        failed_at: When the call failed (aware, UTC).
        attempts: How many attempts to send the request were made.
    """

    status: ClassVar[None] = None
    api_id: ClassVar[None] = None

    operation: str
    reason: str
    phase: Phase = field(kw_only=True)
    evidence: str = field(kw_only=True)
    called_at: datetime | None = field(default=None, kw_only=True)
    failed_at: datetime | None = field(default=None, kw_only=True)
    attempts: int = field(default=0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__init__(
            f"{self.operation}: {self.reason}. Nothing was sent ({self.evidence}); it is safe to call again. "
            f"{_REMEDIES[self.phase]}"
        )


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class OutcomeUnknownError(PlivoRecordError):
    """The request was sent, or may have been sent, and no answer says whether it was executed.

    A start is never repeated after this error, because Plivo would record and bill twice.

    Attributes:
        operation: The call, in words, such as ``start of 'standup'``.
        reason: What went wrong.
        phase: How far the request got, as far as the transport reports it.
        evidence: Why the outcome is unknown.
        status: The HTTP status, if an answer came whose status proves nothing: 303, 408, 499 or 5xx.
        api_id: Plivo's ID of the request, if the answer carried one.
        body: The text of the answer, as far as it arrived.
        called_at: When the call was made (aware, UTC).
        sent_at: When sending began (aware, UTC). If None, the transport does not report it.
        failed_at: When the call failed (aware, UTC).
        attempts: How many attempts to send the request were made.
        repeatable: Whether it is harmless to repeat the request, as it is for a stop or a read.
        start_id: The tracker's ID of the start, if a tracker made it. ``tracker.get(start_id)`` returns its handle.
    """

    operation: str
    reason: str
    phase: Phase = field(kw_only=True)
    evidence: str = field(kw_only=True)
    status: int | None = field(default=None, kw_only=True)
    api_id: str | None = field(default=None, kw_only=True)
    body: str = field(default="", kw_only=True)
    called_at: datetime | None = field(default=None, kw_only=True)
    sent_at: datetime | None = field(default=None, kw_only=True)
    failed_at: datetime | None = field(default=None, kw_only=True)
    attempts: int = field(default=1, kw_only=True)
    repeatable: bool = field(default=False, kw_only=True)
    start_id: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__init__(f"{self.operation}: {self.reason}")

    def __str__(self) -> str:
        was_sent = self.sent_at is not None or self.status is not None
        what = "It was sent and may have been executed" if was_sent else "It may have been sent and executed"
        named = f", api_id {self.api_id}" if self.api_id else ""
        return f"{self.args[0]}{named}. {what} ({self.evidence}). {self._advise()}"

    def _advise(self) -> str:
        if self.repeatable:
            return "It is safe to repeat: call again."
        return f"Do not repeat it: a second start records, and is billed, twice. {_how_to_find(self.start_id)}"


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class UnexpectedResponseError(PlivoRecordError):
    """Plivo answered with a success status, but the body cannot be read or carries an error.

    A start whose answer cannot be read counts as accepted. A start whose answer carries an error may or may not have
    been executed.

    Attributes:
        status: The HTTP status, 2xx.
        body: The text of the answer, as far as it arrived.
        reason: What is wrong with the answer.
        operation: The call, in words, such as ``start of 'standup'``.
        repeatable: Whether it is harmless to repeat the request.
        message: The text of Plivo's error. If None, the answer carries no error.
        api_id: Plivo's ID of the request, if it could be read.
        recording_id: Plivo's ID of the recording, if it could be read.
        url: The address of the file once the recording has ended, if it could be read.
        start_id: The tracker's ID of the start, if a tracker made it. ``tracker.get(start_id)`` returns its handle.
    """

    status: int
    body: str
    reason: str
    operation: str = field(default="the request", kw_only=True)
    repeatable: bool = field(default=False, kw_only=True)
    message: str | None = field(default=None, kw_only=True)
    api_id: str | None = field(default=None, kw_only=True)
    recording_id: str | None = field(default=None, kw_only=True)
    url: str | None = field(default=None, kw_only=True)
    start_id: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__init__(f"{self.operation}: Plivo answered {self.status}, but {self.reason}")

    def __str__(self) -> str:
        named = f", api_id {self.api_id}" if self.api_id else ""
        return f"{self.args[0]}{named}. {self._advise()}"

    def _advise(self) -> str:
        if self.repeatable:
            return "It is safe to repeat: call again."
        executed = "it counts as executed" if self.message is None else "it may have been executed all the same"
        return (
            f"Do not repeat it: {executed}, and a second start records, and is billed, twice. "
            f"{_how_to_find(self.start_id)}"
        )


def _how_to_find(start_id: str | None) -> str:
    """Return the sentence that says how to find out whether a start was executed."""
    if start_id is not None:
        return f"The tracker continues to follow it: await tracker.get({start_id!r})."
    return "Wait for its callback, or look for the recording first: client.list_recordings(conference_name=…)."
