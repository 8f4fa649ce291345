"""A receiver of OTLP over HTTP, with the messages of the official package ``opentelemetry-proto``.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.servers.asgi_server import serving

__all__ = ["OtlpReceiver", "otlp_receiver"]


class OtlpReceiver:
    """An ASGI application that keeps the spans, and the names of the metrics, that programs export to it.

    Attributes:
        url: The URL at which it is served.
        spans: The spans in the order in which they arrived.
        metrics: The names of the metrics.
    """

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.metrics: set[str] = set()
        self._arrived = asyncio.Condition()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Callable[[], Any], send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        if scope["path"] == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope_spans in resource.scope_spans for span in scope_spans.spans]
        else:
            for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {
                    m.name for scope_metrics in resource_metrics.scope_metrics for m in scope_metrics.metrics
                }
        headers = [(b"content-type", b"application/x-protobuf")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})  # an empty message says that everything was accepted
        async with self._arrived:
            self._arrived.notify_all()

    async def span(self, name: str, **attributes: str) -> Span:
        """Wait for a span with a name and with attributes, in whose names two underscores stand for a dot."""
        wanted = {attribute.replace("__", "."): value for attribute, value in attributes.items()}

        def found() -> Span | None:
            for span in self.spans:
                values = {attribute.key: attribute.value.string_value for attribute in span.attributes}
                if span.name == name and wanted.items() <= values.items():
                    return span
            return None

        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None)
        span = found()
        assert span is not None
        return span


@asynccontextmanager
async def otlp_receiver() -> AsyncGenerator[OtlpReceiver]:
    """Serve a receiver on a real socket inside this block."""
    receiver = OtlpReceiver()
    async with serving(receiver, lifespan="off") as receiver.url:
        yield receiver
