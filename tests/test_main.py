from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import plivo_record_async
from plivo_record_async.__main__ import main

PYTHON = sys.executable


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PYTHON, *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


def without(library: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.modules[{library!r}] = None; from plivo_record_async.__main__ import main; main()"
    return run("-c", code, *words, cwd=cwd)


def test_package_runs_as_a_module() -> None:
    ended = run("-m", "plivo_record_async", "--help")
    assert ended.returncode == 0
    assert "Usage: python -m plivo_record_async " in ended.stdout


def test_main_runs_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["plivo-record", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "plivo-record, version" in capsys.readouterr().out


def test_missing_library_ends_main_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "plivo_record_async.cli.root", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: click is not installed: this command needs the extra 'cli'; ")


def test_module_runs_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["plivo_record_async", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(plivo_record_async.__file__).with_name("__main__.py")), run_name="__main__")
    assert not ended.value.code
    assert "plivo-record, version" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("library", "command"),
    [("click", ["--help"]), ("rich", ["demo"]), ("rich", ["listen", "--public-url", "https://me.example"])],
)
def test_missing_extra_cli_is_reported_in_one_line(library: str, command: list[str], tmp_path: Path) -> None:
    ended = without(library, *command, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"error: {library} is not installed: this command needs the extra 'cli'; "
        "install it with: pip install 'plivo-record-async[cli,emulator]'\n"
    )


@pytest.mark.parametrize("command", ["emulate", "demo"])
@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_missing_extra_emulator_is_reported_in_one_line(library: str, command: str) -> None:
    ended = without(library, command)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.match(rf"error: .*{library}.*pip install .*emulator", ended.stderr)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_the_extra_emulator_is_not_needed_for_calls(library: str) -> None:
    assert without(library, "start", "--help").returncode == 0
