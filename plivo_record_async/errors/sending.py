"""Errors of requests without a response, or with a response that does not say whether they were executed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import attrs
from attrs import field

from plivo_record_async.errors.root import PlivoRecordError

__all__ = ["NotSentError", "OutcomeUnknownError", "Phase", "UnexpectedResponseError"]

Phase = Literal["queue", "quota", "connect", "send", "answer"]
"""What a request was doing when it failed.

- ``queue``: It waited for one of the client's connections.
- ``quota``: It waited for the account's quota.
- ``connect``: A connection was being opened.
- ``send``: The request was being sent.
- ``answer``: The request had been sent. The client waited for the response, or read it.
"""

_REMEDIES: dict[Phase, str] = {
    "queue": "If this happens often, increase timeout or max_connections, or make fewer calls at the same time.",
    "quota": "If this happens often, increase timeout or make fewer calls.",
    "connect": "Check the network, base_url and the proxy, if there is one.",
    "send": "Check the network.",
    "answer": "Check the network.",
}
"""What to do about a request that was not sent, for each phase in which it failed."""


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class NotSentError(PlivoRecordError):
    """No byte of the request left this machine. It is safe to call again.

    Attributes:
        operation: A description of the call, such as ``start of 'standup'``.
        reason: What went wrong.
        phase: What the request was doing when it failed: ``queue``, ``quota``, ``connect`` or ``send``.
        evidence: Why it is certain that nothing was sent.
        called_at: When the call was made (aware, UTC).
        failed_at: When the call failed (aware, UTC).
        attempts: The number of attempts to send the request.
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
    """The request may have been executed: it was sent, or may have been sent, and no response says what happened.

    The client never repeats a start after this error (unless ``retry_503_starts`` is True), because Plivo might make
    and bill a second recording. Before you repeat it, find out whether it was executed: wait for its callback, or list
    the recordings of the conference. A ``RecordingTracker`` does this by itself. The same applies to
    ``create_transcription``; ``get_transcription`` shows whether it was executed.

    Attributes:
        operation: A description of the call, such as ``start of 'standup'``.
        reason: What went wrong.
        phase: What the request was doing when it failed, as far as the transport reports it.
        evidence: Why the outcome is unknown.
        status: The HTTP status of the response, which does not say whether the request was executed, such as 503 or
            408. If None, no response arrived.
        api_id: Plivo's ID of the request. If None, no response arrived, or the response has none.
        body: The body of the response, as far as it arrived.
        called_at: When the call was made (aware, UTC).
        sent_at: When sending began (aware, UTC). If None, the transport does not report it.
        failed_at: When the call failed (aware, UTC).
        attempts: The number of attempts to send the request.
        repeatable: Whether it is harmless to repeat the request. It is False for a start and for the
            request for a transcript.
        start_id: The tracker's ID of the start: ``tracker.get(start_id)`` returns its handle. If None, no tracker made
            the call.
        warning: What a second execution would cause, and how to find out about the first, for the error's text. If
            None, the request is a start, or it is repeatable.
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
    warning: str | None = field(default=None, kw_only=True)

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
        return f"Do not repeat it: {self.warning or _warning_of_a_start(self.start_id)}"


@attrs.define(eq=False, repr=False, slots=False, auto_exc=False)
class UnexpectedResponseError(PlivoRecordError):
    """Plivo answered with a success status, but the body cannot be read or contains an error.

    A start with a body that cannot be read counts as executed. A start with a body that contains an error may or may
    not have been executed. The client does not repeat either of them. The same applies to ``create_transcription``.

    Attributes:
        status: The HTTP status of the response: 2xx.
        body: The body of the response, as far as it arrived.
        reason: What is wrong with the response.
        operation: A description of the call, such as ``start of 'standup'``.
        repeatable: Whether it is harmless to repeat the request. It is False for a start and for the
            request for a transcript.
        message: Plivo's error message. If None, the body contains no error.
        api_id: Plivo's ID of the request. If None, it could not be read.
        recording_id: Plivo's ID of the recording. If None, it could not be read.
        url: The URL of the file, which exists after the recording has ended. If None, it could not be read.
        start_id: The tracker's ID of the start: ``tracker.get(start_id)`` returns its handle. If None, no tracker made
            the call.
        warning: What a second execution would cause, and how to find out about the first, for the error's text. If
            None, the request is a start, or it is repeatable.
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
    warning: str | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__init__(f"{self.operation}: Plivo answered {self.status}, but {self.reason}")

    def __str__(self) -> str:
        named = f", api_id {self.api_id}" if self.api_id else ""
        return f"{self.args[0]}{named}. {self._advise()}"

    def _advise(self) -> str:
        if self.repeatable:
            return "It is safe to repeat: call again."
        executed = "it counts as executed" if self.message is None else "it may have been executed all the same"
        return f"Do not repeat it: {executed}, and {self.warning or _warning_of_a_start(self.start_id)}"


def _warning_of_a_start(start_id: str | None) -> str:
    """Return why a start must not be repeated, and how to find out whether it was executed."""
    found = "Wait for its callback, or look for the recording first with client.list_recordings(conference_name=…)."
    if start_id is not None:
        found = f"The tracker continues to follow it: await tracker.get({start_id!r})."
    return f"a second start records a second time, and Plivo bills both. {found}"
