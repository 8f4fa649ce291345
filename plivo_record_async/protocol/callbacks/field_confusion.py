"""Can the text of a callback be read in another way, as another event?

Version 3 signs names and values run together, and a GET and a POST can sign the same. Who captured one callback can
present every other reading of its text. So of all readings of one text at most one is believed, and this is how:

A *mark* is a place in the text where the name of a known field stands before what a value of that field begins with:
``record_url`` before ``https://``, ``recording_id`` before a letter or a digit; in a GET, ``&record_url=``. Every
known field of every reading is a mark. Two readings that are different events differ in a known field, so in each of
them a mark of the other one is left over: inside of a value, of an unknown field, or of the query. A callback in
which a mark is left over that could be a field of its own kind of event, or of a kind that goes before it, is not
believed.

Names that are words of the language too (``error``, ``message``, ``duration``, ``transcription``) are told from the
words by where they stand. What the caller has pinned holds no marks. Ids and addresses are also checked for an end
that was cut off or added. Plivo adds fields over time, so a new name must be told from a known one that was cut: by
whether what would be its value can be one. What remains is written down in docs/explanation/signatures.md: a free text
may have lost its end to an unknown field, or have swallowed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from plivo_record_async.protocol.callbacks.known_fields import (
    BEGINNINGS,
    FREE_TEXTS,
    IDS,
    KNOWN,
    OF_KIND,
    URLS,
    WORDS,
    Kind,
    holds_known_name,
    missing,
)
from plivo_record_async.protocol.callbacks.urlencoded import Pairs
from plivo_record_async.protocol.callbacks.verified import VerifiedCallback

__all__ = ["find_recut", "find_second_reading"]

_NEW_NAME = re.compile(r"s?(?:_\w*)?$")
"""How a known name goes on to a new one: ``messages``, ``message_uuid``."""

_LONGER: Mapping[str, Sequence[str]] = {
    name: [longer for longer in KNOWN if longer.startswith(name) and longer != name] for name in KNOWN
}
"""Known names, and those that begin with them."""

_VALUES = {
    name: re.compile({"duration": "[0-9]", "message": "record[_ ]done"}.get(name) or BEGINNINGS.get(name, ""))
    for name in KNOWN
}
"""What the values of known fields begin with; free texts with anything."""


class _Stretch(NamedTuple):
    """A known field, and the unknown ones between it and the next known one, in the order in which they are signed.

    Attributes:
        name: The known field; an empty text for what stands before the first one.
        value: Its value.
        names: The names of the unknown fields.
        rest: The text of the unknown fields.
    """

    name: str
    value: str
    names: Sequence[str] = ()
    rest: str = ""


def find_second_reading(callback: VerifiedCallback, kind: Kind, conference_name: str | None = None) -> str | None:
    """Return what in a callback may be a part of another event; or None.

    Args:
        callback: The callback; it repeats no name.
        kind: What its event is made of.
        conference_name: The name that the conference is known to have. If None, it is not known.
    """
    by_get = callback.method == "GET"
    head = "" if by_get or callback.url_is_pinned else _head(callback)
    if _is_plain(callback.fields, head):  # as nearly all are
        return _find_end([_Stretch(*pair) for pair in callback.fields], by_get=by_get)
    stretches = _stretches(callback)
    values = [_loose_value(stretch, conference_name) for stretch in stretches]
    text = "\n".join(value + stretch.rest for value, stretch in zip(values, stretches, strict=True))
    found = _find_mark(kind, text)
    if by_get:
        found = found or _find_pair(kind, text)
    else:
        found = found or _find_mark("response", head) or _find_pair("response", f"&{head}")
        if callback.expected_method is None:
            found = found or _find_get(stretches, values)
        found = found or _find_hidden(kind, stretches, head)
    return found or _find_end(stretches, by_get=by_get)


def _is_plain(fields: Pairs, head: str) -> bool:
    """Whether all fields are known, and their names stand nowhere else."""
    return all(name in KNOWN for name, _ in fields) and not holds_known_name(
        "\n".join([head, *[value for _, value in fields]])
    )


def _stretches(callback: VerifiedCallback) -> Sequence[_Stretch]:
    join = "&{}={}".format if callback.method == "GET" else "{}{}".format
    here = {name for name, _ in callback.fields}
    found, known, names, rest = list[_Stretch](), ("", ""), list[str](), ""
    for name, value in sorted(callback.fields):
        if name in KNOWN:
            found.append(_Stretch(*known, names, rest))
            known, names, rest = (name, value), [], ""
        else:
            names.append(name)
            rest += join(_COUNT.sub(lambda at: "" if at[0] in here else at[0], name), value)
    return [*found, _Stretch(*known, names, rest)]


_COUNT = re.compile(r"(?<=[a-z]_)recording_(?:duration|duration_ms|start_ms|end_ms)(?=_|$)")
"""What new names may be made of: ``rounded_recording_duration``."""


def _loose_value(stretch: _Stretch, conference_name: str | None) -> str:
    """What of a known field may hold marks: its value; and its name, if what is behind it may be its value."""
    name, value, _, rest = stretch
    if not value:
        return name if rest and name not in FREE_TEXTS else ""
    is_known = name == "response" or (value == conference_name and name in {"conference_name", "ConferenceName"})
    return "" if is_known else value


def _head(callback: VerifiedCallback) -> str:
    """What stands before the form in the signed text."""
    form = sum(len(name) + len(value) for name, value in callback.fields)
    return callback.signed_text.partition("?")[2][: -form - len(callback.nonce) - 1]


# Marks


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(patterns, reverse=True)))  # of two that begin alike, the longer one first


_MARKS = {
    kind: _any_of(
        WORDS["message"].pattern if name == "message" else f"{name}{BEGINNINGS[name]}"
        for name in names
        if name in BEGINNINGS or name == "message"
    )
    for kind, names in OF_KIND.items()
}
_PAIRS = {
    kind: _any_of(f"&{name}={BEGINNINGS[name] if name == 'response' else ''}" for name in names)
    for kind, names in OF_KIND.items()
}


def _find_mark(kind: Kind, text: str) -> str | None:
    """A field of a POST that is left over in the text."""
    if not any(name in text for name in OF_KIND[kind]):  # as it is with nearly all
        return None
    found = _MARKS[kind].search(text)
    return found and found[0]


def _find_pair(kind: Kind, text: str) -> str | None:
    """A pair of a GET that is left over in the text."""
    found = _PAIRS[kind].search(text) if "=" in text else None
    return found and found[0]


_GET = re.compile(
    r"&(?:(record_url|RecordUrl)=(?i:https?)://|(response)=[ \t]*\{|(api_id|recording_id)=[A-Za-z0-9]|"
    "(error|message|transcription)=)"
)
_GET_EVENTS = [
    {"record_url"},
    {"RecordUrl"},
    {"response"},
    *({"api_id", name} for name in ("error", "message")),
    *({"recording_id", name} for name in ("error", "transcription")),
]


def _find_get(stretches: Sequence[_Stretch], values: Sequence[str]) -> str | None:
    """What would make an event if the callback were a GET."""
    text = "".join(f"{stretch.name}{value}{stretch.rest}" for value, stretch in zip(values, stretches, strict=True))
    if "=" not in text:
        return None
    names = {name for groups in _GET.findall(f"&{text}") for name in groups if name}
    return next((f"&{'=…&'.join(sorted(event))}=" for event in _GET_EVENTS if event <= names), None)


# What a POST can hide without leaving a mark


_HIDDEN: Mapping[Kind, frozenset[str]] = {
    "response": frozenset(),
    "recording": frozenset({"error"}),  # what has failed has not ended
    "answer": frozenset(),
    "transcription": frozenset({"duration", "transcription"}),
}
"""Words that would change an event of the kind."""


def _find_hidden(kind: Kind, stretches: Sequence[_Stretch], head: str) -> str | None:
    """A field that the callback has not, and that unknown fields, ids or the query may hold."""
    here = frozenset([stretch.name for stretch in stretches[1:]])
    for name in [name for stretch in stretches for name in stretch.names]:
        if name.startswith(tuple(missing(here))):
            return name
    texts = [head, *[rest if name in FREE_TEXTS else value + rest for name, value, _, rest in stretches]]
    if kind in {"answer", "transcription"} and "error" not in here and any("error" in text for text in texts):
        return "error"  # Plivo sends one with each, be it empty
    text = "\n".join(texts)
    return next((word for word in sorted(_HIDDEN[kind] - here) if WORDS[word].search(text)), None)


_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){2}(?:-[0-9A-Fa-f]{4}(?:-[0-9A-Fa-f]{12})?)?")
"""Plivo's ids; some of those in its documents end after the third group."""

_MEDIA, _MEDIA_END = re.compile(r"\.(?:mp3|wav)"), re.compile(r"\.(?:mp3|wav)(?!\w)")


def _find_end(stretches: Sequence[_Stretch], *, by_get: bool) -> str | None:
    """A known field that has lost its end to an unknown one, or has swallowed one."""
    said = {stretch.name: stretch.value for stretch in stretches}
    for name, value, new, rest in stretches:
        if by_get:
            is_cut = name in URLS and ("&" in value or ("?" in value and rest != ""))
            is_cut = is_cut or (name == "error" and value.startswith("&"))
        elif name in IDS:
            uuid = _UUID.match(value + rest)
            is_cut = uuid.end() != len(value) if uuid else any(word in value for word in WORDS)
        elif name in URLS:
            is_cut = _MEDIA.search(value + rest) is not None and not _MEDIA_END.search(value)
        elif name == "transcription" and rest:
            # Plivo sends charge and rate behind it, so a new field can stand only behind those.
            is_cut = value == "" or name == stretches[-1].name
        elif name == "error":
            is_cut = rest != "" and value == "" and not said.get("transcription")
            is_cut = is_cut or ("message" not in said and _MESSAGE.match(value + rest) is not None)
        else:
            is_cut = False
        if not by_get and name in FREE_TEXTS:
            is_cut = is_cut or not all(map(_NAME.fullmatch, new))
        if is_cut or (rest.endswith("_") and name != stretches[-1].name):  # the next name is only the end of one
            return name or rest
    return None


_NAME = re.compile(r"[A-Za-z]\w*")
"""What a new field behind a free text is called, if it is not the end of the text."""

_MESSAGE = re.compile("message[A-Za-z0-9]")
"""How the error of an answer begins that has swallowed its message."""


def find_recut(fields: Mapping[str, str]) -> str | None:
    """Return the field whose name and value are those of a known one, cut at another place; or None.

    ``record_ur=lhttps://…``, ``record_urlhttps=://…``, ``recording_duration=_ms12`` and ``messagerecord=_done`` are;
    ``recording_id_v2=…`` and ``message_uuid=…`` are new names.

    Args:
        fields: The fields of a callback.
    """
    for name, value in fields.items():
        both = name + value
        for known in _LONGER[name] if name in KNOWN else _alike(name, KNOWN.intersection(fields)):
            if both.startswith(known) and (both == known or _VALUES[known].match(both, len(known))):
                return name
    return None


def _alike(name: str, here: frozenset[str]) -> Iterator[str]:
    """The known names that begin with an unknown one, and those that are missing and begin it."""
    yield from (known for known in KNOWN if known.startswith(name))
    yield from (known for known in missing(here) if name.startswith(known) and not _NEW_NAME.match(name, len(known)))
