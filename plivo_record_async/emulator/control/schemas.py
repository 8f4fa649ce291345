"""The schemas of what the emulator answers, for its description in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from plivo_record_async.emulator.history.entries import DeliveryFailure

__all__ = ["SCHEMAS", "array_of", "reference"]

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}
_TIME = {"type": "string", "format": "date-time"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}


def reference(name: str) -> dict[str, Any]:
    """Return a reference to a schema.

    Args:
        name: The name of the schema.
    """
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(name: str) -> dict[str, Any]:
    """Return the schema of an array.

    Args:
        name: The name of the schema of its items.
    """
    return {"type": "array", "items": reference(name)}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _object(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """Return the schema of an object that has all of the first properties, may have the others, and no more."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _all(schema: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return dict.fromkeys(names, schema)


def _one_of(*values: object) -> dict[str, Any]:
    return {"enum": list(values)}


SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": {
        "type": "object",
        "properties": {"error": {"type": ["string", "object"]}, "api_id": _TEXT},
        "additionalProperties": False,
    },
    "Accepted": _object(_all(_TEXT, "api_id", "message"), recording_id=_TEXT, url=_TEXT),
    "ConferenceNames": _object({"api_id": _TEXT, "conferences": {"type": "array", "items": _TEXT}}),
    "LiveConference": _object(
        {
            **_all(_TEXT, "api_id", "conference_name", "conference_run_time", "conference_member_count"),
            "members": {"type": "array", "items": {"type": "object"}},
        }
    ),
    "RecordingPage": _object(
        {
            "api_id": _TEXT,
            "meta": {"type": "object"},
            "objects": array_of("RecordingResource"),
        }
    ),
    "RecordingResource": _object(
        {
            **_all(_TEXT, "add_time", "api_id", "call_uuid", "conference_name", "recording_duration_ms"),
            **_all(_TEXT, "recording_end_ms", "recording_format", "recording_id", "recording_start_ms"),
            **_all(_TEXT, "recording_type", "recording_url", "resource_uri"),
            **_all(_or_null(_TEXT), "from_number", "to_number"),
            **_all(_NUMBER, "monthly_recording_storage_amount", "recording_storage_rate"),
            **_all(_WHOLE, "recording_storage_duration", "rounded_recording_duration"),
        }
    ),
    "TranscriptionResource": _object(
        {
            **_all(_TEXT, "api_id", "transcription"),
            **_all(_NUMBER, "cost", "rate"),
            **_all(_WHOLE, "recording_duration_ms", "recording_start_ms"),
            "status": _one_of("success", "in progress", "failed"),
        }
    ),
    "ConferenceName": _object({"conference_name": _TEXT}),
    "EndedConference": _object({"conference_name": _TEXT, "ended_recordings": {"type": "array", "items": _TEXT}}),
    "State": _object(
        {
            "conferences": {
                "type": "object",
                "additionalProperties": _object({"executed_starts": _WHOLE, "recording": _FLAG}),
            },
            "recordings": array_of("Recording"),
            "deliveries": array_of("Delivery"),
            "faults": array_of("Fault"),
            "quota": {"oneOf": [reference("Quota"), {"type": "null"}]},
            "clock": reference("Clock"),
        }
    ),
    "Conference": _object(
        {
            "name": _TEXT,
            "opened_at": _TIME,
            **_all(_FLAG, "live", "recording"),
            "executed_starts": _WHOLE,
            "running": {"type": "array", "items": _TEXT},
        }
    ),
    "Recording": _object(
        {
            **_all(_TEXT, "recording_id", "api_id", "call_uuid", "conference_name"),
            **_all(_TEXT, "file_format", "url", "resource_uri"),
            "started_at": _TIME,
            "ended_at": _or_null(_TIME),
            "duration_ms": _or_null(_WHOLE),
            "transcribed_at": _or_null(_TIME),
            "executed_transcriptions": _WHOLE,
            **_all(_or_null(_TEXT), "callback_url", "transcription_url", "transcription_type"),
            **_all(_TEXT, "callback_method", "transcription_method"),
            "deleted": _FLAG,
        }
    ),
    "Request": _object(
        {
            **_all(_WHOLE, "id", "body_bytes", "response_bytes"),
            "time": _TIME,
            **_all(_TEXT, "method", "path", "query", "body", "response_body"),
            **_all(_TEXTS, "headers", "response_headers"),
            "operation": _one_of("start", "stop", "get", "list", "delete", "transcribe", "media", None),
            **_all(_or_null(_TEXT), "conference_name", "recording_id", "api_id", "fault"),
            "executed": _FLAG,
            "status": _or_null(_WHOLE),
        }
    ),
    "Delivery": _object(
        {
            **_all(_WHOLE, "id", "callback_id", "attempt", "response_bytes"),
            **_all(_or_null(_WHOLE), "replay_of", "status"),
            "state": _one_of("waiting", "sending", "delivered", "failed", "dropped"),
            "kind": _one_of("response", "recording", "transcription"),
            "time": _TIME,
            **_all(_or_null(_TIME), "at", "next_attempt_at"),
            **_all(_TEXT, "api_id", "method", "url", "callback_url", "body", "response_body"),
            **_all(_or_null(_TEXT), "conference_name", "recording_id", "signed", "fault", "error"),
            "failure": _one_of(*get_args(DeliveryFailure), None),
            **_all(_TEXTS, "fields", "headers", "response_headers"),
        }
    ),
    "Fault": _object(
        {
            **_all(_WHOLE, "id", "happened"),
            **_all(_TEXT, "on", "do"),
            "conference": _or_null(_TEXT),
            "times": _or_null(_WHOLE),
            "active": _FLAG,
        },
        status=_WHOLE,
        executed=_FLAG,
        retry_after=_or_null(_TEXT),
        seconds=_NUMBER,
        rate=_NUMBER,
    ),
    "Clock": _object({"mode": _one_of("real", "squeezed", "virtual"), "now": _or_null(_TIME)}),
    "Quota": _object({**_all(_WHOLE, "limit", "used", "left", "refused"), **_all(_NUMBER, "per", "next_in")}),
    "Dialect": _object(
        {
            **_all(_one_of(200, 201, 202), "start_status", "async_status"),
            "stop_status": _one_of(200, 202, 204),
            "stop_body": _one_of("none", "message"),
            "async_reply": _one_of("spawned", "full"),
            "success_shape": _one_of("json", "html", "empty"),
            "error_shape": _one_of("text", "object", "empty", "html"),
            **_all(_FLAG, "error_api_id", "started_callback", "transcribe_without_url", "retry_after"),
            "ended_shape": _one_of("snake_case", "camel_case", "response"),
            "ended_message": _or_null(_TEXT),
            "numbers": _one_of("integer", "decimal", "empty", "unknown"),
            "signatures": _one_of("V3", "V3 list", "V2", "none"),
            "copies": {"type": "integer", "minimum": 1, "maximum": 100},
            **_all({"type": "number", "minimum": 0, "maximum": 1_000_000_000}, "delay_s", "transcription_s"),
        }
    ),
}
"""The schemas by name."""
