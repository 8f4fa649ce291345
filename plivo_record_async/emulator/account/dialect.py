"""PURE: which source the emulator follows where Plivo's documents, SDKs and captured messages contradict each other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, get_args

import attrs
from attrs.validators import ge, in_

from plivo_record_async._value import Value
from plivo_record_async.emulator.account.callbacks import SignatureScheme

__all__ = ["Dialect", "Fault"]

_CAMEL_CASE = {
    "api_id": "ApiID",
    "record_url": "RecordUrl",
    "recording_id": "RecordingID",
    "conference_name": "ConferenceName",
    "recording_duration": "RecordingDuration",
    "recording_duration_ms": "RecordingDurationMs",
    "recording_start_ms": "RecordingStartMs",
    "recording_end_ms": "RecordingEndMs",
    "message": "Message",
}
_ACCEPTED = in_((200, 201, 202))


@attrs.frozen(kw_only=True)
class Dialect(Value):
    """One consistent choice between contradicting sources. The default follows the current documents.

    Attributes:
        start_status: Of an executed start: 202 in the documents, 201 and 200 in the SDKs' own tests.
        stop_status: Of an executed stop: 204, without a body. 200 and 202 come with a message.
        async_status: Of the answer "async api spawned".
        error_shape: Of the body of a refusal: ``text`` and ``object`` have ``error`` in JSON, ``empty`` is
            ``{}``, ``html`` is no JSON at all.
        error_api_id: Whether a refusal carries its ``api_id``.
        ended_shape: Of the callback that a recording has ended: fields in ``snake_case``, fields in
            ``camel_case``, or JSON in the field ``response``.
        ended_message: Its field ``message``: in older documents "record_done", or "record done".
        numbers: How it spells numbers: as ``integer``, as ``decimal`` ("345100.00000"), or not at all (``empty``).
        started_callback: Whether the start of a recording is called back too, with a duration of -1.
        signatures: What signs a callback: ``V3``; ``V3 list``, as while auth tokens rotate; ``V2``; ``none``.
        copies: How often each callback is delivered.
        delay_s: Seconds to wait before a callback is sent.
    """

    start_status: int = attrs.field(default=202, validator=_ACCEPTED)
    stop_status: int = attrs.field(default=204, validator=in_((200, 202, 204)))
    async_status: int = attrs.field(default=202, validator=_ACCEPTED)
    error_shape: Literal["text", "object", "empty", "html"] = attrs.field(
        default="text", validator=in_(("text", "object", "empty", "html"))
    )
    error_api_id: bool = True
    ended_shape: Literal["snake_case", "camel_case", "response"] = attrs.field(
        default="snake_case", validator=in_(("snake_case", "camel_case", "response"))
    )
    ended_message: str | None = None
    numbers: Literal["integer", "decimal", "empty"] = attrs.field(
        default="integer", validator=in_(("integer", "decimal", "empty"))
    )
    started_callback: bool = False
    signatures: SignatureScheme = attrs.field(default="V3", validator=in_(get_args(SignatureScheme)))
    copies: int = attrs.field(default=1, validator=ge(1))
    delay_s: float = attrs.field(default=0.0, validator=ge(0))

    def refusal(self, error: str, api_id: str | None) -> Mapping[str, Any] | str:
        """Return the body of a refusal: JSON, or a text of HTML."""
        if self.error_shape == "html":
            return f"<html><body><h1>{error}</h1></body></html>"
        if self.error_shape == "empty":
            return {}
        named = {"api_id": api_id} if api_id and self.error_api_id else {}
        return {**named, "error": {"error": error} if self.error_shape == "object" else error}

    def ended_fields(self, fields: Mapping[str, str | int]) -> Mapping[str, str]:
        """Return the fields of the callback that a recording has ended, in the format of this dialect."""
        said = dict(fields) if self.ended_message is None else {**fields, "message": self.ended_message}
        if self.ended_shape == "response":
            return {"response": json.dumps({name: self._json(value) for name, value in said.items()})}
        spelled = {name: str(self._json(value)) for name, value in said.items()}
        if self.ended_shape == "camel_case":
            return {_CAMEL_CASE[name]: value for name, value in spelled.items()}
        return spelled

    def _json(self, value: str | int) -> str | int:
        if isinstance(value, str) or self.numbers == "integer":
            return value
        return f"{value}.00000" if self.numbers == "decimal" else ""


def _is_status(_fault: Fault, _attribute: attrs.Attribute[int], value: Any) -> None:
    if not isinstance(value, int) or value not in range(300, 600) or value == HTTPStatus.NOT_MODIFIED:
        raise ValueError(f"status must be an HTTP status from 300 to 599 other than 304, not {value!r}")


def _is_header(_fault: Fault, _attribute: attrs.Attribute[str | None], value: Any) -> None:
    if value is not None and not (isinstance(value, str) and re.fullmatch("[ -~]+", value)):
        raise ValueError(f"retry_after must be a text of visible ASCII characters, not {value!r}")


@attrs.frozen(kw_only=True)
class Fault:
    """An error that is answered instead of the right answer.

    Attributes:
        status: HTTP status, such as 429 or 503.
        executed: Whether the request is executed all the same.
        retry_after: The header ``Retry-After``.

    Raises:
        ValueError: The status cannot stand for an error with a body, or the header cannot be sent.
    """

    status: int = attrs.field(validator=_is_status)
    executed: bool = False
    retry_after: str | None = attrs.field(default=None, validator=_is_header)

    @property
    def phrase(self) -> str:
        """The name of the status. Gateways use numbers that no standard defines."""
        try:
            return HTTPStatus(self.status).phrase.lower()
        except ValueError:
            return f"status {self.status}"
