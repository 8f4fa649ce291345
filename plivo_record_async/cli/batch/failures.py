"""The file of ``--failed``: the lines that failed, in the format of the input."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import attrs

from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import Format, read_items
from plivo_record_async.cli.input.requests import TRANSCRIBE, Item
from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.models import StartRequest

__all__ = ["FailureFile", "failure_file", "item_text"]


class FailureFile:
    """Writes items to a file, so that the file can be the input of another batch.

    Args:
        file: The file. If None, nothing is written.
        layout: The format of the input.
    """

    def __init__(self, file: TextIO | None, layout: Format) -> None:
        self._file = file
        self._layout = layout
        if file is not None and layout.columns is not None:
            file.write(_csv_line(layout.columns))
            file.flush()

    def write(self, item: Item[Any]) -> None:
        """Write an item. It is in the file when the method returns.

        Args:
            item: The item.

        Raises:
            OSError: The file cannot be written.
        """
        if self._file is not None:
            self._file.write(item_text(item, self._layout))
            self._file.flush()


@contextmanager
def failure_file(path: Path | None, layout: Format, *, source: str) -> Generator[FailureFile]:
    """Open the file of ``--failed``. An existing file is replaced.

    Args:
        path: The path of the file. If None, nothing is written.
        layout: The format of the input.
        source: The path of the input, which must be another file.

    Raises:
        ConfigurationError: The file cannot be opened, or is the input.
    """
    if path is None:
        yield FailureFile(None, layout)
        return
    try:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ConfigurationError("--failed must not be the file that is read. Nothing was sent")
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigurationError(
            f"--failed: {path} cannot be written: {error.strerror or error}. Nothing was sent"
        ) from error
    with file:
        yield FailureFile(file, layout)


def item_text(item: Item[Any], layout: Format) -> str:
    """Return an item as it is written in an input, with its line end.

    Args:
        item: The item.
        layout: The format of the input.
    """
    values: dict[str, Any] = attrs.asdict(item.request, filter=attrs.filters.exclude(type(None)))
    if item.transcribe is not None:
        values[TRANSCRIBE] = item.transcribe
    if layout.columns is not None:
        return _csv_line([_cell(values.get(column)) for column in layout.columns])
    name: str = values["conference_name"]
    if not layout.is_json and len(values) == 1 and not _needs_json(name):
        return f"{name}\n"
    return json.dumps(values) + "\n"


def _needs_json(name: str) -> bool:
    """Return whether a line that consists of the name would be read as something else."""
    try:
        items = read_items(StartRequest, f"{name}\n".encode())
    except InputError:
        return True
    return items.format != Format() or [item.request.conference_name for item in items.valid] != [name]


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _csv_line(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
