"""`telemetry`, which imports OpenTelemetry when it is first called."""

from __future__ import annotations

from functools import cache

from plivo_record_async.settings import captured_content
from plivo_record_async.telemetry.interface import Telemetry
from plivo_record_async.telemetry.names import KINDS

__all__ = ["telemetry"]


@cache
def telemetry() -> Telemetry:
    """Return the telemetry of this process. The first client makes it, so that no call has to import anything.

    Returns:
        Telemetry that records with OpenTelemetry's global providers, or nothing if OpenTelemetry is not installed.

    Raises:
        ConfigurationError: The environment variable ``OTEL_INSTRUMENTATION_PLIVO_CAPTURE`` is malformed.
    """
    try:
        from plivo_record_async.telemetry.otel import OtelTelemetry  # noqa: PLC0415 - it takes time, and is optional
    except ImportError:
        return Telemetry()
    return OtelTelemetry(captured_content(KINDS))
