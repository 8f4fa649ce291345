"""`ObservedCall`, which notes what happens during one call of the client, and reports how it and its attempts ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self

import attrs

from plivo_record_async.errors import ApiError, ClosedError, ConfigurationError, NotSentError, PlivoRecordError
from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.protocol.api.result_or_error import proves_rejection
from plivo_record_async.protocol.api.retry import may_have_been_executed
from plivo_record_async.protocol.models import AttemptReport
from plivo_record_async.telemetry.interface import Attributes, Span
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute, SpanName

__all__ = ["AttemptCallback", "CallOutcome", "ObservedCall", "outcome_of"]

log: logging.Logger = logging.getLogger("plivo_record_async")

AttemptCallback = Callable[[AttemptReport], object]
"""A function that is called with the report of each attempt."""

CallOutcome = Literal["succeeded", "rejected", "not_sent", "unknown", "cancelled", "failed"]
"""How a call ended.

- ``succeeded``: It has a result.
- ``rejected``: Plivo answered with an error which proves that nothing was executed.
- ``not_sent``: No byte left this machine.
- ``unknown``: It may have been executed.
- ``cancelled``: The task that made the call was cancelled.
- ``failed``: It ended with another error. A download that could not be completed is an example.
"""


_SPANS: Final[Mapping[str, SpanName]] = {
    "start_recording": "plivo.recording.start",
    "stop_recording": "plivo.recording.stop",
}
"""The spans of the methods that have one."""


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
        on_attempt: The function of the user that is called with the report of each attempt. If None, there is none.
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
    on_attempt: AttemptCallback | None = None
    attempts: int = 1
    quota_wait: float = 0.0
    response: Response | None = None
    began_at: float = 0.0
    seconds: float = 0.0
    error: BaseException | None = None
    _span: Span = attrs.field(factory=Span, init=False)

    @classmethod
    def of(cls, request: Request[Any], on_attempt: AttemptCallback | None = None) -> Self:
        """Return what is known of a call before it begins.

        Args:
            request: The request that the call sends.
            on_attempt: The function of the user that is called with the report of each attempt. If None, there is none.
        """
        return cls(
            operation=request.name,
            description=request.operation,
            conference_name=request.conference_name,
            start_id=request.start_id,
            on_attempt=on_attempt,
        )

    @property
    def identity(self) -> Mapping[str, str | None]:
        """The attributes of log records that say which call it is."""
        return {
            "operation": self.operation,
            "conference_name": self.conference_name,
            "start_id": self.start_id,
        }

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
        self._span = self._begin_span()
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = asyncio.get_running_loop().time() - self.began_at
        self.error = error
        self._measure()
        if log.isEnabledFor(logging.INFO):
            self._log()
        self._span.__exit__(kind, error, trace)

    @property
    def reports_attempts(self) -> bool:
        """Whether the end of an attempt is reported to the user's function or to the log."""
        return self.on_attempt is not None or log.isEnabledFor(logging.DEBUG)

    def report_attempt(
        self,
        *,
        response: Response | None = None,
        status: int | None = None,
        error: PlivoRecordError | None = None,
        seconds: float,
        quota_wait: float = 0.0,
    ) -> None:
        """Report the end of the current attempt. An exception of the user's function is logged and changes nothing.

        Args:
            response: The response of the API. If None, none arrived, or the attempt is that of a download.
            status: The HTTP status, if ``response`` is None. If None, no response arrived.
            error: Why the attempt ended without a complete response. If None, a response arrived.
            seconds: The length of the attempt in seconds.
            quota_wait: The number of seconds for which the attempt waited for the quota before it began.
        """
        status = status if response is None else response.status
        report = AttemptReport(
            operation=self.operation,
            conference_name=self.conference_name,
            start_id=self.start_id,
            attempt=self.attempts,
            status=status,
            error=error,
            api_id=None if response is None else response.api_id,
            seconds=seconds,
            quota_wait=quota_wait,
            may_have_been_executed=not isinstance(error, NotSentError)
            and (status is None or not proves_rejection(status)),
        )
        ending = f"status {status}" if error is None else type(error).__name__
        reason = getattr(error, "reason", None)  # and not the text of a download's error, which contains the URL
        log.debug(
            "attempt %d of %s ended: %s (seconds: %.3f, quota_wait: %.3f, api_id: %s)",
            report.attempt,
            self.description,
            ending if reason is None else f"{ending}, {reason}",
            seconds,
            quota_wait,
            report.api_id,
            extra=attrs.asdict(report, recurse=False) | {"error": None if error is None else ending},
        )
        if self.on_attempt is not None:
            try:
                self.on_attempt(report)
            except (Exception, asyncio.CancelledError):  # the outcome of the call must not depend on it
                log.exception("on_attempt failed for attempt %d of %s", report.attempt, self.description)

    def _begin_span(self) -> Span:
        """Begin the span of a start or a stop. A tracker has begun the span of its start itself, and ends it."""
        if self.operation not in _SPANS:
            return Span()
        if self.start_id is not None:
            return telemetry().current_span().keep_open()
        return telemetry().span(_SPANS[self.operation], {Attribute.CONFERENCE_NAME: self.conference_name})

    def _measure(self) -> None:
        outcome = self.outcome
        about: Attributes = {
            Attribute.OPERATION: self.operation,
            Attribute.OUTCOME: outcome,
            Attribute.ERROR_TYPE: None if self.error is None else type(self.error).__qualname__,
        }
        telemetry().measure("plivo.client.operation.duration", self.seconds, about)
        telemetry().count("plivo.client.outcomes", about)
        if self.operation not in _SPANS:
            return
        attempts: Attributes = {Attribute.ATTEMPTS: self.attempts}
        if self.start_id is None:
            attempts = {**attempts, Attribute.OUTCOME: outcome, Attribute.API_ID: self.api_id}
        self._span.set(attempts)

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
                **self.identity,
                "outcome": outcome,
                "error": error,
                "status": self.status,
                "api_id": self.api_id,
                "attempts": self.attempts,
                "seconds": self.seconds,
                "quota_wait": self.quota_wait,
            },
        )
