"""Spans and metrics for OpenTelemetry. Without the extra ``otel``, nothing is recorded and nothing is imported."""
