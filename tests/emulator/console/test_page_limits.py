"""What must not break the console: hostile text, other web pages, many recordings, small screens, screen readers."""

from __future__ import annotations

import importlib.resources
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, expect

from plivo_record_async import RecordClient
from plivo_record_async.emulator import Emulator
from plivo_record_async.emulator.account.world import World
from plivo_record_async.emulator.server import DEFAULT_AUTH_ID, DEFAULT_AUTH_TOKEN
from tests.emulator.console.conftest import OpenConsole
from tests.support.emulator_app import app_around
from tests.support.servers.asgi_server import serving
from tests.support.servers.callback_server import CallbackServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE_NAMES = [
    "<img src=x onerror=document.title='attacked'>",
    "</script><script>document.title='attacked'</script>",
    "\u202egnp.exe\u202d \u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645",
    "x" * 10_000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 stand-up",
    "__proto__",
    "a/b c?d#e%2F",
    "line\nbreak\ttab\x00nul\u2028",
    "javascript:document.title='attacked'",
    "Z" + "\u0301\u0316\u0348" * 300,
    "   ",
]
VISIBLE = {
    HOSTILE_NAMES[2]: '"\\u202egnp.exe\\u202d \u05e9\u05dc\u05d5\u05dd \u0627\u0644\u0633\u0644\u0627\u0645"',
    HOSTILE_NAMES[7]: '"line\\u000abreak\\u0009tab\\u0000nul\\u2028"',
    "   ": '"   "',
}
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
TABS = ["recordings", "deliveries", "requests", "faults"]


@pytest_asyncio.fixture(loop_scope="session")
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def busy(plivo: Emulator) -> AsyncIterator[Emulator]:
    """An emulator in which something of every kind has happened."""
    async with (
        CallbackServer.listening(403, 200, "close") as receiver,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
    ):
        for name in ("stand-up", "weekly planning with all the teams of the northern region", "board"):
            url = f"{receiver.url}/cb#rc=0"
            await client.start_recording(name, callback_url=url, transcription_url=url)
        await plivo.open_conference("not yet recorded")
        await plivo.end_conference("stand-up")
        await plivo.callbacks_settled()
        yield plivo


async def width_of(page: Page) -> int:
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert isinstance(width, int)
    return width


async def open_last(page: Page) -> None:
    await page.get_by_test_id("row").last.click()
    await expect(page.get_by_test_id("detail")).to_be_visible()


async def test_hostile_names_are_shown_as_text(plivo: Emulator, open_console: OpenConsole) -> None:
    async with (
        CallbackServer.listening() as receiver,
        RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client,
    ):
        for name in HOSTILE_NAMES:
            await client.start_recording(name, callback_url=f"{receiver.url}/?<b>'\"")
        page = await open_console(plivo.url, width=390)
        await expect(page.get_by_test_id("row")).to_have_count(len(HOSTILE_NAMES))
        for place, name in enumerate(reversed(HOSTILE_NAMES)):
            await page.get_by_test_id("row").nth(place).click()
            shown = VISIBLE.get(name, name)
            heading = shown if len(shown) <= 200 else f"{shown[:200]}…"
            await expect(page.get_by_role("heading", level=2)).to_have_js_property("textContent", heading)
            await expect(page.get_by_test_id("detail").locator("dd").first).to_have_js_property("textContent", shown)
            assert await width_of(page) <= 390
            await page.get_by_test_id("end").click()
            await expect(page.get_by_test_id("end")).to_have_count(0)
            await page.get_by_test_id("close").click()
        await plivo.callbacks_settled()
        for tab in ("deliveries", "requests"):
            await page.get_by_test_id(f"tab-{tab}").click()
            await expect(page.get_by_test_id("row").first).to_be_visible()
            assert await width_of(page) <= 390
            for place in range(len(HOSTILE_NAMES)):
                await page.get_by_test_id("row").nth(place).click()
                await expect(page.get_by_test_id("verdict")).to_be_visible()
                assert await width_of(page) <= 390
                await page.get_by_test_id("close").click()
    assert await page.title() == "Plivo emulator"
    assert await page.locator("img").count() == 1
    assert await page.locator("script").count() == 1


async def test_browser_refuses_markup_and_code_that_get_into_the_page(plivo: Emulator, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(plivo.url)
    with pytest.raises(Error, match="TrustedHTML"):
        await page.evaluate("document.body.innerHTML = '<img src=x>'")
    await page.evaluate("""
        const script = document.createElement("script");
        script.append("document.title = 'attacked'");
        document.body.append(script);
        document.body.setAttribute("style", "color: red");
    """)
    assert await page.title() == "Plivo emulator"
    assert await page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
    await context.close()


ATTACK = """
    async (plivo) => {
        const tried = [];
        const send = async (path, options) => {
            tried.push(await fetch(plivo + path, options).then(({ type }) => type, () => "failed"));
        };
        for (const path of ["/__emulator__/conferences/attacked", "/__emulator__/reset"]) {
            for (const mode of ["no-cors", "cors"]) {
                for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
                    await send(path, { method: "POST", mode, body: "{}", headers: { "Content-Type": type } });
                }
            }
            await send(path, { method: "POST", headers: { "X-Plivo-Emulator": "1" } });
        }
        await send("/__emulator__/state");
        await send("/__emulator__/requests");
        navigator.sendBeacon(plivo + "/__emulator__/conferences/attacked", "{}");
        return tried;
    }
"""
FORM = """
    <!doctype html>
    <title>Another page</title>
    <iframe src="{plivo}/"></iframe>
    <iframe name="target"></iframe>
    <form method="post" target="target" enctype="text/plain" action="{plivo}/__emulator__/conferences/attacked"></form>
"""


async def test_page_of_another_origin_cannot_read_or_change_anything(busy: Emulator, browser: Browser) -> None:
    async def other_site(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": FORM.replace("{plivo}", busy.url).encode()})

    before = busy.state()
    async with serving(other_site, lifespan="off") as site:
        for address in (site, site.replace("127.0.0.1", "localhost")):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(address)
            tried = await page.evaluate(ATTACK, busy.url)
            assert set(tried) <= {"failed", "opaque"}, tried
            async with page.expect_response(lambda response: response.url.endswith("/attacked")) as answer:
                await page.evaluate("document.forms[0].submit()")
            assert (await answer.value).status == 403
            framed = page.frames[1]
            assert await framed.locator("#main").count() == 0
            await context.close()
    assert busy.state() == before


async def test_ten_thousand_recordings_do_not_slow_the_page(open_console: OpenConsole) -> None:
    world = World(auth_id=DEFAULT_AUTH_ID, url="http://127.0.0.1")
    for number in range(10_000):
        ids = {"api_id": f"request {number}", "recording_id": f"recording {number}"}
        world.start(f"conference {number}", {}, now=datetime.now(UTC), **ids)
    async with (
        serving(app_around(world, [], auth_token=DEFAULT_AUTH_TOKEN), lifespan="off") as url,
        RecordClient(DEFAULT_AUTH_ID, DEFAULT_AUTH_TOKEN, base_url=url) as client,
    ):
        page = await open_console(url)
        await expect(page.get_by_test_id("tab-recordings")).to_contain_text("10,000")
        await expect(page.get_by_test_id("older")).to_be_visible()
        assert await page.evaluate("document.querySelectorAll('*').length") < 2_500
        took = await page.evaluate("""
            async () => {
                const filter = document.getElementById("filter");
                const frames = [];
                for (const text of ["9", "99", "999", "9999", ""]) {
                    const begun = performance.now();
                    filter.value = text;
                    filter.dispatchEvent(new Event("input", { bubbles: true }));
                    await new Promise(requestAnimationFrame);
                    frames.push(performance.now() - begun);
                }
                return Math.max(...frames);
            }
        """)
        assert took < 500, f"a change of the filter takes {took:.0f} ms"
        await page.get_by_test_id("older").click()
        await expect(page.locator(".pager span")).to_have_text("51 to 100 of 10,000")
        await page.get_by_test_id("filter").fill("one more")
        await client.start_recording("one more")
        await expect(page.get_by_test_id("row")).to_have_count(1)
        await page.close()


@pytest.mark.parametrize("width", [390, 320])
async def test_page_fits_a_small_screen(busy: Emulator, open_console: OpenConsole, width: int) -> None:
    page = await open_console(busy.url, width=width)
    for tab in TABS:
        await page.get_by_test_id(f"tab-{tab}").click()
        assert await width_of(page) <= width
        if tab != "faults":
            await open_last(page)
            assert await width_of(page) <= width
            await page.get_by_test_id("close").click()


async def test_row_of_a_callback_and_its_url_fit_a_small_screen(busy: Emulator, open_console: OpenConsole) -> None:
    page = await open_console(busy.url, address="#/deliveries", width=390)
    first = page.get_by_test_id("row").filter(has_text="No response")
    chip, attempt = [await each.bounding_box() for each in (first.locator(".chip"), first.locator(".end"))]
    assert chip is not None
    assert attempt is not None
    assert chip["y"] < attempt["y"] + attempt["height"] / 2 < chip["y"] + chip["height"]
    await first.click()
    await expect(page.get_by_test_id("called")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_accessibility_checker_finds_nothing(
    busy: Emulator, open_console: OpenConsole, scheme: Literal["light", "dark"], width: int
) -> None:
    page = await open_console(busy.url, scheme=scheme, width=width)
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(13, 13, 17)") == (scheme == "dark")
    await page.evaluate(AXE)
    for tab in TABS:
        await page.get_by_test_id(f"tab-{tab}").click()
        if tab != "faults":
            await open_last(page)
        found = await page.evaluate("axe.run().then(({ violations }) => violations)")
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
