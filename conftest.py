"""Runs every Python block in the README, the documentation and the docstrings against the emulator."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from sybil import Example, Sybil
from sybil.evaluators.python import pad
from sybil.parsers import myst, rest


@pytest.fixture(scope="module")
def plivo_for_examples() -> Iterator[Emulator]:
    """One emulator for each document, and its address and credentials in the environment."""
    from plivo_record_async.emulator import Emulator

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Emulator()) as plivo,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PLIVO_AUTH_ID", plivo.auth_id)
        patch.setenv("PLIVO_AUTH_TOKEN", plivo.auth_token)
        patch.setenv("PLIVO_BASE_URL", plivo.url)
        yield plivo


def run(example: Example) -> None:
    """Run a block as ``python -m asyncio`` would: ``await`` may stand outside of functions."""
    source = pad(example.parsed, example.line + example.parsed.line_offset)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(source, example.path, "exec", flags=flags, dont_inherit=True)
    ended = eval(code, example.namespace)  # noqa: S307 - our own documentation
    if inspect.iscoroutine(ended):
        asyncio.run(ended)


pytest_collect_file = (
    Sybil([myst.CodeBlockParser("python", run)], pattern="*.md", fixtures=["plivo_for_examples"])
    + Sybil(
        [rest.CodeBlockParser("python", run)],
        pattern="plivo_record_async/**/*.py",
        fixtures=["plivo_for_examples"],
    )
).pytest()
