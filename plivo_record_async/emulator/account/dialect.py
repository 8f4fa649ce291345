"""Which source the emulator follows where Plivo's documents, SDKs and captured messages contradict each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, get_args

import attrs
from attrs.validators import in_, instance_of, optional

from plivo_record_async._value import Value
from plivo_record_async.emulator.account.callbacks import SignatureScheme

__all__ = ["Dialect", "Dialects"]

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


def _number(kind: type[int] | UnionType, low: int, high: int) -> Callable[[Any, Any, Any], None]:
    """Return a validator of numbers within bounds. True and false are no numbers."""

    def validate(_dialect: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{attribute.name} must be a number from {low} to {high}, not {value!r}")

    return validate


def _encodable(_dialect: Any, attribute: Any, value: str) -> None:
    """Validate that UTF-8 can encode a text."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{attribute.name} must be a text that UTF-8 can encode, not {value!r}") from error


class Dialects(dict[str, "Dialect"]):
    """The dialects of single conferences by name."""

    def __setitem__(self, name: str, dialect: Dialect) -> None:
        """Set the dialect of a conference.

        Args:
            name: The name of the conference.
            dialect: Its dialect.

        Raises:
            ValueError: UTF-8 cannot encode the name.
        """
        name.encode()
        super().__setitem__(name, dialect)


@attrs.frozen(kw_only=True)
class Dialect(Value):
    """One consistent choice between contradicting sources. The default follows the current documents.

    Attributes:
        start_status: Of an executed start: 202 in the documents, 201 and 200 in the SDKs' own tests.
        stop_status: Of an executed stop: 204, without a body. 200 and 202 come with a message.
        stop_body: What follows a stop's 204: ``none``, or ``message``, JSON that HTTP does not allow there.
        async_status: Of the answer "async api spawned".
        async_reply: What is answered if the request has a callback_url: ``spawned``, and the result comes by callback;
            or ``full``, the result itself, as in some samples.
        success_shape: Of the body of a start's and a stop's success: ``json``, ``html`` (no JSON at all) or ``empty``
            (``{}``).
        error_shape: Of the body of a refusal: ``text`` and ``object`` have ``error`` in JSON, ``empty`` is
            ``{}``, ``html`` is no JSON at all.
        error_api_id: Whether a refusal carries its ``api_id``.
        ended_shape: Of the callback that a recording has ended: fields in ``snake_case``, fields in
            ``camel_case``, or JSON in the field ``response``.
        ended_message: Its field ``message``: in older documents "record_done", or "record done".
        numbers: How it spells numbers: as ``integer``, as ``decimal`` ("345100.00000"), not at all (``empty``), or
            always as -1 (``unknown``).
        started_callback: Whether the start of a recording is called back too, with a duration of -1.
        signatures: What signs a callback: ``V3``; ``V3 list``, as while auth tokens rotate; ``V2``; ``none``.
        copies: How often each callback is delivered.
        delay_s: Seconds to wait before a callback is sent.
        transcription_s: Seconds from the end of a recording, or from the request for a transcript, until it is ready.
        transcribe_without_url: Whether a start with a transcription_type but without a transcription_url requests a
            transcript, which can only be read then.
        retry_after: Whether a 429 of the account's quota has the header ``Retry-After``.
    """

    start_status: int = attrs.field(default=202, validator=_ACCEPTED)
    stop_status: int = attrs.field(default=204, validator=in_((200, 202, 204)))
    stop_body: Literal["none", "message"] = attrs.field(default="none", validator=in_(("none", "message")))
    async_reply: Literal["spawned", "full"] = attrs.field(default="spawned", validator=in_(("spawned", "full")))
    async_status: int = attrs.field(default=202, validator=_ACCEPTED)
    success_shape: Literal["json", "html", "empty"] = attrs.field(
        default="json", validator=in_(("json", "html", "empty"))
    )
    error_shape: Literal["text", "object", "empty", "html"] = attrs.field(
        default="text", validator=in_(("text", "object", "empty", "html"))
    )
    error_api_id: bool = attrs.field(default=True, validator=instance_of(bool))
    ended_shape: Literal["snake_case", "camel_case", "response"] = attrs.field(
        default="snake_case", validator=in_(("snake_case", "camel_case", "response"))
    )
    ended_message: str | None = attrs.field(default=None, validator=optional([instance_of(str), _encodable]))
    numbers: Literal["integer", "decimal", "empty", "unknown"] = attrs.field(
        default="integer", validator=in_(("integer", "decimal", "empty", "unknown"))
    )
    started_callback: bool = attrs.field(default=False, validator=instance_of(bool))
    signatures: SignatureScheme = attrs.field(default="V3", validator=in_(get_args(SignatureScheme)))
    copies: int = attrs.field(default=1, validator=_number(int, 1, 100))
    delay_s: float = attrs.field(default=0.0, validator=_number(int | float, 0, 1_000_000_000))
    transcription_s: float = attrs.field(default=0.0, validator=_number(int | float, 0, 1_000_000_000))
    transcribe_without_url: bool = attrs.field(default=True, validator=instance_of(bool))
    retry_after: bool = attrs.field(default=False, validator=instance_of(bool))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Dialect:
        """Return the dialect that JSON describes.

        Args:
            given: The attributes that differ from the default.

        Raises:
            ValueError: A name is unknown, or a value is invalid.
        """
        known = [attribute.name for attribute in attrs.fields(cls)]
        if unknown := sorted(given.keys() - set(known)):
            raise ValueError(f"{', '.join(map(repr, unknown))}: not known, only {', '.join(known)}")
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the dialect is invalid: {str(error.args[0]) if error.args else error}") from error

    def success(self, body: Mapping[str, Any]) -> Mapping[str, Any] | str:
        """Return the body of a success: JSON, or a text of HTML.

        Args:
            body: The body in JSON.
        """
        if self.success_shape == "html":
            return "<html><body><h1>ok</h1></body></html>"
        return {} if self.success_shape == "empty" else body

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
        if self.numbers == "unknown":
            return -1
        return f"{value}.00000" if self.numbers == "decimal" else ""
