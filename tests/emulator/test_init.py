from __future__ import annotations

import subprocess
import sys

import pytest

import plivo_record_async.emulator


def test_what_is_public() -> None:
    assert plivo_record_async.emulator.__all__ == ["Dialect", "Emulator"]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_the_extra_is_named_where_it_is_missing(missing: str) -> None:
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


def test_a_mistake_of_our_own_is_not_blamed_on_the_extra() -> None:
    code = """
import sys
sys.modules["plivo_record_async.emulator.world"] = None
try:
    import plivo_record_async.emulator
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(code) == "plivo_record_async.emulator.world\n"
