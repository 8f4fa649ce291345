"""The spans and the measurements that the global providers of OpenTelemetry record during one test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult

__all__ = ["Recorded", "linked_ids", "recorded_telemetry", "span_id"]


class _CurrentExporter(SpanExporter):
    """Exports to the exporter of the test that is running."""

    current: SpanExporter | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if self.current is None else self.current.export(spans)


class _CurrentSampler(Sampler):
    """Samples every span during tests with telemetry, and none in between."""

    def __init__(self, exporter: _CurrentExporter) -> None:
        self._exporter = exporter

    def should_sample(self, *arguments: Any, **more: Any) -> SamplingResult:
        sampler = ALWAYS_OFF if self._exporter.current is None else ALWAYS_ON
        return sampler.should_sample(*arguments, **more)

    def get_description(self) -> str:
        return type(self).__name__


@cache
def _global_providers() -> tuple[_CurrentExporter, InMemoryMetricReader]:
    """Set the global providers, which OpenTelemetry allows once in each process."""
    exporter = _CurrentExporter()
    provider = TracerProvider(sampler=_CurrentSampler(exporter))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    delta = AggregationTemporality.DELTA
    reader = InMemoryMetricReader(preferred_temporality={Counter: delta, Histogram: delta})
    metrics.set_meter_provider(MeterProvider([reader]))
    return exporter, reader


@attrs.frozen
class Recorded:
    """What was recorded during one test.

    Attributes:
        exporter: The exporter of the spans.
        reader: The reader of the measurements.
    """

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, in this order, or those with a name."""
        return [span for span in self.exporter.get_finished_spans() if name in {None, span.name}]

    def span(self, name: str) -> ReadableSpan:
        """Return the only span with a name."""
        (span,) = self.spans(name)
        return span

    def measurements(self) -> dict[str, list[tuple[Mapping[str, Any], Any]]]:
        """Return the measurements since the last call: for each metric, attributes with a count or a last value."""
        data: Any = self.reader.get_metrics_data()
        resources: Any = getattr(data, "resource_metrics", ())
        found: dict[str, list[tuple[Mapping[str, Any], Any]]] = {}
        for resource in resources:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = [
                        (dict(point.attributes), point.count if hasattr(point, "count") else point.value)
                        for point in metric.data.data_points
                    ]
        return found


def span_id(span: ReadableSpan) -> int:
    """Return the ID of a span."""
    context: Any = span.context
    return int(context.span_id)


def linked_ids(span: ReadableSpan) -> list[int]:
    """Return the IDs of the spans to which a span is linked."""
    return [link.context.span_id for link in span.links]


def recorded_telemetry() -> Iterator[Recorded]:
    """Record spans and measurements. The fixture ``recorded`` calls this."""
    exporter, reader = _global_providers()
    exporter.current = InMemorySpanExporter()
    reader.get_metrics_data()
    yield Recorded(exporter.current, reader)
    exporter.current = None
