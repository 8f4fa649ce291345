"""Find out whether the signed text of a callback could also be read as another event.

Version 3 of the signature covers names and values as one text without separators, and a GET and a POST can have the
same signed text. An attacker who captured one callback can present every other reading of its text. Therefore, at most
one of all readings of a text may be trusted. This module ensures this as follows.

An *embedded field* is a place in the text where the name of a known field stands before the beginning of a value of
that field: ``record_url`` before ``https://``, ``recording_id`` before a letter or a digit; in a GET, ``&record_url=``.
Each known field of a reading is an embedded field of the text. Two readings that report different events differ in a
known field. Therefore, each of them contains an embedded field of the other one inside a value, an unknown field or the
query. A callback is not trusted if it contains an embedded field of its own kind of content, or of a kind with
precedence.

Names that are ordinary words (``error``, ``message``, ``duration``, ``transcription``) are recognized as names by their
position. The parts that the caller has pinned are not searched. In IDs and URLs, the module also detects an end that is
missing or does not belong to them. Plivo adds fields over time, so a new name must be distinguished from a known name
that was split in another place; the rest of the name and the value decide. docs/explanation/signatures.md describes the
cases that cannot be detected: a free text may have lost its end to an unknown field, or may contain one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from plivo_record_async.protocol.callbacks.known_fields import (
    FREE_TEXT_NAMES,
    ID_NAMES,
    KNOWN_NAMES,
    NAMES_BY_KIND,
    ORDINARY_WORDS,
    URL_NAMES,
    VALUE_STARTS,
    ContentKind,
    holds_known_name,
    missing_names,
)
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback

__all__ = ["find_second_reading", "find_shifted_name"]

_NAME_EXTENSION = re.compile(r"s?(?:_\w*)?$")
"""What follows the known name in a new name that begins with it, such as ``messages`` or ``message_uuid``."""

_LONGER_NAMES: Mapping[str, Sequence[str]] = {
    name: [longer for longer in KNOWN_NAMES if longer.startswith(name) and longer != name] for name in KNOWN_NAMES
}
"""For each known name, the other known names that begin with it."""

_VALUE_PATTERNS = {
    name: re.compile({"duration": "[0-9]", "message": "record[_ ]done"}.get(name) or VALUE_STARTS.get(name, ""))
    for name in KNOWN_NAMES
}
"""For each known name, a pattern for the beginning of its values. A free text may begin with anything."""


class _Segment(NamedTuple):
    """A known field and the unknown fields between it and the next known field, in the order in which they are signed.

    Attributes:
        name: The name of the known field. It is empty for the unknown fields before the first known one.
        value: Its value.
        names: The names of the unknown fields.
        rest: The text of the unknown fields.
    """

    name: str
    value: str
    names: Sequence[str] = ()
    rest: str = ""


def find_second_reading(
    callback: VerifiedCallback, kind: ContentKind, conference_name: str | None = None
) -> str | None:
    """Return the part of a callback that may belong to another event.

    Args:
        callback: The callback. It must not repeat a name.
        kind: The kind of its content.
        conference_name: The name of the conference. If None, the name is not known.

    Returns:
        The part. If None, the callback has no second reading that this module can detect.
    """
    by_get = callback.method == "GET"
    text_before_form = "" if by_get or callback.url_is_pinned else _text_before_form(callback)
    fields = dict(callback.fields)
    if _is_unambiguous(fields, text_before_form):  # this is the case for nearly all callbacks
        return _find_wrong_end(
            [_Segment(*pair) for pair in fields.items() if pair[0] in _NAMES_WITH_END], by_get=by_get
        )
    segments = _segments(callback)
    values = [_unpinned_text(segment, conference_name) for segment in segments]
    text = "\n".join(value + segment.rest for value, segment in zip(values, segments, strict=True))
    found = _find_embedded_field(kind, text)
    if by_get:
        found = found or _find_embedded_pair(kind, text)
    else:
        found = (
            found
            or _find_embedded_field("response", text_before_form)
            or _find_embedded_pair("response", f"&{text_before_form}")
        )
        if callback.expected_method is None:
            found = found or _find_get_event(segments, values)
        found = found or _find_hidden_field(kind, segments, text_before_form)
    return found or _find_wrong_end(segments, by_get=by_get)


def _is_unambiguous(fields: Mapping[str, str], text_before_form: str) -> bool:
    """Return whether all fields are known and no name of a known field occurs anywhere else.

    The value of ``response`` is JSON, which says itself what its fields are.
    """
    texts = [text_before_form, *[value for name, value in fields.items() if name != "response"]]
    return fields.keys() <= KNOWN_NAMES and not holds_known_name("\n".join(texts))


def _segments(callback: VerifiedCallback) -> Sequence[_Segment]:
    """Return the fields of a callback in the order in which they are signed, the unknown ones after a known one."""
    join = "&{}={}".format if callback.method == "GET" else "{}{}".format
    here = {name for name, _ in callback.fields}
    found, known, names, rest = list[_Segment](), ("", ""), list[str](), ""
    for name, value in sorted(callback.fields):
        if name in KNOWN_NAMES:
            found.append(_Segment(*known, names, rest))
            known, names, rest = (name, value), [], ""
        else:
            names.append(name)
            rest += join(_NAME_SUFFIX.sub(lambda at: "" if at[0] in here else at[0], name), value)
    return [*found, _Segment(*known, names, rest)]


_NAME_SUFFIX = re.compile(r"(?<=[a-z]_)recording_(?:duration|duration_ms|start_ms|end_ms)(?=_|$)")
"""A known name at the end of a new name that Plivo may introduce, such as ``rounded_recording_duration``."""


def _unpinned_text(segment: _Segment, conference_name: str | None) -> str:
    """Return the part of a known field that may contain embedded fields.

    This is its value, or its name if the unknown fields after it may be its value.
    """
    name, value, _, rest = segment
    if not value:
        return name if rest and name not in FREE_TEXT_NAMES else ""
    is_known = name == "response" or (value == conference_name and name in {"conference_name", "ConferenceName"})
    return "" if is_known else value


def _text_before_form(callback: VerifiedCallback) -> str:
    """Return the part of the signed text between the address and the form."""
    form = sum(len(name) + len(value) for name, value in callback.fields)
    return callback.signed_text.partition("?")[2][: -form - len(callback.nonce) - 1]


# Embedded fields


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches wherever one of the patterns does."""
    return re.compile("|".join(sorted(patterns, reverse=True)))  # a longer pattern stands before its beginning


_EMBEDDED_FIELDS = {
    kind: _any_of(
        ORDINARY_WORDS["message"].pattern if name == "message" else f"{name}{VALUE_STARTS[name]}"
        for name in names
        if name in VALUE_STARTS or name == "message"
    )
    for kind, names in NAMES_BY_KIND.items()
}
_EMBEDDED_PAIRS = {
    kind: _any_of(f"&{name}={VALUE_STARTS[name] if name == 'response' else ''}" for name in names)
    for kind, names in NAMES_BY_KIND.items()
}


def _find_embedded_field(kind: ContentKind, text: str) -> str | None:
    """Return the first embedded field of a POST in a text, or None."""
    if not any(name in text for name in NAMES_BY_KIND[kind]):  # this is the case for nearly all texts
        return None
    found = _EMBEDDED_FIELDS[kind].search(text)
    return found and found[0]


def _find_embedded_pair(kind: ContentKind, text: str) -> str | None:
    """Return the first embedded field of a GET, with its ``&`` and ``=``, in a text, or None."""
    found = _EMBEDDED_PAIRS[kind].search(text) if "=" in text else None
    return found and found[0]


_GET_PAIR = re.compile(
    r"&(?:(record_url|RecordUrl)=(?i:https?)://|(response)=[ \t]*\{|(api_id|recording_id)=[A-Za-z0-9]|"
    "(error|message|transcription)=)"
)
_GET_EVENT_NAMES = [
    {"record_url"},
    {"RecordUrl"},
    {"response"},
    *({"api_id", name} for name in ("error", "message")),
    *({"recording_id", name} for name in ("error", "transcription")),
]


def _find_get_event(segments: Sequence[_Segment], values: Sequence[str]) -> str | None:
    """Return the names of an event that the text would report if it were the query of a GET, or None."""
    text = "".join(f"{segment.name}{value}{segment.rest}" for value, segment in zip(values, segments, strict=True))
    if "=" not in text:
        return None
    names = {name for groups in _GET_PAIR.findall(f"&{text}") for name in groups if name}
    return next((f"&{'=…&'.join(sorted(event))}=" for event in _GET_EVENT_NAMES if event <= names), None)


# Fields of a POST that can be hidden without an embedded field


_HIDEABLE_NAMES: Mapping[ContentKind, frozenset[str]] = {
    "response": frozenset(),
    "recording": frozenset({"error"}),  # a recording that has failed has not ended
    "api_response": frozenset(),
    "transcription": frozenset({"duration", "transcription"}),
}
"""For each kind of content, the names that are ordinary words and whose fields would change the event."""


def _find_hidden_field(kind: ContentKind, segments: Sequence[_Segment], text_before_form: str) -> str | None:
    """Return the name of a field that may be hidden in an unknown field, an ID or the query of a callback, or None.

    The callback lacks this field.
    """
    here = frozenset([segment.name for segment in segments[1:]])
    for name in [name for segment in segments for name in segment.names]:
        if name.startswith(tuple(missing_names(here))):
            return name
    texts = [
        text_before_form,
        *[rest if name in FREE_TEXT_NAMES else value + rest for name, value, _, rest in segments],
    ]
    if kind in {"api_response", "transcription"} and "error" not in here and any("error" in text for text in texts):
        return "error"  # Plivo always sends it, even if it is empty
    text = "\n".join(texts)
    return next((word for word in sorted(_HIDEABLE_NAMES[kind] - here) if ORDINARY_WORDS[word].search(text)), None)


_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){2}(?:-[0-9A-Fa-f]{4}(?:-[0-9A-Fa-f]{12})?)?")
"""The form of Plivo's IDs. Some IDs in Plivo's documentation end after the third group."""

_NAMES_WITH_END = ID_NAMES | URL_NAMES | {"error", "message", "transcription"}
"""The names of the fields that `_find_wrong_end` reads if there are no unknown fields."""

_MEDIA, _MEDIA_END = re.compile(r"\.(?:mp3|wav)"), re.compile(r"\.(?:mp3|wav)(?!\w)")


def _find_wrong_end(segments: Sequence[_Segment], *, by_get: bool) -> str | None:
    """Return the name of a known field whose value lost its end to an unknown field or contains an unknown field.

    If None, there is no such field.
    """
    values_by_name = {segment.name: segment.value for segment in segments}
    for name, value, unknown_names, rest in segments:
        if by_get:
            is_cut = name in URL_NAMES and ("&" in value or ("?" in value and rest != ""))
            is_cut = is_cut or (name == "error" and value.startswith("&"))
        elif name in ID_NAMES:
            uuid = _UUID.match(value + rest)
            is_cut = uuid.end() != len(value) if uuid else any(word in value for word in ORDINARY_WORDS)
        elif name in URL_NAMES:
            is_cut = _MEDIA.search(value + rest) is not None and not _MEDIA_END.search(value)
        elif name == "transcription" and rest:
            # The charge and the rate are signed after it, so a genuine new field can only follow those.
            is_cut = value == "" or name == segments[-1].name
        elif name == "error":
            is_cut = rest != "" and value == "" and not values_by_name.get("transcription")
            is_cut = is_cut or ("message" not in values_by_name and _MESSAGE_START.match(value + rest) is not None)
        else:
            is_cut = False
        if not by_get and name in FREE_TEXT_NAMES:
            is_cut = is_cut or not all(map(_FIELD_NAME.fullmatch, unknown_names))
        if is_cut or (rest.endswith("_") and name != segments[-1].name):  # the next name is the end of a longer name
            return name or rest
    return None


_FIELD_NAME = re.compile(r"[A-Za-z]\w*")
"""The form of the name of a new field after a free text. Any other name is the end of the text."""

_MESSAGE_START = re.compile("message[A-Za-z0-9]")
"""The beginning of an error that contains the message of an asynchronous response."""


def find_shifted_name(fields: Mapping[str, str]) -> str | None:
    """Return the name of a field whose text is that of a known field, split between name and value in another place.

    Examples are ``record_ur=lhttps://…``, ``record_urlhttps=://…``, ``recording_duration=_ms12`` and
    ``messagerecord=_done``. In contrast, ``recording_id_v2=…`` and ``message_uuid=…`` are new names.

    Args:
        fields: The fields of a callback.

    Returns:
        The name. If None, there is no such field.
    """
    for name, value in fields.items():
        related = _LONGER_NAMES.get(name)
        for known in _related_names(name, KNOWN_NAMES.intersection(fields)) if related is None else related:
            both = name + value
            if both.startswith(known) and (both == known or _VALUE_PATTERNS[known].match(both, len(known))):
                return name
    return None


def _related_names(name: str, here: frozenset[str]) -> Iterator[str]:
    """Yield the known names that begin with an unknown name, and the missing known names with which it begins."""
    yield from (known for known in KNOWN_NAMES if known.startswith(name))
    yield from (
        known for known in missing_names(here) if name.startswith(known) and not _NAME_EXTENSION.match(name, len(known))
    )
