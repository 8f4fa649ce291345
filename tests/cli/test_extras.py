from __future__ import annotations

import pytest

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.errors import ConfigurationError


def test_what_is_installed_is_imported() -> None:
    with needed_extra("cli"):
        import click  # noqa: PLC0415
    assert click.__name__ == "click"


@pytest.mark.parametrize(("extra", "library"), [("cli", "rich"), ("emulator", "uvicorn"), ("emulator", "starlette")])
def test_a_missing_library_of_the_extra_is_named_with_the_command_that_installs_it(extra: str, library: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=rf"{library} is not installed.*extra '{extra}'.*pip install"),
        needed_extra(extra),
    ):
        raise ModuleNotFoundError(f"No module named '{library}.part'", name=f"{library}.part")


def test_any_other_missing_module_is_not_explained_away() -> None:
    with pytest.raises(ModuleNotFoundError, match="other"), needed_extra("cli"):
        raise ModuleNotFoundError("No module named 'other'", name="other")
