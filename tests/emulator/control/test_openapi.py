"""The description is complete, and schemathesis finds no answer that contradicts it."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import httpx
import pytest

from plivo_record_async.emulator import Emulator
from plivo_record_async.emulator.api.endpoints import ENDPOINTS
from plivo_record_async.emulator.control.openapi import openapi

ROOT = Path(__file__).parents[3]
ACCEPTANCE = "positive_data_acceptance"
"""The check that valid arguments are accepted. A list of more than 30 days is refused, though its bounds are valid."""
METHODS = {"get", "head", "post", "put", "delete"}
DESCRIPTION = openapi("http://h", "MAXXXXXXXXXXXXXXXXXX")
DESCRIBED = {
    (method.upper(), path) for path, item in DESCRIPTION["paths"].items() for method in METHODS if method in item
}


def test_every_resource_of_the_api_is_described() -> None:
    expected = {
        (method, "/".join(["", *("{}" if each == "*" else each for each in pattern), ""]))
        for pattern, methods in ENDPOINTS.items()
        for method in methods
    }
    described = {
        (method, re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/v1/Account/{auth_id}")))
        for method, path in DESCRIBED
        if path.startswith("/v1/") and not path.endswith("{file}")
    }
    assert described == expected


def test_every_control_request_of_the_reference_is_described() -> None:
    page = (ROOT / "docs/reference/emulator.md").read_text()
    table = page.partition("| under `/__emulator__` |")[2].partition("\n\n")[0]

    documented = set(re.findall(r"`(GET|POST|PUT|DELETE) (/[^ `?]*)", table))
    assert {(method, path.removeprefix("/__emulator__")) for method, path in DESCRIBED if "__" in path} == documented


async def test_every_description_that_is_read_answers() -> None:
    async with Emulator(clock="virtual") as plivo, httpx.AsyncClient(base_url=plivo.url) as client:
        for method, path in DESCRIBED:
            if method == "GET" and "{" not in path and not path.endswith("/events"):
                assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/__emulator__/openapi.json")).json() == openapi(plivo.url, plivo.auth_id)


@pytest.mark.parametrize(
    "options",
    [
        ("--exclude-path-regex", "events|faults|dialect|reset|state", "--exclude-checks", ACCEPTANCE),
        ("--include-path-regex", "faults|dialect|reset", "--exclude-checks", ACCEPTANCE),
        ("--include-path-regex", "state", "--exclude-checks", ACCEPTANCE),
    ],
    ids=["the API and what is read", "what changes the answers", "the state"],
)
async def test_schemathesis_finds_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    async with Emulator(clock="virtual") as plivo:
        plivo.faults.on("callback").drop()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{plivo.url}/__emulator__/openapi.json"),
            *("--auth", f"{plivo.auth_id}:{plivo.auth_token}", "--header", "X-Plivo-Emulator: 1"),
            *("--max-examples", "10", "--no-color", "--seed", "1"),
            *options,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-5000:]
