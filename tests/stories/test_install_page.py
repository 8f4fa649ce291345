"""docs/howto/install.md describes the extras as pyproject.toml has them, and quotes the errors of a missing extra."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from tests.support.programs.isolated_venv import make_environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "install.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

COMMAND = "from plivo_record_async.__main__ import main; main()"
USES = {
    "plivo-record": COMMAND,
    "Emulator": "from plivo_record_async.emulator import Emulator",
    "fast_transport()": "from plivo_record_async import fast_transport; fast_transport()",
    'RecordClient(proxy="socks5://…")': "from plivo_record_async import RecordClient; "
    "RecordClient('MAXXXXXXXXXXXXXXXXXX', 'token', proxy='socks5://proxy.example')",
    "plivo-record listen": f"import sys; sys.argv[1:] = ['listen']; {COMMAND}",
}


def quoted_errors() -> dict[str, str]:
    """Return the error that the page quotes for each use of an extra."""
    section = PAGE.partition("### What happens without an extra")[2]
    rows = re.findall(r"^\| (`.+?) \| `(.+?)` \|$", section, re.MULTILINE)
    return {use: error for uses, error in rows for use in re.findall(r"`([^`]+)`", uses)}


def output_without(folder: Path, installed: str, program: str) -> str:
    python = make_environment(folder, [installed])
    ended = subprocess.run([python, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode in {1, 2}
    return ended.stderr


@pytest.mark.parametrize("use", USES)
def test_missing_extra_raises_the_quoted_error(tmp_path: Path, blockbuster: BlockBuster, use: str) -> None:
    blockbuster.deactivate()  # the test starts processes
    installed = "plivo-record-async[cli]" if use == "plivo-record listen" else "plivo-record-async"
    assert quoted_errors()[use] in output_without(tmp_path / "venv", installed, USES[use])


def test_page_lists_every_extra_and_its_libraries() -> None:
    listed = {
        extra: set(libraries.split(", "))
        for extra, libraries in re.findall(r"^\| `(\w+)` \| .+? \| ([\w, -]+) \|$", PAGE, re.MULTILINE)
    }
    extras = PROJECT["optional-dependencies"]
    assert listed == {
        name: {re.split(r"[\[<>=]", need)[0] for need in needs} for name, needs in extras.items() if name != "all"
    }


def test_page_names_the_supported_versions() -> None:
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert f"It needs CPython {', '.join(versions[:-1])} or {versions[-1]}." in PAGE
    for name, least in re.findall(r"(\w+)>=([\d.]+)", " ".join(PROJECT["dependencies"])):
        assert re.search(rf"\[{name}\]\(\S+\)\s\({least} or newer", PAGE), name
