"""The Python interpreters and the browser with which the suite runs."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nox
import pytest

from tests.support.chromium import chromium

ROOT = Path(__file__).parents[1]
THIS = "{}.{}".format(*sys.version_info)


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def fake(path: Path, version: str) -> Path:
    """An interpreter that says that it is of a version, and where it lies."""
    return script(path, f"echo CPython final {version}; echo {path}")


def test_running_python_is_found_at_its_real_path(noxfile: ModuleType) -> None:
    assert platform.python_implementation() == "CPython"
    assert noxfile.started(Path(sys.executable), THIS) == str(Path(sys.executable).resolve())
    assert noxfile.PYTHONS[THIS]


def test_every_python_that_is_found_is_of_its_version(noxfile: ModuleType) -> None:
    supported = nox.project.python_versions(noxfile.PYPROJECT)
    assert [*noxfile.PYTHONS] == [version for version in supported if version in noxfile.PYTHONS]
    for version, path in noxfile.PYTHONS.items():
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.startswith(f"Python {version}.")


def test_interpreter_that_fails_or_has_another_version_is_left_out(noxfile: ModuleType, tmp_path: Path) -> None:
    shim = script(tmp_path / "python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    no_program = tmp_path / "python3.13"
    no_program.touch()
    other = script(tmp_path / "pypy", "echo PyPy final 3.11; echo /opt/pypy")
    beta = script(tmp_path / "beta", "echo CPython beta 3.13; echo /opt/beta")
    for path in (shim, no_program, other, beta, fake(tmp_path / "old", "3.10"), tmp_path / "absent"):
        assert noxfile.started(path, "3.13") is None


def test_pythons_of_pyenv_and_uv_are_found_behind_a_shim(
    noxfile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions are made up, so that no Python of the machine is in the way."""
    versions = {"3.97": "pyenv/versions/3.97.1/bin", "3.98": "uv/cpython-3.98/bin", "3.99": "path"}
    for version, folder in versions.items():
        fake(tmp_path / folder / f"python{version}", version)
        if version != "3.99":
            script(tmp_path / "path" / f"python{version}", "exit 127")
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr(noxfile, "PYPROJECT", {"project": {"classifiers": classifiers("3.96", *versions)}})
    assert noxfile.interpreters() == {
        version: str(tmp_path / folder / f"python{version}") for version, folder in versions.items()
    }


def classifiers(*versions: str) -> list[Any]:
    return [f"Programming Language :: Python :: {version}" for version in versions]


def test_missing_browser_is_an_error_that_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "chromium-browser", "echo 'requires the chromium snap to be installed' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="apt-get install chromium"):
        chromium(str(tmp_path / "not-downloaded"))


def test_installed_browser_is_preferred_to_a_downloaded_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, downloaded = script(tmp_path / "google-chrome", "echo Chrome"), script(tmp_path / "downloaded", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium(str(downloaded)) == str(installed)
    installed.unlink()
    assert chromium(str(downloaded)) == str(downloaded)
