"""Read the whole input of a batch as items, before the first call is made."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from typing import Generic, TypeVar

import attrs

from plivo_record_async.cli.input.content import InputError, checked_text
from plivo_record_async.cli.input.requests import InvalidLine, Item, known_fields, read_fields, read_line
from plivo_record_async.cli.input.table import header_of, rows_of, values_of
from plivo_record_async.protocol.models import StartRequest, StopRequest

__all__ = ["Format", "Items", "read_items"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)

_MAX_LINE = 1024 * 1024
"""The most characters of a line. An input with longer lines is not a list of conferences."""


@attrs.frozen
class Format:
    """The format of an input.

    Attributes:
        columns: The columns of a CSV file. If None, each line is a name or a JSON object.
        is_json: Whether the first line is a JSON object.
    """

    columns: tuple[str, ...] | None = None
    is_json: bool = False


@attrs.frozen(kw_only=True)
class Items(Generic[RequestT]):
    """What an input contains.

    Attributes:
        format: The format of the input.
        valid: The items.
        invalid: The lines that are not requests.
        is_unclear: Whether the input has no header, but its first line contains a separator of columns.
    """

    format: Format
    valid: Sequence[Item[RequestT]]
    invalid: Sequence[InvalidLine]
    is_unclear: bool = False

    @property
    def duplicates(self) -> Generator[tuple[Item[RequestT], int]]:
        """The items whose conference has occurred before, each with the number of the line in which it first occurs."""
        first: dict[str, int] = {}
        for item in self.valid:
            earlier = first.setdefault(item.request.conference_name, item.number)
            if earlier != item.number:
                yield item, earlier


def read_items(kind: type[RequestT], data: bytes) -> Items[RequestT]:
    """Return the items of an input.

    The first line that is not blank decides the format. If one of its cells is ``conference_name``, the input is a CSV
    file. Otherwise each line is the name of a conference, or a JSON object if it begins with ``{``.

    Args:
        kind: The type of the requests.
        data: The bytes of the input.

    Raises:
        InputError: The input is refused as a whole.
    """
    text = checked_text(data)
    first = next((line for line in io.StringIO(text) if line.strip()), "").rstrip("\r\n")
    is_json = first.lstrip().startswith("{")
    columns = None if is_json else header_of(first, known_fields(kind))
    valid: list[Item[RequestT]] = []
    invalid: list[InvalidLine] = []
    for each in _read_lines(kind, text) if columns is None else _read_rows(kind, text, columns):
        if isinstance(each, InvalidLine):
            invalid.append(each)
        else:
            valid.append(each)
    is_unclear = columns is None and not is_json and not {",", ";", "\t"}.isdisjoint(first)
    return Items(format=Format(columns, is_json=is_json), valid=valid, invalid=invalid, is_unclear=is_unclear)


def _read_lines(kind: type[RequestT], text: str) -> Generator[Item[RequestT] | InvalidLine]:
    for number, line in enumerate(io.StringIO(text), 1):
        content = line.removesuffix("\n").removesuffix("\r")
        if len(content) > _MAX_LINE:
            raise InputError(f"line {number} has more than {_MAX_LINE} characters, so it is not a list of conferences")
        if content.strip():
            try:
                yield read_line(kind, content, number)
            except (TypeError, ValueError) as error:
                yield _invalid(number, content, error)


def _read_rows(kind: type[RequestT], text: str, columns: Sequence[str]) -> Generator[Item[RequestT] | InvalidLine]:
    rows = rows_of(text)
    next(rows)  # the header
    for row in rows:
        try:
            yield read_fields(kind, values_of(columns, row), row.number)
        except (TypeError, ValueError) as error:
            yield _invalid(row.number, ",".join(row.cells), error)


def _invalid(number: int, text: str, error: Exception) -> InvalidLine:
    escaped = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return InvalidLine(number=number, text=escaped, error=str(error))
