"""A program that exports its spans and metrics: ``traced_program.py start|receive STORE PORT``.

``start`` starts the recording of the conference "standup", prints its ``start_id`` and ends. ``receive`` serves the
callbacks at the port, prints ``ready``, and ends at SIGTERM. The tracker is configured as any program would do it: the
extra is installed, and the program sets the global providers. The environment contains the account and the address of
the OTLP receiver.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvicorn
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from plivo_record_async import RecordClient, RecordingEnded, RecordingTracker, SQLiteStore
from plivo_record_async.serving import open_listener
from plivo_record_async.stores import PostgresStore


class Server(uvicorn.Server):
    """Says when it serves."""

    async def startup(self, sockets: object = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)  # type: ignore[arg-type]
        print("ready", flush=True)  # noqa: T201


async def run(mode: str, store: str, port: int) -> None:
    """Start a recording, or serve its callbacks."""
    async with RecordClient() as client:
        tracker = RecordingTracker(
            client,
            public_url=f"http://127.0.0.1:{port}",
            store=PostgresStore(store) if "://" in store else SQLiteStore(store),
        )
        if mode == "start":
            async with tracker:
                print((await tracker.start("standup")).start_id, flush=True)  # noqa: T201
            return

        @tracker.on(RecordingEnded)
        async def handle(_: RecordingEnded) -> None: ...

        with open_listener("127.0.0.1", port) as listener:
            config = uvicorn.Config(tracker, log_level="critical", timeout_graceful_shutdown=1)
            await Server(config).serve(sockets=[listener])


def end(number: int, frame: object) -> None:
    """End the program so that its spans and metrics are exported."""
    sys.exit()


def main(mode: str, store: str, port: str) -> None:
    """Set the global providers, run, and export what is left."""
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=50))
    trace.set_tracer_provider(tracer_provider)
    meter_provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(meter_provider)
    signal.signal(signal.SIGTERM, end)
    try:
        asyncio.run(run(mode, store, int(port)))
    finally:
        meter_provider.shutdown()
        tracer_provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
