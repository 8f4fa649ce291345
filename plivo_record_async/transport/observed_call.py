"""`ObservedCall`, which notes what happens during one call of the client, and logs how it ended."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Literal, Self

import attrs

from plivo_record_async.errors import ApiError, ClosedError, ConfigurationError, NotSentError, PlivoRecordError
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.retry import may_have_been_executed

__all__ = ["CallOutcome", "ObservedCall", "outcome_of"]

log: logging.Logger = logging.getLogger("plivo_record_async")

CallOutcome = Literal["succeeded", "rejected", "not_sent", "unknown", "cancelled", "failed"]
"""How a call ended.

- ``succeeded``: It has a result.
- ``rejected``: Plivo answered with an error which proves that nothing was executed.
- ``not_sent``: No byte left this machine.
- ``unknown``: It may have been executed.
- ``cancelled``: The task that made the call was cancelled.
- ``failed``: It ended with another error. A download that could not be completed is an example.
"""


def outcome_of(error: BaseException | None) -> CallOutcome:
    """Return how a call ended.

    Args:
        error: The exception that the call raised. If None, it returned a result.
    """
    match error:
        case None:
            return "succeeded"
        case NotSentError() | ClosedError() | ConfigurationError():
            return "not_sent"
        case PlivoRecordError() if may_have_been_executed(error):
            return "unknown"
        case ApiError():
            return "rejected"
        case asyncio.CancelledError() | GeneratorExit():
            return "cancelled"
        case _:
            return "failed"


@attrs.define(kw_only=True, eq=False)
class ObservedCall:
    """What is observed of one call. It is the context manager in which the whole call runs.

    Attributes:
        operation: The name of the client's method, such as ``start_recording``.
        description: A description of the call for people, such as ``start of 'standup'``. It contains no secret.
        conference_name: The name of the conference. If None, the call names none.
        start_id: The tracker's ID of the start. If None, the call was not made by a tracker.
        attempts: The number of attempts so far, including the current one.
        quota_wait: The number of seconds for which the call has waited for the quota, in all attempts together.
        response: The last response to the call. If None, no response has arrived.
        began_at: The time at which the call began, by the clock of the event loop.
        seconds: The length of the call in seconds. It is 0 until the call has ended.
        error: The exception that the call raised. If None, it has not ended, or it succeeded.
    """

    operation: str
    description: str
    conference_name: str | None = None
    start_id: str | None = None
    attempts: int = 1
    quota_wait: float = 0.0
    response: Response | None = None
    began_at: float = 0.0
    seconds: float = 0.0
    error: BaseException | None = None

    @classmethod
    def of(cls, request: Request[Any]) -> Self:
        """Return what is known of a call before it begins.

        Args:
            request: The request that the call sends.
        """
        return cls(
            operation=request.name,
            description=request.operation,
            conference_name=request.conference_name,
            start_id=request.start_id,
        )

    @property
    def outcome(self) -> CallOutcome:
        """How the call ended."""
        return outcome_of(self.error)

    @property
    def status(self) -> int | None:
        """The HTTP status that decided the outcome. If None, no response did."""
        decisive = self.response if self.error is None else self.error
        return getattr(decisive, "status", None)

    @property
    def api_id(self) -> str | None:
        """Plivo's ID of the request that decided the outcome. If None, it is not known."""
        decisive = self.response if self.error is None else self.error
        return getattr(decisive, "api_id", None)

    def __enter__(self) -> Self:
        self.began_at = asyncio.get_running_loop().time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = asyncio.get_running_loop().time() - self.began_at
        self.error = error
        if log.isEnabledFor(logging.INFO):
            self._log()

    def _log(self) -> None:
        outcome, error = self.outcome, None if self.error is None else type(self.error).__name__
        log.info(
            "%s ended: %s (attempts: %d, seconds: %.3f, api_id: %s)",
            self.description,
            outcome if error is None else f"{outcome}, {error}",
            self.attempts,
            self.seconds,
            self.api_id,
            extra={
                "operation": self.operation,
                "conference_name": self.conference_name,
                "start_id": self.start_id,
                "outcome": outcome,
                "error": error,
                "status": self.status,
                "api_id": self.api_id,
                "attempts": self.attempts,
                "seconds": self.seconds,
                "quota_wait": self.quota_wait,
            },
        )
