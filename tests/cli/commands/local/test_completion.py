from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from plivo_record_async.cli.root import plivo_record

PROGRAM = """#!/bin/sh
exec {python} -c 'import sys; from plivo_record_async.__main__ import main; sys.argv[0] = "plivo-record"; main()' "$@"
"""
COMPLETE = """
eval "$(plivo-record completion bash)"
complete -p plivo-record
for words in "plivo-record recordings " "plivo-record start --wai"; do
  COMP_WORDS=($words); [ "${words% }" = "$words" ] || COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _plivo_record_completion plivo-record
  echo "${COMPREPLY[@]}"
done
"""


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ("bash", "complete -o nosort -F"),
        ("zsh", "#compdef plivo-record"),
        ("fish", "complete --no-files --command plivo-"),
    ],
)
def test_script_is_that_of_the_shell(shell: str, text: str) -> None:
    ended = CliRunner().invoke(plivo_record, ["completion", shell], prog_name="plivo-record")
    assert ended.exit_code == 0
    assert text in ended.stdout
    assert "_PLIVO_RECORD_COMPLETE" in ended.stdout


def test_another_shell_is_a_usage_error() -> None:
    ended = CliRunner().invoke(plivo_record, ["completion", "powershell"], prog_name="plivo-record")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "'powershell' is not one of 'bash', 'zsh', 'fish'" in ended.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_loads_the_script_and_completes_commands_and_options(tmp_path: Path) -> None:
    program = tmp_path / "plivo-record"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    ended = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert ended.stderr == ""
    registered, *completed = ended.stdout.splitlines()
    assert registered.endswith("-F _plivo_record_completion plivo-record")
    assert completed == ["delete get list", "--wait"]
