"""Label the cells of tables, so that `site.css` can show each row as a list on a narrow screen."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

_ROLES = {
    "table": "table",
    "thead": "rowgroup",
    "tbody": "rowgroup",
    "tr": "row",
    "td": "cell",
}
"""Browsers take these roles from the parts of a table that CSS shows as blocks."""


def label_cells(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Give each cell of a table the title of its column, and keep the roles that CSS takes from it."""
    if "<thead>" not in context.get("body", ""):
        return
    soup = BeautifulSoup(context["body"], "html.parser")
    for table in soup.select("table.docutils:has(thead)"):
        table["class"] = f"{' '.join(table.get_attribute_list('class'))} labelled"
        titles = [cell.get_text(" ", strip=True) for cell in table.select("thead th")]
        for row in table.select("tbody tr"):
            _label_row(row, titles)
        for tag in (table, *table.select("thead, tbody, tr, td")):
            tag["role"] = _ROLES[tag.name]
    context["body"] = str(soup)


def _label_row(row: Tag, titles: list[str]) -> None:
    for cell, title in zip(row.select("td"), titles, strict=False):
        if title:
            cell["data-label"] = title


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the HTML builder, after Furo."""
    app.connect("html-page-context", label_cells, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
