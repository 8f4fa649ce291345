from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

import plivo_record_async.emulator.console as package
from plivo_record_async.emulator import Emulator
from plivo_record_async.emulator.console.files import read_console

FILES = [file for folder in ("page", "scripts") for file in Path(package.__path__[0], folder).iterdir()]
PATHS = ["/" if file.name == "index.html" else f"/console/{file.name}" for file in FILES]
SERVED = read_console()


def test_every_file_of_the_page_is_read_and_nothing_else_is_served() -> None:
    assert {"/" + "/".join(path) for path in SERVED} == set(PATHS)
    assert SERVED[("",)].content.startswith(b"<!doctype html>")


def test_policy_permits_nothing_from_elsewhere_and_nothing_inline() -> None:
    for file in SERVED.values():
        policy = file.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (file.headers["X-Content-Type-Options"], file.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_page_has_no_inline_code_and_loads_nothing_from_another_origin(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    if file.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)


async def test_emulator_serves_the_page_and_its_files(plivo_emulator: Emulator) -> None:
    async with httpx.AsyncClient(base_url=plivo_emulator.url) as client:
        for path in PATHS:
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (200, SERVED[tuple(path[1:].split("/"))].content)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            head = await client.head(path)
            assert (head.status_code, head.content) == (200, b"")
        for path in ("/console", "/console/", "/console/files.py", "/console/__init__.py", "/console/../app.py"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/")).status_code == 404
