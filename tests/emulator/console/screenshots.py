"""Make the screenshots of the documentation with ``nox -s screenshots``.

They show a real emulator in a real browser, after the same events each time.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

from playwright.async_api import Browser, Page, expect

from plivo_record_async import OutcomeUnknownError, RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.serving import open_listener
from tests.support.chromium import launched_browser
from tests.support.servers.asgi_server import serving

FOLDER = Path(__file__).parents[3] / "docs" / "_static"
EMULATOR_PORT, RECEIVER_PORT = 8765, 5000
REJECTED = "weekly planning"
CONFERENCES = ("all hands", "board", "customer call 481", REJECTED, "design review", "interview 12", "retrospective")
RUNNING = ("stand-up", "kick-off")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def receive_callbacks(scope: Any, receive: Any, send: Any) -> None:
    """Accept every callback except those of one conference, as an application behind a proxy might reject all."""
    body = (await receive())["body"].decode()
    rejected = parse_qs(body).get("conference_name") == [REJECTED]
    answer = b"signature does not match https://app.example/plivo/recorded\n" if rejected else b""
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 403 if rejected else 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def record_conferences(plivo: Emulator) -> None:
    """Record some conferences, one of which has its start answered with an error and one its callback rejected."""
    receiver = f"http://127.0.0.1:{RECEIVER_PORT}/plivo"
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        for name in (*CONFERENCES, *RUNNING):
            ended, transcribed = f"{receiver}/recorded", f"{receiver}/transcribed"
            if name == "board":
                plivo.faults.on("start", times=1).status(503, executed=True)
            try:
                await client.start_recording(name, callback_url=ended, transcription_url=transcribed)
            except OutcomeUnknownError:
                assert name == "board"
            await plivo.advance(21)
            if name in CONFERENCES:
                await plivo.end_conference(name)
                await plivo.callbacks_settled()
        await plivo.open_conference("board meeting")


async def show_recordings(page: Page) -> None:
    await page.get_by_test_id("row").filter(has_text="interview 12").click()
    await expect(page.get_by_test_id("steps")).to_be_visible()


async def show_rejected(page: Page) -> None:
    await page.get_by_test_id("why").click()
    await page.get_by_test_id("compare").fill(f"https://app.example:{RECEIVER_PORT}/plivo/recorded")
    await expect(page.get_by_test_id("comparison")).to_be_visible()
    await page.get_by_test_id("detail").evaluate("each => each.scrollTo(0, 0)")
    await page.evaluate("document.activeElement.blur()")


async def show_list(page: Page) -> None:
    await expect(page.get_by_test_id("row")).not_to_have_count(0)


SHOTS = {
    "recordings": (1280, 800, show_recordings),
    "rejected": (1280, 1000, show_rejected),
    "phone": (390, 760, show_list),
}


async def take(browser: Browser, plivo: Emulator) -> None:
    """Take each screenshot in both colour schemes."""
    for name, (width, height, prepare) in SHOTS.items():
        for scheme in SCHEMES:
            context = await browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
            )
            page = await context.new_page()
            await page.goto(plivo.url)
            await expect(page.get_by_test_id("link")).to_have_text("Live")
            await prepare(page)
            await page.screenshot(path=FOLDER / f"console-{name}-{scheme}.png")
            await context.close()


async def main() -> None:
    """Write the screenshots to the documentation's folder of images."""
    FOLDER.mkdir(exist_ok=True)
    async with (
        serving(receive_callbacks, listener=open_listener("127.0.0.1", RECEIVER_PORT), lifespan="off"),
        Emulator(port=EMULATOR_PORT, clock="virtual") as plivo,
        launched_browser() as browser,
    ):
        await record_conferences(plivo)
        await take(browser, plivo)


if __name__ == "__main__":
    asyncio.run(main())
