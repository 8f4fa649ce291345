from __future__ import annotations

import pytest

from plivo_record_async.cli.extras import needed_extra
from plivo_record_async.errors import ConfigurationError


def test_installed_library_is_imported() -> None:
    with needed_extra("cli"):
        import click  # noqa: PLC0415
    assert click.__name__ == "click"


@pytest.mark.parametrize(("extra", "library"), [("cli", "rich"), ("emulator", "uvicorn"), ("emulator", "starlette")])
def test_missing_extra_is_named_with_its_install_command(extra: str, library: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=rf"{library} is not installed.*extra '{extra}'.*pip install"),
        needed_extra(extra),
    ):
        raise ModuleNotFoundError(f"No module named '{library}.part'", name=f"{library}.part")


def test_other_missing_module_is_raised() -> None:
    with pytest.raises(ModuleNotFoundError, match="other"), needed_extra("cli"):
        raise ModuleNotFoundError("No module named 'other'", name="other")
