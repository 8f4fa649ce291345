"""The documentation as HTML: what a reader sees of it."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from bs4 import BeautifulSoup, Tag

import plivo_record_async
from plivo_record_async.protocol.recording.lifecycle import TABLE
from tests.support.chromium import launched_browser

DOCS = Path(__file__).parents[2] / "docs"

INTERNALS = re.compile(
    r"= NOTHING\b|<factory>|\bdatetime\.timedelta\(|TypeAliasForwardRef|\(\*args, \*\*kwargs\)|<object object"
    r"|plivo_record_async\.(?:[a-z_]+\.)*_(?!_)\w+|Bases: .*(?:\bValue\b|\b_\w+)"
)
"""What autodoc writes of values and classes that are not public."""

FROM_ELSEWHERE = {
    *(
        "AbstractAsyncContextManager",
        "Any",
        "AsyncBaseTransport",
        "AsyncClient",
        "AsyncGenerator",
        "Collection",
        "AsyncIterable",
        "AsyncIterator",
        "Awaitable",
        "Callable",
    ),
    *("Exception", "Iterable", "Literal", "Mapping", "MutableMapping", "NoReturn", "None", "Path"),
    *("PathLike", "Proxy", "Self", "Sequence", "URL", "False", "True"),
}
"""Names in signatures that Python and httpx define."""

ARROWS = {
    (kind.replace("_", " "), source, target)
    for kind, row in TABLE.items()
    for source, target in row.items()
    if target is not None and target != source
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html", str(DOCS), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stderr
    return folder


@cache
def parsed(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def article(page: Path) -> Tag:
    found = parsed(page).select_one("article")
    assert found is not None
    return found


def pages(site: Path) -> list[Path]:
    return [page for page in sorted(site.rglob("*.html")) if page.stem != "search"]


def text_of(tag: Tag) -> str:
    return re.sub(r"\s+", " ", tag.get_text())


def test_pages_show_no_internals(site: Path) -> None:
    found = {page.name: INTERNALS.findall(text_of(article(page))) for page in pages(site)}
    assert {name: internals for name, internals in found.items() if internals} == {}


def test_signatures_name_only_types_that_the_reference_documents(site: Path) -> None:
    signatures = [dt for page in pages(site) for dt in parsed(page).select("dl.py > dt.sig")]
    documented = {name.get_text() for dt in signatures for name in dt.select(".sig-name.descname")}
    named = {
        name for dt in signatures for name in re.findall(r"\b[A-Z]\w*[a-z]\w*\b", re.sub(r"'.*?'", "", text_of(dt)))
    }
    type_variables = {name for name in named if re.search(r"T(_co)?$", name)}
    assert documented >= set(plivo_record_async.__all__) - {"__version__"}
    assert named - documented - type_variables - FROM_ELSEWHERE == set()


def test_diagram_of_the_lifecycle_has_every_arrow_of_the_table_and_no_other(site: Path) -> None:
    [svg] = article(site / "explanation" / "lifecycle.html").select("svg.lifecycle")
    drawn = [
        (kind, source, str(arrow["data-to"]))
        for arrow in svg.select("g.arrow")
        for kind in str(arrow["data-evidence"]).split(", ")
        for source in str(arrow["data-from"]).split(", ")
    ]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == ARROWS
    assert {str(state["data-state"]) for state in svg.select("g.state")} == set(TABLE["transcribed"])


def test_diagram_of_the_lifecycle_shows_its_evidence_and_has_a_text_alternative(site: Path) -> None:
    [svg] = article(site / "explanation" / "lifecycle.html").select("svg.lifecycle")
    for arrow in svg.select("g.arrow"):
        shown = " ".join(line.get_text() for line in arrow.select("text"))
        assert shown == str(arrow["data-evidence"]).replace(", ", " ")
    title, description = svg.select_one("title"), svg.select_one("desc")
    assert title is not None
    assert description is not None
    assert svg["aria-labelledby"] == f"{title['id']} {description['id']}"
    assert "recording ended" in description.get_text()


def test_table_of_transitions_has_every_arrow(site: Path) -> None:
    page = article(site / "explanation" / "lifecycle.html")
    [table] = [table for table in page.select("table") if "State before" in table.get_text()]
    rows = [[cell.get_text(" ", strip=True) for cell in row.select("td")] for row in table.select("tbody tr")]
    listed = {(kind, source, target) for kind, sources, target in rows for source in re.findall(r"\w+", sources)}
    assert listed == ARROWS


def test_code_fits_the_column(site: Path) -> None:
    """The column is 50em wide, and a character of code is 0.49em wide: see ``docs/_static/site.css``."""
    too_long = {
        f"{page.relative_to(site)}: {line}"
        for page in pages(site)
        for block in article(page).select("div:not(.highlight-text) > div.highlight pre")
        for line in block.get_text().splitlines()
        if len(line) > (88 if block.find_parent("dl", class_="py") else 96)
    }
    assert sorted(too_long) == []


OVERFLOWS = """() => {
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth ? ['the page'] : [];
  const scrolls = (element) => element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1
    && ['auto', 'scroll'].includes(getComputedStyle(element).overflowX);
  const found = [...document.querySelectorAll('article, article *')].filter(scrolls);
  return [...wide, ...found.map((element) => `${element.localName}: ${element.textContent.trim().slice(0, 60)}`)];
}"""
"""JavaScript that returns what has to be scrolled sideways."""


@pytest.mark.parametrize("width", [1280, 390])
async def test_only_code_on_a_narrow_screen_has_to_be_scrolled_sideways(
    site: Path, blockbuster: BlockBuster, width: int
) -> None:
    blockbuster.deactivate()  # Playwright starts a process
    found: dict[str, list[str]] = {}
    async with launched_browser() as browser:
        page = await browser.new_page(viewport={"width": width, "height": 900})
        for path in pages(site):
            await page.goto(path.as_uri())
            overflows: list[str] = await page.evaluate(OVERFLOWS)
            found[path.name] = [each for each in overflows if width > 390 or not each.startswith("pre: ")]
    assert {name: overflows for name, overflows in found.items() if overflows} == {}
