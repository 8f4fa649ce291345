"""A headless Chromium, and the console in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect

from tests.support.chromium import launched_browser

OpenConsole = Callable[..., Awaitable[Page]]
"""Opens the console of an emulator: ``open_console(plivo.url, address="#/requests", width=390, scheme="dark")``."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; each test opens pages in a context of its own."""
    async with launched_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(browser: Browser) -> AsyncIterator[OpenConsole]:
    """Open consoles, and fail the test if the browser reports an error or a warning."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    def note_error(error: Error) -> None:
        problems.append(str(error))

    async def opening(
        url: str, *, address: str = "", width: int = 1280, scheme: Literal["light", "dark"] = "light"
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("console", note_message)
        page.on("pageerror", note_error)
        await page.goto(f"{url}/{address}")
        await expect(page.get_by_test_id("link")).to_have_text("Live")
        return page

    yield opening
    for context in contexts:
        await context.close()
    assert problems == []
