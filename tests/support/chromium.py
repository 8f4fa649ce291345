"""The Chromium that the tests of the console and of the documentation drive.

``python -m tests.support.chromium`` installs one where none is found: Debian's package if apt-get may be used, and
otherwise the build that Playwright downloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

__all__ = ["ARGUMENTS", "chromium", "installed_chromium", "launched_browser"]

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
]
"""For a headless Chromium that sends nothing by itself. As root it starts only without its sandbox."""

MISSING = (
    "no Chromium was found, and the tests of the console need one: install Debian's package with "
    "'apt-get install chromium', or run 'python -m playwright install --with-deps chromium' with the Python that runs "
    "the tests"
)


def installed_chromium() -> str | None:
    """Return the path of the first installed Chromium or Chrome that starts."""
    found = (path for name in NAMES if (path := shutil.which(name)))
    return next((path for path in found if _starts(path)), None)


def chromium(downloaded: str) -> str:
    """Return the path of the Chromium for the tests.

    Args:
        downloaded: Where Playwright keeps the build that it downloads.

    Raises:
        FileNotFoundError: There is none. The message says what to install.
    """
    path = installed_chromium() or downloaded
    if not Path(path).exists():
        raise FileNotFoundError(MISSING)
    return path


@asynccontextmanager
async def launched_browser() -> AsyncGenerator[Browser]:
    """Run a headless Chromium. Each test opens pages in a context of its own."""
    async with async_playwright() as playwright:
        path = chromium(playwright.chromium.executable_path)
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


def main() -> None:
    """Install a Chromium if none is found."""
    if installed_chromium():
        return
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        packages = ["chromium", "fonts-dejavu-core"]
        subprocess.run(["apt-get", "update", "-q"], check=False)
        subprocess.run(
            ["apt-get", "install", "-q", "--yes", "--no-install-recommends", *packages],
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        if installed_chromium():
            return
    with_libraries = ["--with-deps"] if root else []
    done = subprocess.run([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], check=False)
    if done.returncode:
        sys.exit(MISSING)


def _starts(path: str) -> bool:
    """Return whether a program works. Ubuntu's ``chromium-browser`` may be a script that only names its snap."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    main()
