"""Runs every Python block in the README, the documentation and the docstrings against the emulator.

Console blocks, which show the help of ``plivo-record``, are compared with what the command really prints.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import shlex
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from sybil import Example, Sybil
from sybil.evaluators.python import pad
from sybil.integration.pytest import SybilItem
from sybil.parsers import myst, rest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from plivo_record_async.emulator import Emulator


@pytest.fixture(scope="module")
def plivo_for_examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for each document, its address and credentials in the environment, and a folder to write in."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Emulator()) as plivo,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PLIVO_AUTH_ID", plivo.auth_id)
        patch.setenv("PLIVO_AUTH_TOKEN", plivo.auth_token)
        patch.setenv("PLIVO_BASE_URL", plivo.url)
        patch.setenv("PUBLIC_URL", f"http://127.0.0.1:{port}/plivo")
        patch.chdir(tmp_path_factory.mktemp("example"))
        yield plivo


def run_python(example: Example) -> None:
    """Run a block as ``python -m asyncio`` would: ``await`` may stand outside of functions."""
    source = pad(example.parsed, example.line + example.parsed.line_offset)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, example.path, "exec", flags=flags, dont_inherit=True)
    ended = eval(code, example.namespace)  # noqa: S307 - our own documentation
    if inspect.iscoroutine(ended):
        asyncio.run(ended)


def run_console(example: Example) -> None:
    """Run the command behind ``$`` on a terminal of 80 columns, and expect the lines below it."""
    command, _, expected = str(example.parsed).removeprefix("$ ").partition("\n")
    name, *arguments = shlex.split(command)
    program = f"{sysconfig.get_path('scripts')}/{name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        done = subprocess.run(  # noqa: S603 - our own documentation
            [program, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.strip() == expected.strip(), done.stdout  # noqa: S101 - it is a test


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """With ``--dist loadfile``, run the tests of a file one after another, except those of the faults."""
    return ByFileOrFault(config, log) if config.option.dist == "loadfile" else None


class ByFileOrFault(LoadFileScheduling):  # type: ignore[misc]
    """Runs the tests of a file in one process, because the examples of a document build on each other.

    The tests of the faults do not, and they wait for a server most of the time. If one process ran all of a file, they
    would be the last to end.
    """

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/faults/") else nodeid.partition("::")[0]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Show whole tracebacks: sybil's filter fails on the short ones in a group, such as that of leaked sockets."""
    if isinstance(item, SybilItem):
        item._traceback_filter = lambda excinfo: excinfo.traceback  # type: ignore[method-assign]  # noqa: SLF001


pytest_collect_file = (
    Sybil(
        [myst.CodeBlockParser("python", run_python), myst.CodeBlockParser("console", run_console)],
        pattern="*.md",
        fixtures=["plivo_for_examples"],
    )
    + Sybil(
        [rest.CodeBlockParser("python", run_python)],
        path="plivo_record_async",
        pattern="*.py",
        fixtures=["plivo_for_examples"],
    )
).pytest()
