"""The names and units of the metrics are part of the public interface."""

from __future__ import annotations

from plivo_record_async.telemetry.metrics import METRICS


def test_names_of_metrics_do_not_change() -> None:
    assert {name: (metric.kind, metric.unit) for name, metric in METRICS.items()} == {
        "plivo.client.operation.duration": ("histogram", "s"),
        "plivo.client.outcomes": ("counter", "{call}"),
        "plivo.quota.wait.duration": ("histogram", "s"),
        "plivo.quota.pauses": ("counter", "{pause}"),
        "plivo.callback.delay": ("histogram", "s"),
        "plivo.callback.rejections": ("counter", "{callback}"),
        "plivo.recording.active": ("gauge", "{recording}"),
    }
