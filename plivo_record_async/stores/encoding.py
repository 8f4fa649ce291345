"""How followed recordings and orphans are written down, for stores that keep text.

JSON, by one cattrs converter. What a newer version of this package wrote and this one does not know is refused,
not dropped: writing the record back would lose it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from plivo_record_async.errors import StoreError
from plivo_record_async.interfaces import FollowedRecording, Orphan
from plivo_record_async.protocol.models import CallbackEvent

__all__ = ["decode", "encode"]

T = TypeVar("T", FollowedRecording, Orphan)


def _is_raw(cls: Any) -> bool:
    return bool(cls == Mapping[str, Any])


def _make_converter() -> Converter:
    converter = make_converter(forbid_extra_keys=True, omit_if_default=True, detailed_validation=False)
    configure_tagged_union(CallbackEvent, converter, tag_name="event")
    # ``raw`` came out of a form or out of JSON, so it goes into JSON as it is.
    converter.register_unstructure_hook_func(_is_raw, dict)
    converter.register_structure_hook_func(_is_raw, lambda raw, _: dict(raw))
    return converter


_converter = _make_converter()


def encode(value: FollowedRecording | Orphan) -> str:
    """The value as JSON, in ASCII only, so that any text in it can be stored."""
    return json.dumps(_converter.unstructure(value), separators=(",", ":"))


def decode(text: str, cls: type[T]) -> T:
    """The value that was encoded.

    Raises:
        StoreError: The text was damaged, or written by a newer version of this package.
    """
    try:
        data: Any = json.loads(text)
        return _converter.structure(data, cls)
    except Exception as error:  # a damaged text can make the converter raise anything
        raise StoreError(
            f"what the store holds is no {cls.__name__} that this version of the package can read ({error}): it was "
            f"damaged, or written by a newer version. It was left as it is: {text[:200]!r}"
        ) from error
