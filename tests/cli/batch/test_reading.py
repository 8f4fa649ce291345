from __future__ import annotations

import asyncio
import io
import os

import pytest

from plivo_record_async.cli.batch.reading import InterruptedReadingError, Source, read_source, report_duplicates
from plivo_record_async.cli.input.content import InputError
from plivo_record_async.cli.input.items import read_items
from plivo_record_async.cli.output.printer import Printer
from plivo_record_async.protocol.models import StartRequest

PRINTER = Printer(as_json=False)


async def test_content_and_items_are_returned() -> None:
    content, items = await read_source(StartRequest, Source.of(io.BytesIO(b"a\nb")), PRINTER, asyncio.Event())
    assert content == b"a\nb"
    assert [item.number for item in items.valid] == [1, 2]


async def test_refusal_names_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"^rooms: its lines end with CR alone.*\. Nothing was sent$"):
        await read_source(StartRequest, Source(io.BytesIO(b"a\rb"), "rooms"), PRINTER, asyncio.Event())
    with pytest.raises(InputError, match=r"^rooms: 1 of 2 lines are not valid\. Nothing was sent"):
        await read_source(StartRequest, Source(io.BytesIO(b"a\n."), "rooms"), PRINTER, asyncio.Event())
    assert capsys.readouterr().out.startswith("failed   .  line 2: ")


async def test_interruption_counts_the_lines_that_were_read() -> None:
    reading, writing = os.pipe()
    ended = asyncio.Event()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0):
        task = asyncio.create_task(read_source(StartRequest, Source.of(file), PRINTER, ended))
        await asyncio.sleep(0)
        ended.set()
        with pytest.raises(InterruptedReadingError) as raised:
            await task
    assert raised.value.lines == 0


def test_duplicates_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_duplicates(read_items(StartRequest, b"a\nb\na\na"), PRINTER) == 2
    assert capsys.readouterr().err == (
        "line 3: the conference 'a' is in line 1 too, and each line is a call\n"
        "line 4: the conference 'a' is in line 1 too, and each line is a call\n"
    )
