"""The README's two commands, its links, what PyPI shows of it, and that CI runs what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from readme_renderer import markdown

from plivo_record_async import errors

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no section {title!r}"
    return found[1]


def bash_blocks(text: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_readme_begins_with_three_lines_that_say_what_the_package_is() -> None:
    title, blank, *lines = README.splitlines()[:6]
    assert title == "# plivo-record-async"
    assert (blank, lines[3]) == ("", "")
    assert all(lines[:3])


def test_readme_has_exactly_two_commands_that_each_work_alone() -> None:
    blocks = bash_blocks(section("Two commands"))
    assert len(blocks) == 2
    assert bash_blocks(README) == blocks
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True, timeout=10)
        assert block.startswith("python3 -m venv .venv\n.venv/bin/pip install ")


def test_the_first_command_shows_the_demo_and_the_second_runs_the_tests() -> None:
    demo, tests = bash_blocks(section("Two commands"))
    assert demo.endswith(".venv/bin/plivo-record demo\n")
    assert tests.endswith(".venv/bin/nox\n")


def test_ci_runs_the_second_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    program = re.search(r"awk '(.*?)' README\.md", script, re.DOTALL)
    assert program is not None
    extracted = subprocess.run(
        ["awk", program[1], "README.md"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10
    )
    assert extracted.stdout == bash_blocks(section("Two commands"))[1]


def test_every_error_a_call_may_raise_is_in_the_table() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PlivoRecordError) and not name.startswith("_")
    }
    families = {"PlivoRecordError", "ApiError", "CallbackRejectedError"}
    named = set(re.findall(r"`(\w+Error)`", section("Errors"))) - {"ValueError", "TypeError"}
    assert named - families == raised - families


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_files_point_to_existing_files(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_test_that_the_promises_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", section("What is promised"))
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_description_for_pypi_is_rendered_and_has_no_relative_link() -> None:
    command = [sys.executable, "-m", "hatchling", "metadata", "readme"]
    description = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    html = markdown.render(description)
    assert html is not None
    links = [str(link["href"]) for link in BeautifulSoup(html, "html.parser").select("a[href]")]
    assert [link for link in links if not link.startswith(("https://", "#user-content-"))] == []
    assert "](" not in description
    assert section("What is promised").splitlines()[1] in description
    assert description.rstrip().endswith("This project is not affiliated with Plivo.")
