from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async.cli.batch.failures import failure_file, item_text
from plivo_record_async.cli.input.items import Format, read_items
from plivo_record_async.cli.input.requests import Item
from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.models import StartRequest

NAMES = [
    "a",
    " b ",
    "c, d",
    'e "f"\ng\r\nh',
    "{",
    "[i]",
    "conference_name",
    "Conference Name;x",
    "\ufeffj",
    "\U0001f600",
]
CSV = Format(("file_format", "conference_name", "transcribe"))


def written(path: Path, items: list[Item[Any]], layout: Format) -> None:
    with failure_file(path, layout, source="rooms.txt") as failures:
        for item in items:
            failures.write(item)


@pytest.mark.parametrize("layout", [Format(), Format(is_json=True), CSV])
@pytest.mark.parametrize("name", NAMES)
def test_file_is_an_input_with_the_same_items(tmp_path: Path, layout: Format, name: str) -> None:
    items = [
        Item(number=7, request=StartRequest(name)),
        Item(number=9, request=StartRequest(name, file_format="wav"), transcribe=False),
    ]
    path = tmp_path / "failed"
    written(path, items, layout)
    read = read_items(StartRequest, path.read_bytes())
    assert read.invalid == []
    assert [(item.request, item.transcribe) for item in read.valid] == [
        (item.request, item.transcribe) for item in items
    ]


def test_name_stays_a_name_and_an_object_an_object() -> None:
    item = Item(number=1, request=StartRequest("a"))
    assert item_text(item, Format()) == "a\n"
    assert item_text(item, Format(is_json=True)) == '{"conference_name": "a"}\n'


def test_file_without_failures_has_only_the_header(tmp_path: Path) -> None:
    written(tmp_path / "failed", [], CSV)
    assert (tmp_path / "failed").read_text() == "file_format,conference_name,transcribe\n"
    written(tmp_path / "failed", [], Format())
    assert (tmp_path / "failed").read_text() == ""


def test_nothing_is_written_without_a_path() -> None:
    with failure_file(None, CSV, source="rooms.txt") as failures:
        failures.write(Item(number=1, request=StartRequest("a")))


def test_file_that_is_read_is_not_overwritten(tmp_path: Path) -> None:
    rooms, other = tmp_path / "rooms.txt", tmp_path / "other.txt"
    rooms.write_text("a\n")
    os.link(rooms, other)
    with (
        pytest.raises(ConfigurationError, match="must not be the file that is read"),
        failure_file(other, Format(), source=str(rooms)),
    ):
        pass
    assert rooms.read_text() == "a\n"
