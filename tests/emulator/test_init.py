from __future__ import annotations

import subprocess
import sys

import pytest

import plivo_record_async.emulator


def test_public_names_of_the_emulator() -> None:
    assert plivo_record_async.emulator.__all__ == ["Dialect", "Emulator"]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_extra_is_named_with_its_install_command(missing: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None
from plivo_record_async import ConfigurationError
try:
    import plivo_record_async.emulator
except ConfigurationError as error:
    print(error)
"""
    assert run(code) == f"the emulator needs {missing}: pip install 'plivo-record-async[emulator]'\n"


def test_import_error_inside_the_package_is_not_blamed_on_the_extra() -> None:
    code = """
import sys
sys.modules["plivo_record_async.emulator.account.world"] = None
try:
    import plivo_record_async.emulator
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code) == "plivo_record_async.emulator.account.world\n"
