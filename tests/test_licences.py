from __future__ import annotations

from tests.licences import PAGE, licences, page_with, table_in

PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"}
LIBRARY_USE_IS_FREE = {"LGPL-3.0-only"}
"""psycopg: a program that imports it may have any licence."""


def test_table_has_the_licence_of_everything_that_is_installed() -> None:
    """Another version of Python may get a version that offers fewer licences."""
    listed = {name: licence.split(" OR ") for name, (licence, _) in table_in(PAGE.read_text(encoding="utf-8")).items()}
    missing = {
        name: licence
        for name, (licence, _) in licences().items()
        if not set(licence.split(" OR ")) <= set(listed.get(name, ()))
    }
    assert missing == {}, "run 'python -m tests.licences' on the oldest supported Python"


def test_no_licence_restricts_the_program_that_uses_the_package() -> None:
    for name, (licence, _) in table_in(PAGE.read_text(encoding="utf-8")).items():
        parts = set(licence.replace("(", "").replace(")", "").replace(" AND ", " OR ").split(" OR "))
        assert parts <= PERMISSIVE | LIBRARY_USE_IS_FREE, name


def test_written_table_is_read_as_it_was() -> None:
    rows = licences()
    assert table_in(page_with(rows)) == rows
    assert rows["httpx"][1] == "`plivo-record-async`"
    assert rows["click"][1] == "the extra `cli`"
