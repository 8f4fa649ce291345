"""A headless Chromium for the tests of the console."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.chromium import ARGUMENTS, chromium


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; each test opens pages in a context of its own."""
    async with async_playwright() as playwright:
        path = chromium(playwright.chromium.executable_path)
        started = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        await started.close()
