"""The bill of materials in the wheel, and that two builds of one source are equal."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement

from plivo_record_async import __version__

ROOT = Path(__file__).parents[1]
YEAR_2001 = 978_307_200.0


def build(source: Path, destination: Path) -> tuple[Path, Path]:
    """Build the source distribution and the wheel of a source, and return both."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(destination)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=100)
    [sdist], [wheel] = destination.glob("*.tar.gz"), destination.glob("*.whl")
    return sdist, wheel


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution and the wheel of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def bill(archives: tuple[Path, Path]) -> str:
    with zipfile.ZipFile(archives[1]) as wheel:
        return wheel.read(f"plivo_record_async-{__version__}.dist-info/sboms/plivo-record-async.cdx.json").decode()


def test_builds_in_two_directories_at_two_times_are_equal(archives: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(archives[0]) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    for path in source.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (YEAR_2001, YEAR_2001))
    rebuilt = build(source, tmp_path / "dist")
    assert [digest(path) for path in rebuilt] == [digest(path) for path in archives]


def test_bill_of_materials_is_valid(bill: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(bill) is None


def test_bill_of_materials_has_every_requirement_of_the_wheel_once(archives: tuple[Path, Path], bill: str) -> None:
    content: dict[str, Any] = json.loads(bill)
    with zipfile.ZipFile(archives[1]) as wheel:
        metadata = wheel.read(f"plivo_record_async-{__version__}.dist-info/METADATA").decode()
    lines = [
        line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if line.startswith("Requires-Dist: ")
    ]
    scopes = {Requirement(line).name: "optional" if "extra ==" in line else "required" for line in reversed(lines)}
    names = [each["name"] for each in content["components"]]
    assert sorted(names) == sorted(scopes)
    assert {each["name"]: each["scope"] for each in content["components"]} == scopes
    assert content["metadata"]["component"]["version"] == __version__
    assert "vers:pypi/>=0.28|<1" in [each["versionRange"] for each in content["components"] if each["name"] == "httpx"]
    assert str(ROOT) not in bill
