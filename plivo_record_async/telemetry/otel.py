"""Spans and metrics that OpenTelemetry's global providers record. Only this module imports OpenTelemetry.

The proxies of the API look up the global providers, so the user may set these before or after the first client is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import Token
from functools import cache
from types import TracebackType
from typing import Final, Self

import attrs
from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from plivo_record_async._version import __version__
from plivo_record_async.protocol.models import RecordingState
from plivo_record_async.telemetry.interface import Attributes, Span, Telemetry
from plivo_record_async.telemetry.metrics import METRICS
from plivo_record_async.telemetry.names import CONTENT, Attribute, Capture, SpanName

__all__ = ["Instruments", "OtelSpan", "OtelTelemetry", "create_instruments"]

_SCOPE: Final = "plivo_record_async"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 3600)
"""The boundaries of the histograms: those that OpenTelemetry advises for HTTP, and longer ones for callbacks."""

_KINDS: Final[Mapping[SpanName, trace.SpanKind]] = {"plivo.callback.process": trace.SpanKind.CONSUMER}
"""The kinds of the spans that are not internal."""

_SUPPRESS_HTTP: Final[str | None] = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", None)
"""The key in the context by which the instrumentations of HTTP libraries recognize that they must not make a span."""

_propagator = TraceContextTextMapPropagator()
_sources: list[Callable[[], Mapping[RecordingState, int]]] = []


class OtelSpan(Span):
    """A span of OpenTelemetry.

    Args:
        span: The span.
        left_out: The names of attributes with content that the user does not want to record.
        suppress_http: Whether other HTTP instrumentations are suppressed while this is the current span.
    """

    __slots__ = ("_is_kept_open", "_left_out", "_span", "_suppress_http", "_token")

    def __init__(self, span: trace.Span, left_out: Container[str], *, suppress_http: bool = False) -> None:
        self._span = span
        self._left_out = left_out
        self._suppress_http = suppress_http
        self._is_kept_open = False
        self._token: Token[Context] | None = None

    @property
    def traceparent(self) -> str | None:
        """The trace and the span, as in the header ``traceparent``. If None, the span is not sampled."""
        if not self._span.get_span_context().trace_flags.sampled:
            return None
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(self._span, Context()))
        return carrier.get("traceparent")

    def set(self, attributes: Attributes) -> None:
        """Add attributes.

        Args:
            attributes: The attributes. Content that the user does not want to record is left out.
        """
        self._span.set_attributes(_known(attributes, self._left_out))

    def link(self, traceparent: str | None) -> None:
        """Add a link to another span.

        Args:
            traceparent: The trace and the span. If None, nothing is added.
        """
        for link in _links(traceparent):
            self._span.add_link(link.context)

    def fail(self, error: BaseException | str) -> None:
        """Record that the work of the span has failed.

        Args:
            error: The exception, of which only the class is recorded, or the type of the error.
        """
        self._span.set_attribute(Attribute.ERROR_TYPE, error if isinstance(error, str) else type(error).__qualname__)
        self._span.set_status(trace.StatusCode.ERROR)

    def keep_open(self) -> Self:
        """Do not end the span when its context is left. `end` has to be called later.

        Returns:
            The span itself.
        """
        self._is_kept_open = True
        return self

    def end(self) -> None:
        """End the span. If it has ended already, do nothing."""
        if self._span.is_recording():
            self._span.end()

    def __enter__(self) -> Self:
        entered = trace.set_span_in_context(self._span)
        if self._suppress_http and _SUPPRESS_HTTP is not None:
            entered = context.set_value(_SUPPRESS_HTTP, value=True, context=entered)
        self._token = context.attach(entered)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None  # noqa: S101 - it was entered
        context.detach(self._token)
        if not self._is_kept_open:
            if error is not None:
                self.fail(error)
            self.end()


class OtelTelemetry(Telemetry):
    """Telemetry of OpenTelemetry.

    Args:
        captured: The kinds of content to record.
    """

    is_recording = True

    def __init__(self, captured: Collection[Capture]) -> None:
        self._left_out = frozenset(name for name, kind in CONTENT.items() if kind not in captured)
        self._tracer = trace.get_tracer(_SCOPE, __version__)
        self._instruments = _global_instruments()

    def span(self, name: SpanName, attributes: Attributes, *, link: str | None = None) -> Span:
        """Begin a span.

        Args:
            name: The name of the span.
            attributes: The attributes. Content that the user does not want to record is left out.
            link: The trace and the span to which the new span is linked. If None, it has no link.
        """
        span = self._tracer.start_span(
            name,
            kind=_KINDS.get(name, trace.SpanKind.INTERNAL),
            attributes=_known(attributes, self._left_out),
            links=_links(link),
        )
        return OtelSpan(span, self._left_out)

    def attempt_span(self, method: str, attributes: Attributes) -> Span:
        """Begin the span of an HTTP attempt. While it is the current span, other HTTP instrumentations are suppressed.

        Args:
            method: The HTTP method.
            attributes: The attributes. Content that the user does not want to record is left out.
        """
        recorded = _known(attributes, self._left_out)
        span = self._tracer.start_span(method, kind=trace.SpanKind.CLIENT, attributes=recorded)
        return OtelSpan(span, self._left_out, suppress_http=True)

    def current_span(self) -> Span:
        """Return the span that is the current one of the running task."""
        return OtelSpan(trace.get_current_span(), self._left_out)

    @contextmanager
    def without_span(self) -> Generator[None]:
        """Return a context manager in which there is no current span."""
        token = context.attach(Context())
        try:
            yield
        finally:
            context.detach(token)

    def count(self, name: str, attributes: Attributes) -> None:
        """Add 1 to a counter.

        Args:
            name: The name of the metric.
            attributes: The attributes of the measurement.
        """
        self._instruments.counters[name].add(1, _known(attributes))

    def measure(self, name: str, seconds: float, attributes: Attributes) -> None:
        """Add a duration to a histogram.

        Args:
            name: The name of the metric.
            seconds: The duration in seconds.
            attributes: The attributes of the measurement.
        """
        self._instruments.histograms[name].record(seconds, _known(attributes))

    @contextmanager
    def observing_active(self, read: Callable[[], Mapping[RecordingState, int]]) -> Generator[None]:
        """Return a context manager in which ``plivo.recording.active`` is observed.

        Args:
            read: A function that returns the number of recordings in each state. It is called in any thread.
        """
        _sources.append(read)
        try:
            yield
        finally:
            _sources.remove(read)


@attrs.frozen
class Instruments:
    """The instruments of all metrics, by name. The observable ones are kept here so that they exist.

    Attributes:
        counters: The counters.
        histograms: The histograms.
        gauges: The observable gauges.
    """

    counters: Mapping[str, metrics.Counter]
    histograms: Mapping[str, metrics.Histogram]
    gauges: Mapping[str, metrics.ObservableGauge]


@cache
def _global_instruments() -> Instruments:
    """Return the instruments of the global provider. All clients share them."""
    return create_instruments(metrics.get_meter(_SCOPE, __version__))


def create_instruments(meter: metrics.Meter) -> Instruments:
    """Create the instruments of all metrics.

    Args:
        meter: The meter to which they belong.
    """
    counters: dict[str, metrics.Counter] = {}
    histograms: dict[str, metrics.Histogram] = {}
    gauges: dict[str, metrics.ObservableGauge] = {}
    for name, metric in METRICS.items():
        match metric.kind:
            case "counter":
                counters[name] = meter.create_counter(name, metric.unit, metric.description)
            case "histogram":
                histograms[name] = meter.create_histogram(
                    name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=_SECONDS
                )
            case "gauge":
                gauges[name] = meter.create_observable_gauge(name, [_observe_active], metric.unit, metric.description)
    return Instruments(counters, histograms, gauges)


def _observe_active(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
    """Return the number of recordings in each state, of all trackers of this process together."""
    total = Counter[str]()
    for read in tuple(_sources):
        total.update(read())
    return [metrics.Observation(count, {Attribute.STATE: state}) for state, count in total.items()]


def _links(traceparent: str | None) -> list[trace.Link]:
    if traceparent is None:
        return []
    linked = trace.get_current_span(_propagator.extract({"traceparent": traceparent}, Context())).get_span_context()
    return [trace.Link(linked)] if linked.is_valid else []


def _known(attributes: Attributes, left_out: Container[str] = ()) -> dict[str, str | int]:
    """Return the attributes that are not None, without those that are left out."""
    return {name: value for name, value in attributes.items() if value is not None and name not in left_out}
