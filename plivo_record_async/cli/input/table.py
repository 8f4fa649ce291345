"""Read a CSV file with a header as the items of a batch."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Sequence

import attrs

from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.requests import TRANSCRIBE, utf8_text

__all__ = ["Row", "header_of", "rows_of", "values_of"]

_NAME = "conference_name"
_EXAMPLE = "conference_name,file_format"
_ELSE_NAMES = (
    '. If these lines are names of conferences, write the first one as a JSON object: {"conference_name": "…"}'
)

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@attrs.frozen
class Row:
    """A row of a CSV file.

    Attributes:
        number: The number of its first line, from 1.
        cells: Its cells.
    """

    number: int
    cells: Sequence[str]


def header_of(first_line: str, known: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns of a CSV file, or None if the first line of the input is not a header.

    A header is a line of which one cell is ``conference_name``.

    Args:
        first_line: The first line that is not blank.
        known: The names of the columns that may occur.

    Raises:
        InputError: The line is a header with an unknown or repeated column, or looks like a header but is not one.
    """
    columns = tuple(next(csv.reader([first_line]), ()))
    if _NAME not in columns:
        _refuse_what_looks_like_a_header(first_line, known)
        return None
    if unknown := [column for column in columns if column not in known]:
        raise InputError(f"unknown column {unknown[0]!r}; the known columns are {', '.join(known)}")
    if len(set(columns)) < len(columns):
        repeated = next(column for column in columns if columns.count(column) > 1)
        raise InputError(f"the column {repeated!r} occurs more than once in the header")
    return columns


def _refuse_what_looks_like_a_header(first_line: str, known: Sequence[str]) -> None:
    cells = [re.sub(r"[\s-]+", "_", cell.strip(" \"'\t\r").casefold()) for cell in re.split(r"[,;|\t]", first_line)]
    if set(cells).isdisjoint(known) and not first_line.casefold().startswith("sep="):
        return
    if re.search(r"[;|\t]", first_line):
        raise InputError(
            "the columns of its first line are not separated by commas. Save it with commas, so that the header is, "
            f"for example, {_EXAMPLE}{_ELSE_NAMES}"
        )
    raise InputError(
        f"its first line looks like the header of a CSV file, but no column has exactly the name {_NAME}. "
        f"The known columns are {', '.join(known)}{_ELSE_NAMES}"
    )


def rows_of(text: str) -> Generator[Row]:
    """Yield the rows of a CSV file that are not blank, beginning with the header.

    Args:
        text: The text of the file.

    Raises:
        InputError: The quotes of a row do not match, or a row is too long.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(number, cells)
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"line {number}: {error}. A cell that contains a comma, a quote or a line end must be in double quotes, "
            "with each quote inside it doubled"
        ) from error


def values_of(columns: Sequence[str], row: Row) -> dict[str, str | bool]:
    """Return the values of a row. An empty cell has no value.

    Args:
        columns: The columns of the file.
        row: The row.

    Raises:
        ValueError: The row has more or fewer cells than the header, or the value of a cell is not valid.
    """
    if len(row.cells) != len(columns):
        raise ValueError(f"it has {len(row.cells)} cells, and the header has {len(columns)}")
    values: dict[str, str | bool] = {
        column: utf8_text(cell) for column, cell in zip(columns, row.cells, strict=True) if cell
    }
    if TRANSCRIBE in values:
        text = str(values[TRANSCRIBE])
        if text.casefold() not in _TRUTH:
            raise ValueError(f"{TRANSCRIBE} must be true or false, not {text!r}")
        values[TRANSCRIBE] = _TRUTH[text.casefold()]
    return values
