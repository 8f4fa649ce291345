"""`Telemetry` and `Span`, which record nothing. `plivo_record_async.telemetry.otel` has those that record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Literal, Self

from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.telemetry.names import SpanName

__all__ = ["Attributes", "Span", "Telemetry"]

Attributes = Mapping[str, str | int | None]
"""The attributes of a span or of a measurement. Those that are None are left out."""


class Span:
    """A span that is not recorded.

    As a context manager, a span is the current span while the context is entered, and ends when it is left.
    """

    __slots__ = ()

    @property
    def traceparent(self) -> str | None:
        """The trace and the span, as in the header ``traceparent``. If None, the span is not sampled."""
        return None

    def set(self, attributes: Attributes) -> None:
        """Add attributes.

        Args:
            attributes: The attributes. Content that the user does not want to record is left out.
        """

    def link(self, traceparent: str | None) -> None:
        """Add a link to another span.

        Args:
            traceparent: The trace and the span. If None, nothing is added.
        """

    def fail(self, error: BaseException | str) -> None:
        """Record that the work of the span has failed.

        Args:
            error: The exception, of which only the class is recorded, or the type of the error.
        """

    def keep_open(self) -> Self:
        """Do not end the span when its context is left. `end` has to be called later.

        Returns:
            The span itself.
        """
        return self

    def end(self) -> None:
        """End the span. If it has ended already, do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Telemetry:
    """Telemetry that records nothing."""

    is_recording: bool = False
    """Whether anything may be recorded."""

    def span(self, name: SpanName, attributes: Attributes, *, link: str | None = None) -> Span:
        """Begin a span.

        Args:
            name: The name of the span.
            attributes: The attributes. Content that the user does not want to record is left out.
            link: The trace and the span to which the new span is linked. If None, it has no link.
        """
        return _SPAN

    def attempt_span(self, method: str, attributes: Attributes) -> Span:
        """Begin the span of an HTTP attempt. While it is the current span, other HTTP instrumentations are suppressed.

        Args:
            method: The HTTP method.
            attributes: The attributes. Content that the user does not want to record is left out.
        """
        return _SPAN

    def current_span(self) -> Span:
        """Return the span that is the current one of the running task."""
        return _SPAN

    def without_span(self) -> AbstractContextManager[object]:
        """Return a context manager in which there is no current span."""
        return nullcontext()

    def count(
        self,
        name: Literal["plivo.client.outcomes", "plivo.quota.pauses", "plivo.callback.rejections"],
        attributes: Attributes,
    ) -> None:
        """Add 1 to a counter.

        Args:
            name: The name of the metric.
            attributes: The attributes of the measurement.
        """

    def measure(
        self,
        name: Literal["plivo.client.operation.duration", "plivo.quota.wait.duration", "plivo.callback.delay"],
        seconds: float,
        attributes: Attributes,
    ) -> None:
        """Add a duration to a histogram.

        Args:
            name: The name of the metric.
            seconds: The duration in seconds.
            attributes: The attributes of the measurement.
        """

    def observing_active(self, read: Callable[[], Mapping[RecordingState, int]]) -> AbstractContextManager[object]:
        """Return a context manager in which ``plivo.recording.active`` is observed.

        Args:
            read: A function that returns the number of recordings in each state. It is called in any thread.
        """
        return nullcontext()


_SPAN = Span()
