"""The control API: what programs of any language can do with the emulator, under ``/__emulator__/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import attrs

from plivo_record_async.emulator.account.arguments import RefusedError, integer_argument, parse_arguments
from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.account.recording import Recording
from plivo_record_async.emulator.account.world import Conference
from plivo_record_async.emulator.control.control import Control
from plivo_record_async.emulator.control.openapi import openapi
from plivo_record_async.emulator.history.log import Log, LogEntry, page_of

__all__ = ["ControlReply", "handle"]

_MOST = 999_999_999
_READ_ONLY = ("state", "requests", "deliveries", "conferences", "recordings", "clock", "dialects", "openapi.json")
_METHODS: Mapping[tuple[str, ...], Sequence[str]] = {
    **{(name,): ("GET", "HEAD") for name in _READ_ONLY},
    ("events",): ("GET",),
    ("faults",): ("GET", "HEAD", "POST", "DELETE"),
    ("dialect",): ("GET", "HEAD", "PUT"),
    ("clock", "advance"): ("POST",),
    ("reset",): ("POST",),
}
"""The methods of the resources whose paths have no variable part."""

_LONGEST_ADVANCE = 1_000_000_000


@attrs.frozen
class ControlReply:
    """The answer to a control request.

    Attributes:
        body: The body, as JSON values.
        status: The HTTP status.
    """

    body: Any
    status: int = 200


async def handle(control: Control, method: str, resource: Sequence[str], query: str, body: bytes = b"") -> ControlReply:
    """Execute a control request.

    Args:
        control: The emulator.
        method: The HTTP method.
        resource: The segments of the path after ``__emulator__``.
        query: The query as it was sent.
        body: The body as it was sent.

    Raises:
        RefusedError: The request cannot be executed.
    """
    allowed = _methods_of(resource)
    if not allowed:
        raise RefusedError(404, "not found")
    if method not in allowed:
        raise RefusedError(405, "method not allowed", headers={"Allow": ", ".join(allowed)})
    try:
        match ["GET" if method == "HEAD" else method, *resource]:
            case ["GET", *what]:
                return ControlReply(_read(control, what, dict(parse_qsl(query, keep_blank_values=True))))
            case ["POST", *what]:
                return await _post(control, what, body)
            case ["PUT", "dialect"]:
                return _put_dialect(control, None, body)
            case ["PUT", "dialects", name] if name:
                return _put_dialect(control, name, body)
            case ["DELETE", *what]:
                return _delete(control, what)
            case _:
                raise RefusedError(404, "not found")
    except ValueError as error:
        raise RefusedError(400, str(error)) from error


def _methods_of(resource: Sequence[str]) -> Sequence[str]:
    """Return the methods of a resource. If there are none, the resource does not exist."""
    match resource:
        case ["conferences", name] | ["conferences", name, "end"] if name:
            return ("POST",)
        case ["dialects", name] if name:
            return ("PUT", "DELETE")
        case ["deliveries", _, "replay"]:
            return ("POST",)
        case ["faults", _]:
            return ("DELETE",)
        case _:
            return _METHODS.get(tuple(resource), ())


def _arguments(body: bytes) -> Mapping[str, Any]:
    """Return the arguments in a body. Texts that UTF-8 cannot encode are refused, because no answer could show them."""
    given = parse_arguments("POST", "", body)
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RefusedError(400, "invalid JSON: UTF-8 cannot encode one of its texts") from error
    return given


async def _post(control: Control, what: Sequence[str], body: bytes) -> ControlReply:
    match what:
        case ["conferences", name] if name:
            return ControlReply(control.open_conference(name))
        case ["conferences", name, "end"] if name:
            return ControlReply(control.end_conference(name))
        case ["deliveries", number, "replay"]:
            return ControlReply(control.replay(_id(number)).to_dict(), 202)
        case ["faults"]:
            return ControlReply(control.faults.add_json(_arguments(body)).to_dict(), 201)
        case ["clock", "advance"]:
            await control.advance(_seconds(_arguments(body)))
            return ControlReply(control.clock.to_dict())
        case ["reset"]:
            await control.reset()
            return ControlReply({})
        case _:
            raise RefusedError(404, "not found")


def _put_dialect(control: Control, name: str | None, body: bytes) -> ControlReply:
    dialect = Dialect.of(_arguments(body))
    control.set_dialect(dialect, name)
    return ControlReply(dialect.to_dict())


def _delete(control: Control, what: Sequence[str]) -> ControlReply:
    match what:
        case ["faults"]:
            control.faults.clear()
        case ["faults", number] if control.faults.remove(_id(number)):
            pass
        case ["dialects", name] if control.world.dialects.pop(name, None):
            pass
        case _:
            raise RefusedError(404, "not found")
    return ControlReply({})


def _read(control: Control, what: Sequence[str], given: Mapping[str, str]) -> Any:
    limit = None
    if "limit" in given:
        limit = integer_argument(given, "limit", at_least=0, at_most=_MOST, default=0)
    before = given.get("before")
    world, history = control.world, control.history
    readers: dict[str, Callable[[], Any]] = {
        "state": lambda: control.state(limit),
        "requests": lambda: _page(history.requests, limit, before),
        "deliveries": lambda: _page(history.deliveries, limit, before),
        "conferences": lambda: _dicts(page_of(world.conferences.values(), _name, limit=limit, before=before)),
        "recordings": lambda: _dicts(page_of(world.recordings.values(), _key, limit=limit, before=before)),
        "openapi.json": lambda: openapi(world.url, world.auth_id),
        "faults": lambda: _dicts(list(control.faults)),
        "clock": control.clock.to_dict,
        "dialect": world.dialect.to_dict,
        "dialects": lambda: {name: dialect.to_dict() for name, dialect in world.dialects.items()},
    }
    if len(what) != 1 or what[0] not in readers:
        raise RefusedError(404, "not found")
    return readers[what[0]]()


def _dicts(values: Sequence[Any]) -> list[dict[str, Any]]:
    return [each.to_dict() for each in values]


def _page(log: Log[Any], limit: int | None, before: str | None) -> list[dict[str, Any]]:
    return _dicts(page_of(log.entries(), _number, limit=limit, before=before))


def _number(entry: LogEntry) -> str:
    return str(entry.id)


def _name(conference: Conference) -> str:
    return conference.name


def _key(recording: Recording) -> str:
    return recording.recording_id


def _seconds(given: Mapping[str, Any]) -> float:
    seconds = given.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= _LONGEST_ADVANCE:
        raise RefusedError(400, f"seconds must be a number from 0 to {_LONGEST_ADVANCE}, not {seconds!r}")
    return float(seconds)


def _id(text: str) -> int:
    return integer_argument({"id": text}, "id", at_least=1, at_most=_MOST, default=0)
