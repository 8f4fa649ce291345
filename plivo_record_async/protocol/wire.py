"""The one cattrs converter: Plivo's spelling on one side, our values on the other.

Unknown fields are kept: every value structured here carries the whole message in ``raw``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from plivo_record_async.protocol.models import RecordingStarted, RecordingStopped, StartRequest, StopRequest

__all__ = ["json_object", "structure", "unstructure"]

T = TypeVar("T")


def _text(value: object, _type: Any) -> str:
    """Ids and words are text; a number in their place is spelled out, anything else makes no sense."""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        return str(value)
    raise ValueError(f"expected a text, not {value!r}")


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _text)
    for cls in (RecordingStarted, RecordingStopped):
        fields = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=False)
        converter.register_structure_hook(cls, lambda data, _, fields=fields: fields({**data, "raw": dict(data)}))
    for request in (StartRequest, StopRequest):
        converter.register_unstructure_hook(
            request,
            make_dict_unstructure_fn(
                request, converter, _cattrs_omit_if_default=True, conference_name=override(omit=True)
            ),
        )
    return converter


_converter = _make_converter()


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        ValueError: It is empty, not JSON, or not an object; the message says which and shows the beginning.
    """
    shown = body[:200].decode(errors="replace")
    if not body.strip():
        raise ValueError("its body is empty")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its body is not JSON: {shown!r}") from error
    if not isinstance(data, dict):
        raise ValueError(f"its body is not a JSON object: {shown!r}")  # noqa: TRY004 - it is Plivo's value, not the caller's
    return cast("dict[str, Any]", data)


def structure(data: Mapping[str, Any], cls: type[T]) -> T:
    """Make a ``cls`` of an answer's JSON object.

    Raises:
        ValueError: A field is missing or not what it should be.
    """
    try:
        return _converter.structure(data, cls)
    except (KeyError, TypeError, BaseValidationError) as error:
        raise ValueError(f"it has no usable {error}") from error


def unstructure(request: StartRequest | StopRequest) -> dict[str, str]:
    """The parameters to send: what was given, in Plivo's spelling; the name travels in the path."""
    parameters: dict[str, str] = _converter.unstructure(request)
    return parameters
