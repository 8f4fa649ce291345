"""The files and steps of the page about other SDKs work as they are copied from it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from plivo_record_async.emulator import Emulator
from tests.support.official_node_sdk import NODE, node_environment
from tests.support.other_sdks_page import write_file
from tests.support.untyped_libraries import yaml


def output_of(*command: str | Path, environment: Mapping[str, str], folder: Path) -> str:
    """Run a command in a folder; fail with everything that it printed if it fails."""
    done = subprocess.run(
        command, env=dict(environment), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_python_project_of_the_page_passes(plivo_emulator: Emulator, tmp_path: Path) -> None:
    write_file("conftest.py", tmp_path)
    write_file("test_standup.py", tmp_path)
    environment = node_environment(plivo_emulator.auth_id, plivo_emulator.auth_token, plivo_emulator.url)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    assert "1 passed" in output_of(*command, environment=environment, folder=tmp_path)
    assert plivo_emulator.executions("standup") == 1


def test_node_program_of_the_page_prints_the_format(plivo_emulator: Emulator, tmp_path: Path) -> None:
    module = write_file("plivo-local.js", tmp_path)
    program = write_file("standup.js", tmp_path)
    environment = node_environment(plivo_emulator.auth_id, plivo_emulator.auth_token, plivo_emulator.url)
    assert output_of(NODE, "--require", module, program, environment=environment, folder=tmp_path) == "wav\n"
    assert plivo_emulator.executions("standup") == 1


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """The job of GitHub Actions, with a free port in the place of the default one."""
    workflow = yaml.safe_load(write_file(".github/workflows/test.yml", tmp_path).read_text(encoding="utf-8"))
    job: dict[str, Any] = workflow["jobs"]["test"]
    return job


def test_steps_of_the_job_start_an_emulator_that_serves_the_tests(
    job: dict[str, Any], tmp_path: Path, unused_tcp_port: int
) -> None:
    write_file("conftest.py", tmp_path)
    write_file("test_standup.py", tmp_path)
    _, start, test = (step["run"] for step in job["steps"] if "run" in step)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    environment = {**os.environ, **job["env"], "PLIVO_BASE_URL": url, "PATH": path}
    on_this_port = start.replace("emulate", f"emulate --port {unused_tcp_port}", 1)
    script = f"trap 'kill $(jobs -p)' EXIT\n{on_this_port}\n{test} -q -p no:cacheprovider"
    assert "1 passed" in output_of("bash", "-euc", script, environment=environment, folder=tmp_path)


def test_health_check_of_the_compose_file_passes_once_the_emulator_serves(
    plivo_emulator: Emulator, tmp_path: Path
) -> None:
    services = yaml.safe_load(write_file("compose.yaml", tmp_path).read_text(encoding="utf-8"))["services"]
    url = services["app"]["environment"]["PLIVO_BASE_URL"]
    command = services["plivo"]["command"]
    assert "emulate --host plivo --port 8765" in command
    assert url == "http://plivo:8765"
    _, program, *arguments = services["plivo"]["healthcheck"]["test"]
    check = [each.replace(url, plivo_emulator.url) for each in arguments]
    assert check != arguments
    assert program == "python"
    output_of(sys.executable, *check, environment=os.environ, folder=tmp_path)
    with pytest.raises(AssertionError, match="refused"):
        output_of(
            sys.executable,
            *(each.replace(url, "http://127.0.0.1:9") for each in arguments),
            environment=os.environ,
            folder=tmp_path,
        )
