"""The picture of the documentation shows the spans that are really exported."""

from __future__ import annotations

import re

from blockbuster import BlockBuster

from tests.telemetry.trace_picture import PICTURE, draw, record


def texts_of(picture: str) -> list[str]:
    """Return the texts of a picture, without the durations."""
    return [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture) if not text.endswith(" ms")]


def test_picture_of_the_documentation_is_current(blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the handler makes a directory
    assert texts_of(PICTURE.read_text()) == texts_of(draw(record()))
