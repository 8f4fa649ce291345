"""Read and check the whole input of a batch before the first call is made."""

from __future__ import annotations

import asyncio
from typing import BinaryIO, TypeVar

import attrs

from plivo_record_async.cli.input.content import InputError, read_content
from plivo_record_async.cli.input.items import Items, read_items
from plivo_record_async.cli.output.outcomes import Tally, printable
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.protocol.models import Failed, StartRequest, StopRequest

__all__ = ["InterruptedReadingError", "Source", "read_source", "report_duplicates"]

RequestT = TypeVar("RequestT", StartRequest, StopRequest)

_STDIN = "standard input"
_MAX_REPORTED = 20
"""The most invalid lines and the most duplicates that are printed. The others are counted."""


class InterruptedReadingError(Exception):
    """A signal arrived before the input was read to its end.

    Args:
        lines: The number of lines that were read.
    """

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.lines = lines


@attrs.frozen
class Source:
    """The input of a batch.

    Attributes:
        file: The file or pipe.
        name: Its name for people.
    """

    file: BinaryIO
    name: str

    @property
    def is_stdin(self) -> bool:
        """Whether it is standard input."""
        return self.name == _STDIN

    @classmethod
    def of(cls, file: BinaryIO) -> Source:
        """Return the source of an opened file.

        Args:
            file: The file or pipe.
        """
        return cls(file, str(getattr(file, "name", "<stdin>")).replace("<stdin>", _STDIN))


async def read_source(
    kind: type[RequestT], source: Source, printer: Printer, ended: asyncio.Event
) -> tuple[bytes, Items[RequestT]]:
    """Return the content and the items of an input.

    Args:
        kind: The type of the requests.
        source: The input.
        printer: Prints the lines that are not requests.
        ended: An event that ends the reading early.

    Raises:
        InputError: The input, or a line of it, is refused.
        InterruptedReadingError: The event was set before the input was read to its end.
        OSError: stdout cannot be written.
    """
    try:
        content = await read_content(source.file, ended)
        if not content.complete:
            raise InterruptedReadingError(sum(1 for line in content.data.split(b"\n") if line.strip()))
        items = await asyncio.to_thread(read_items, kind, content.data)
    except InputError as error:
        raise InputError(f"{source.name}: {error}. Nothing was sent") from error
    if items.invalid:
        _refuse_invalid_lines(items, source, printer)
    if items.is_unclear:
        printer.note(
            f"{source.name} has no header with the column conference_name, so each line is the name of a conference, "
            "with all its separators"
        )
    return content.data, items


def _refuse_invalid_lines(items: Items[RequestT], source: Source, printer: Printer) -> None:
    count = len(items.invalid)
    for line in items.invalid[:_MAX_REPORTED]:
        printer.outcome(Failed(line, ValueError(f"line {line.number}: {line.error}")))
    printer.summary(Tally(failed=count, not_begun=len(items.valid)))
    rest = f" The first {_MAX_REPORTED} are printed." if count > _MAX_REPORTED else ""
    raise InputError(
        f"{source.name}: {count} of {count + len(items.valid)} lines are not valid.{rest} Nothing was sent. "
        "Correct them, and run the batch again"
    )


def report_duplicates(items: Items[RequestT], printer: Printer) -> int:
    """Print the items whose conference has occurred before, and return how many there are.

    Args:
        items: The items.
        printer: Prints the notes.
    """
    count = 0
    for item, first in items.duplicates:
        count += 1
        if count <= _MAX_REPORTED:
            name = printable(item.request.conference_name)
            printer.note(f"line {item.number}: the conference {name!r} is in line {first} too, and each line is a call")
    if count > _MAX_REPORTED:
        printer.note(f"{count - _MAX_REPORTED} more lines name a conference that is in an earlier line too")
    return count
