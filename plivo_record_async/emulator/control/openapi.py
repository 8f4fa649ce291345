"""The description of everything that the emulator serves: https://spec.openapis.org/oas/v3.1.1.html ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import attrs

from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.control.schemas import SCHEMAS, array_of, reference
from plivo_record_async.emulator.faults.fault import FaultTarget, FaultVerb

__all__ = ["openapi"]

_ACCOUNT = "/v1/Account/{auth_id}"
_CONTROL = "/__emulator__"
_URL = {"type": "string", "pattern": "^https?://[a-z0-9]{1,30}(\\.[a-z0-9]{1,30}){0,5}(:[1-9][0-9]{0,3})?(/[!-~]*)?$"}
_METHOD = {"type": "string", "enum": ["GET", "POST"], "default": "POST"}
_ASYNC: dict[str, dict[str, Any]] = {"callback_url": _URL, "callback_method": _METHOD}
_START = {
    **_ASYNC,
    "file_format": {"type": "string", "enum": ["mp3", "wav"], "default": "mp3"},
    "transcription_type": {"type": "string", "enum": ["auto", "hybrid", "manual"], "default": "auto"},
    "transcription_url": _URL,
    "transcription_method": _METHOD,
}
_TRANSCRIBE = {"transcription_callback_url": _URL}
_FILTERS = ("conference_name", "call_uuid", *(f"add_time{suffix}" for suffix in ("", "__gt", "__gte", "__lt", "__lte")))
_FAULT = {
    "on": {"type": "string", "enum": list(get_args(FaultTarget))},
    "conference": {"type": ["string", "null"]},
    "times": {"type": ["integer", "null"], "minimum": 1},
    "do": {"type": "string", "enum": list(get_args(FaultVerb))},
    "status": {"type": "integer", "minimum": 300, "maximum": 599},
    "executed": {"type": "boolean"},
    "retry_after": {"type": ["string", "null"]},
    "seconds": {"type": "number", "minimum": 0},
    "rate": {"type": "number", "minimum": 0, "maximum": 1},
}


def openapi(url: str, auth_id: str) -> dict[str, Any]:
    """Return the description as JSON values.

    Args:
        url: The address of the emulator.
        auth_id: The ID of the account.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A local Plivo",
            "version": "1",
            "description": "Plivo's Conference Record API as the emulator serves it, and the emulator's control API.",
        },
        "servers": [{"url": url}],
        "paths": {**_api(auth_id), **_control()},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "account": {"type": "http", "scheme": "basic"},
                "control": {"type": "apiKey", "in": "header", "name": "X-Plivo-Emulator"},
            },
        },
    }


def _path(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **schema}}


def _query(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string", **schema}}


def _json(schema: Mapping[str, Any], description: str = "The answer.") -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(properties: Mapping[str, Any], *required: str, additional: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    schema["additionalProperties"] = additional
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(status): _json(reference("Error"), "The request was refused.") for status in statuses}


def _operation(summary: str, responses: Mapping[str, Any], *errors: int, security: str, **more: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [{security: []}] if security else [],
        "responses": {**responses, **_errors(*errors)},
        **more,
    }


def _api(auth_id: str) -> dict[str, Any]:
    """Return the resources of the emulated API, and the recorded files."""

    def call(summary: str, responses: Mapping[str, Any], *errors: int, **more: Any) -> dict[str, Any]:
        return _operation(summary, responses, 401, 429, *errors, security="account", **more)

    account = _path("auth_id", enum=[auth_id])
    name, recording = _path("conference_name", minLength=1), _path("recording_id", minLength=1)
    gone = {"204": {"description": "It was executed."}}
    spawned = {"202": _json(reference("Accepted"), "It was executed, or is executed in asynchronous mode.")}
    filters = [_query(each) for each in _FILTERS]
    pages = [_query("limit", type="integer", minimum=1, maximum=20), _query("offset", type="integer", minimum=0)]
    asynchronous = [_query(each, **schema) for each, schema in _ASYNC.items()]
    return {
        f"{_ACCOUNT}/Conference/": {
            "parameters": [account],
            "get": call("List the live conferences", {"200": _json(reference("ConferenceNames"))}, 400),
        },
        f"{_ACCOUNT}/Conference/{{conference_name}}/": {
            "parameters": [account, name],
            "get": call("Return a conference", {"200": _json(reference("LiveConference"))}, 400, 404),
        },
        f"{_ACCOUNT}/Conference/{{conference_name}}/Record/": {
            "parameters": [account, name],
            "post": call("Start a recording", spawned, 400, 404, requestBody=_body(_START, additional=True)),
            "delete": call("Stop all recordings", {**gone, **spawned}, 400, 404, parameters=asynchronous),
        },
        f"{_ACCOUNT}/Recording/": {
            "parameters": [account],
            "get": call(
                "List recordings", {"200": _json(reference("RecordingPage"))}, 400, parameters=[*filters, *pages]
            ),
        },
        f"{_ACCOUNT}/Recording/{{recording_id}}/": {
            "parameters": [account, recording],
            "get": call("Return a recording", {"200": _json(reference("RecordingResource"))}, 400, 404),
            "delete": call("Delete a recording", {**gone, **spawned}, 400, 404),
        },
        f"{_ACCOUNT}/Transcription/{{recording_id}}/": {
            "parameters": [account, recording],
            "get": call("Return the transcript", {"200": _json(reference("TranscriptionResource"))}, 400, 404),
            "post": call("Request a transcript", spawned, 400, 404, requestBody=_body(_TRANSCRIBE, additional=True)),
        },
        f"{_ACCOUNT}/Recording/{{file}}": {
            "parameters": [account, _path("file", minLength=1)],
            "get": _operation("Return a recorded file", {"200": _sound(), "206": _sound()}, 404, 416, security=""),
            "head": _operation("Return its length", {"200": _sound(), "206": _sound()}, 404, 416, security=""),
        },
    }


def _sound() -> dict[str, Any]:
    return {"description": "The file, or a part of it.", "content": {"audio/mpeg": {}, "audio/wav": {}}}


def _control() -> dict[str, Any]:
    """Return the resources of the control API."""

    def read(summary: str, schema: Mapping[str, Any], *parameters: Mapping[str, Any]) -> dict[str, Any]:
        more = {"parameters": list(parameters)} if parameters else {}
        return {"get": _operation(summary, {"200": _json(schema)}, 400, 403, security="", **more)}

    def change(summary: str, schema: Mapping[str, Any], *errors: int, status: int = 200, **more: Any) -> dict[str, Any]:
        # A body in JSON is enough; a request without a body needs the header.
        security = "" if "requestBody" in more else "control"
        return _operation(summary, {str(status): _json(schema)}, 403, *errors, security=security, **more)

    limit, before = _query("limit", type="integer", minimum=0, maximum=999_999_999), _query("before")
    nothing: Mapping[str, Any] = {"type": "object"}
    number, name = _path("id", type="integer", minimum=1, maximum=999_999_999), _path("name", minLength=1)
    names = [attribute.name for attribute in attrs.fields(Dialect)]
    dialect: dict[str, Any] = {"requestBody": _body({each: SCHEMAS["Dialect"]["properties"][each] for each in names})}
    seconds = _body({"seconds": {"type": "number", "minimum": 0, "maximum": 1_000_000_000}}, "seconds", additional=True)
    event_stream: dict[str, Any] = {"200": {"description": "Server-Sent Events.", "content": {"text/event-stream": {}}}}
    paths: dict[str, Any] = {
        "/state": read("Return everything", reference("State"), limit),
        "/requests": read("List the requests", array_of("Request"), limit, before),
        "/deliveries": read("List the deliveries", array_of("Delivery"), limit, before),
        "/conferences": read("List the conferences", array_of("Conference"), limit, before),
        "/recordings": read("List the recordings", array_of("Recording"), limit, before),
        "/clock": read("Return the clock", reference("Clock")),
        "/openapi.json": read("Return this description", nothing),
        "/events": {"get": _operation("Stream everything that happens", event_stream, 403, security="")},
        "/conferences/{name}": {
            "parameters": [name],
            "post": change("Make a conference live", reference("ConferenceName")),
        },
        "/conferences/{name}/end": {
            "parameters": [name],
            "post": change("End a conference", reference("EndedConference"), 404),
        },
        "/deliveries/{id}/replay": {
            "parameters": [number],
            "post": change("Deliver a callback again", reference("Delivery"), 400, 404, status=202),
        },
        "/faults": {
            **read("List the faults", array_of("Fault")),
            "post": change("Set a fault", reference("Fault"), 400, status=201, requestBody=_body(_FAULT, "do")),
            "delete": change("Remove all faults", nothing),
        },
        "/faults/{id}": {"parameters": [number], "delete": change("Remove a fault", nothing, 400, 404)},
        "/clock/advance": {"post": change("Advance a virtual clock", reference("Clock"), 400, requestBody=seconds)},
        "/reset": {"post": change("Forget everything", nothing)},
        "/dialect": {
            **read("Return the dialect", reference("Dialect")),
            "put": change("Set the dialect", reference("Dialect"), 400, **dialect),
        },
        "/dialects": read(
            "Return the dialects of conferences", {"type": "object", "additionalProperties": reference("Dialect")}
        ),
        "/dialects/{name}": {
            "parameters": [name],
            "put": change("Set the dialect of a conference", reference("Dialect"), 400, **dialect),
            "delete": change("Remove the dialect of a conference", nothing, 404),
        },
    }
    return {_CONTROL + path: item for path, item in paths.items()}
