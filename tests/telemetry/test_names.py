"""The names of the spans, the metrics and the attributes are part of the public interface."""

from __future__ import annotations

from typing import get_args

from plivo_record_async.telemetry.names import CONTENT, KINDS, METRICS, Attribute, SpanName


def test_names_of_spans_and_metrics_do_not_change() -> None:
    assert set(get_args(SpanName)) == {
        "plivo.recording.start",
        "plivo.recording.stop",
        "plivo.callback.process",
        "plivo.recording.handle",
        "plivo.recording.reconcile",
    }
    assert {name: (metric.kind, metric.unit) for name, metric in METRICS.items()} == {
        "plivo.client.operation.duration": ("histogram", "s"),
        "plivo.client.outcomes": ("counter", "{call}"),
        "plivo.quota.wait.duration": ("histogram", "s"),
        "plivo.quota.pauses": ("counter", "{pause}"),
        "plivo.callback.delay": ("histogram", "s"),
        "plivo.callback.rejections": ("counter", "{callback}"),
        "plivo.recording.active": ("gauge", "{recording}"),
    }


def test_each_kind_of_content_has_attributes() -> None:
    assert set(CONTENT.values()) == set(KINDS)
    assert CONTENT.keys() <= {value for name, value in vars(Attribute).items() if not name.startswith("_")}
