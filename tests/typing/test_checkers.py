"""Both type checkers accept all Python of the documentation, and see each mistake in ``examples``.

In an example a comment such as ``# error: arg-type, reportArgumentType`` marks a line in which mypy must see an error
with that code, and pyright one of that rule. A checker that has no code in the comment must not see an error there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import plivo_record_async
from tests.typing.checkers import Finding, check
from tests.typing.documents import ROOT, Module, modules, modules_of_page

MODULES = [*modules()]
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.py"))
WRONG_PAGE = """
# A page with mistakes

```python
from plivo_record_async import RecordClient

client = RecordClient()
started = await client.start_recording("room")
```

<!-- invisible-code-block: python
started.record_url
-->

```python
await client.start_recording("room", file_format="ogg")
```

```py
# shared.py
number: int = "text"
```

```py
# app.py
from shared import number

number.upper()
```
"""

pytestmark = pytest.mark.timeout(900)  # both checkers run in the first test


@pytest.fixture(scope="session")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Module]:
    page = tmp_path_factory.mktemp("page") / "wrong.md"
    page.write_text(WRONG_PAGE, encoding="utf-8")
    return [*modules_of_page(page)]


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory, wrong: Sequence[Module]) -> Mapping[str, Sequence[Finding]]:
    """What the checkers find in each module; all are checked at once, because starting is what takes time."""
    folder = tmp_path_factory.mktemp("modules")
    for module in [*MODULES, *wrong]:
        (folder / f"{module.name}.py").write_text(module.source, encoding="utf-8")
    names = ", ".join(plivo_record_async.__all__)
    (folder / "every_name.py").write_text(f"from plivo_record_async import {names}", encoding="utf-8")
    (folder / "star.py").write_text(f"from plivo_record_async import *\nused = [{names}]", encoding="utf-8")
    for example in EXAMPLES:
        (folder / example.name).write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    return check(folder)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_code_in_a_document_has_no_type_errors(module: Module, found: Mapping[str, Sequence[Finding]]) -> None:
    place = module.document.relative_to(ROOT)
    assert [f"{place}:{f.line}: {f.checker}: {f.message} [{f.code}]" for f in found.get(module.name, ())] == []


def test_an_error_in_a_document_is_seen_in_its_line(
    wrong: Sequence[Module], found: Mapping[str, Sequence[Finding]]
) -> None:
    seen = {(finding.checker, finding.line) for module in wrong for finding in found[module.name]}
    assert seen == {(checker, line) for checker in ("mypy", "pyright") for line in (12, 16, 21, 28)}


@pytest.mark.parametrize("name", ["every_name", "star"])
def test_every_public_name_is_known(name: str, found: Mapping[str, Sequence[Finding]]) -> None:
    assert [*found.get(name, ())] == []


def marked(example: Path) -> Iterator[tuple[str, int, str]]:
    for number, line in enumerate(example.read_text(encoding="utf-8").splitlines(), 1):
        _, marker, codes = line.partition("  # error: ")
        for code in codes.split(", ") if marker else ():
            yield "pyright" if code.startswith("report") else "mypy", number, code


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_has_the_marked_errors_and_no_others(example: Path, found: Mapping[str, Sequence[Finding]]) -> None:
    wanted = {*marked(example)}
    places = {(checker, line) for checker, line, _ in wanted}
    seen = {(finding.checker, finding.line, finding.code) for finding in found[example.stem]}
    assert wanted, "an example without an error belongs elsewhere"
    assert [finding for finding in found[example.stem] if (finding.checker, finding.line) not in places] == []
    assert sorted(wanted - seen) == [], "these are marked, and not seen"
