"""The metrics. Only `plivo_record_async.telemetry.otel` imports them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

__all__ = ["METRICS", "Metric"]


@attrs.frozen
class Metric:
    """One metric.

    Attributes:
        kind: The kind of its instrument.
        unit: The unit, in UCUM.
        description: What is measured.
    """

    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    description: str


METRICS: Final[Mapping[str, Metric]] = {
    "plivo.client.operation.duration": Metric("histogram", "s", "The duration of the calls of the client."),
    "plivo.client.outcomes": Metric("counter", "{call}", "The number of calls of the client, by their outcome."),
    "plivo.quota.wait.duration": Metric("histogram", "s", "The time for which attempts waited for the quota."),
    "plivo.quota.pauses": Metric("counter", "{pause}", "The number of pauses after Plivo answered 429."),
    "plivo.callback.delay": Metric("histogram", "s", "The time from an event at Plivo until its callback was stored."),
    "plivo.callback.rejections": Metric("counter", "{callback}", "The number of callbacks that were rejected."),
    "plivo.recording.active": Metric("gauge", "{recording}", "The number of recordings whose end is not known."),
}
"""The metrics by name."""
