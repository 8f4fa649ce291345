"""The names of the spans and of the attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

__all__ = ["CONTENT", "KINDS", "Attribute", "Capture", "SpanName"]

SpanName = Literal[
    "plivo.recording.start",
    "plivo.recording.stop",
    "plivo.callback.process",
    "plivo.recording.handle",
    "plivo.recording.reconcile",
]
"""The names of the spans. The span of an HTTP attempt has the name of its HTTP method."""

Capture = Literal["conference_name", "transcript", "url"]
"""The kinds of content that are recorded only if the user opts in."""

KINDS: Final[tuple[Capture, ...]] = get_args(Capture)
"""All of these kinds."""


class Attribute:
    """The names of the attributes of spans and metrics."""

    API_ID: Final = "plivo.api_id"
    ATTEMPTS: Final = "plivo.attempts"
    CALLBACK_RESULT: Final = "plivo.callback.result"
    CONFERENCE_NAME: Final = "plivo.conference_name"
    EVENT: Final = "plivo.event"
    OPERATION: Final = "plivo.operation"
    OUTCOME: Final = "plivo.outcome"
    RECORDING_ID: Final = "plivo.recording_id"
    RECORD_URL: Final = "plivo.record_url"
    START_ID: Final = "plivo.start_id"
    STATE: Final = "plivo.recording.state"
    TRANSCRIPTION: Final = "plivo.transcription"

    # https://opentelemetry.io/docs/specs/semconv/registry/attributes/
    ERROR_TYPE: Final = "error.type"
    FUNCTION: Final = "code.function.name"
    METHOD: Final = "http.request.method"
    RESEND_COUNT: Final = "http.request.resend_count"
    SERVER_ADDRESS: Final = "server.address"
    SERVER_PORT: Final = "server.port"
    STATUS_CODE: Final = "http.response.status_code"
    URL: Final = "url.full"
    URL_TEMPLATE: Final = "url.template"


CONTENT: Final[Mapping[str, Capture]] = {
    Attribute.CONFERENCE_NAME: "conference_name",
    Attribute.RECORD_URL: "url",
    Attribute.TRANSCRIPTION: "transcript",
    Attribute.URL: "url",
}
"""The attributes that are recorded only if the user opts in, and the kind of content that each of them is."""
