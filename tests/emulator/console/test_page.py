"""What a developer does with the console, in a real browser against a real emulator."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from plivo_record_async import OutcomeUnknownError, RateLimit, RecordClient
from plivo_record_async.emulator import Emulator
from tests.emulator.console.conftest import OpenConsole
from tests.support.servers.callback_server import CallbackServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def plivo() -> AsyncIterator[Emulator]:
    async with Emulator() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(plivo: Emulator) -> AsyncIterator[RecordClient]:
    async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as opened:
        yield opened


def row(page: Page, text: str) -> Locator:
    return page.get_by_test_id("row").filter(has_text=text)


async def open_in_page(page: Page, name: str) -> None:
    await page.get_by_test_id("open-name").fill(name)
    await page.get_by_test_id("open").click()


async def test_conference_is_opened_recorded_ended_and_its_audio_plays(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    await expect(page.get_by_test_id("empty")).to_contain_text(f"PLIVO_BASE_URL={plivo.url}")
    await expect(page.get_by_test_id("clock")).to_have_text(re.compile(r"\d\d:\d\d:\d\d UTC, real"))
    await open_in_page(page, "stand-up")
    await expect(row(page, "stand-up")).to_contain_text("No recording yet")
    async with CallbackServer.listening() as receiver:
        url = f"{receiver.url}/cb"
        await client.start_recording("stand-up", file_format="wav", callback_url=url, transcription_url=url)
        await expect(row(page, "stand-up")).to_contain_text("Transcribed: expected")
        await row(page, "stand-up").click()
        await page.get_by_test_id("detail").get_by_test_id("end").click()
        await expect(page.get_by_test_id("message")).to_have_text(
            "The conference has ended, and its callbacks are being delivered."
        )
        await expect(row(page, "stand-up").locator(".chip")).to_have_text("Transcribed")
    await expect(page.get_by_test_id("steps").locator("li.done")).to_have_count(6)
    audio = page.get_by_test_id("audio")
    await audio.press("Space")
    await expect(audio).to_have_js_property("ended", True)
    assert await audio.evaluate("each => each.error === null && each.duration > 0")


async def test_reason_of_a_rejected_callback_is_shown(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    async with CallbackServer.listening(200, 403) as receiver:
        url = f"{receiver.url}/cb?tenant=7"
        await client.start_recording("stand-up", callback_url=url)
        await plivo.callbacks_settled()
        await plivo.end_conference("stand-up")
        await expect(page.get_by_test_id("attention")).to_contain_text("1 callback was not accepted")
        await page.get_by_test_id("why").click()
        detail = page.get_by_test_id("detail")
        await expect(detail.get_by_test_id("verdict")).to_have_text("Your receiver did not accept it: it answered 403.")
        await expect(detail.get_by_test_id("advice")).to_contain_text("signature")
        await expect(detail.get_by_test_id("retry")).to_contain_text("No further attempt follows")
        signed = plivo.deliveries[-1].signed
        assert signed is not None
        await expect(detail.locator("pre", has_text=signed)).to_be_visible()

        await detail.get_by_test_id("compare").fill(url.replace("http:", "https:"))
        await expect(detail.get_by_test_id("comparison").locator("mark").last).to_have_text("s")
        await detail.get_by_test_id("compare").fill(url)
        await expect(detail.get_by_test_id("comparison")).to_have_text("They are the same.")
        await detail.get_by_test_id("compare").fill(signed.replace("api_id", "API_ID"))
        await expect(detail.get_by_test_id("comparison").locator("mark").last).to_have_text("API_ID")
        await detail.get_by_test_id("token").fill("another token")
        await expect(detail.get_by_test_id("token-verdict")).to_contain_text("makes another signature")
        await detail.get_by_test_id("token").fill(plivo.auth_token)
        await expect(detail.get_by_test_id("token-verdict")).to_contain_text("makes the same signature")

        await detail.get_by_test_id("token").fill("another token")
        await expect(detail.get_by_test_id("token-verdict")).to_contain_text("makes another signature")
        await detail.get_by_test_id("compare").fill("")
        await expect(detail.get_by_test_id("comparison")).to_have_count(0)
        await expect(detail.get_by_test_id("token")).to_have_value("another token")
        await expect(detail.get_by_test_id("token-verdict")).to_be_visible()
        await row(page, "Asynchronous response").click()
        await expect(detail.get_by_test_id("verdict")).to_contain_text("accepted it")
        await row(page, "Recording ended").click()
        await expect(detail.get_by_test_id("token")).to_have_value("")
        await expect(detail.get_by_test_id("token-verdict")).to_have_count(0)

        await detail.get_by_test_id("replay").click()
        await expect(detail.get_by_test_id("verdict")).to_have_text("Your receiver accepted it: it answered 200.")
        await expect(detail.get_by_role("button", name="Recording ended, sent again, attempt 1")).to_be_visible()
        await expect(page.get_by_test_id("attention")).to_be_empty()
        await detail.get_by_test_id("duplicate").click()
        await page.locator("#show").select_option("accepted")
        await expect(page.get_by_test_id("row")).to_have_count(4)
        assert receiver.received.qsize() == 5


ADVICE = {
    301: "redirect",
    400: "expects JSON",
    401: "another signature",
    404: "Nothing is served",
    405: "callback_method",
    429: "may say why",
    502: "its own log",
}
FAILURES = {
    "refused": "Nothing listens",
    "unreachable": "The network does not lead",
    "connect_timeout": "has not seen this callback",
    "dns": "cannot be resolved",
    "tls": "SSL_CERT_FILE",
    "read_timeout": "Respond first",
    "total_timeout": "Respond first",
    "reset": "reset the connection",
    "disconnected": "without a response",
    "invalid_response": "is not HTTP",
    "invalid_url": "cannot be called",
}


async def test_each_answer_has_its_advice(plivo: Emulator, open_console: OpenConsole) -> None:
    page = await open_console(plivo.url)
    evaluated = """
        async (failed) => {
            const { advice } = await import("/console/explain.js");
            return advice({ state: "failed", method: "POST", signed: "text", ...failed }).join(" ");
        }
    """
    for status, part in ADVICE.items():
        assert part in await page.evaluate(evaluated, {"status": status, "error": f"answered {status}"})
    for failure, part in FAILURES.items():
        assert part in await page.evaluate(evaluated, {"status": None, "failure": failure})
    assert "closed the connection too early" in await page.evaluate(evaluated, {"status": 200, "failure": "broke_off"})
    assert "no signature" in await page.evaluate(evaluated, {"status": 403, "error": "answered 403", "signed": None})


async def test_last_rejected_callback_is_named(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    async with CallbackServer.listening(200, 200, 403, 500, 403, 200) as receiver:
        for name in ("first", "second"):
            await client.start_recording(name, callback_url=f"{receiver.url}/cb#rc=0")
            await plivo.callbacks_settled()
        for name in ("first", "second"):
            await plivo.end_conference(name)
            await plivo.callbacks_settled()
        await expect(page.get_by_test_id("attention")).to_contain_text("recording ended in second, rejected 500")
        await page.get_by_test_id("tab-deliveries").click()
        await row(page, "Rejected 403").click()
        await page.get_by_test_id("detail").get_by_test_id("replay").click()
        await expect(page.get_by_test_id("attention")).to_contain_text("2 callbacks were not accepted. The last one:")
        await expect(page.get_by_test_id("attention")).to_contain_text("recording ended in first, rejected 403")


async def test_rejected_duplicate_and_rejected_asynchronous_response_are_red(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    async with CallbackServer.listening(200, 200, 403, 404) as receiver:
        await client.start_recording("duplicate", callback_url=f"{receiver.url}/cb#rc=0")
        await plivo.callbacks_settled()
        await plivo.end_conference("duplicate")
        await plivo.callbacks_settled()
        await expect(row(page, "duplicate").locator(".chip")).to_have_text("Recorded")
        await plivo.replay(plivo.deliveries[-1].id)
        await plivo.callbacks_settled()
        await expect(row(page, "duplicate").locator(".chip")).to_have_text("Rejected 403")
        await client.start_recording("response", callback_url=f"{receiver.url}/cb#rc=0")
        await expect(row(page, "response").locator(".chip")).to_have_text("Rejected 404")
        await expect(row(page, "response")).to_contain_text("Accepted: failed")
        await expect(page.get_by_test_id("attention")).to_contain_text("2 callbacks were not accepted")


async def test_entry_that_is_not_in_the_log_is_named(plivo: Emulator, open_console: OpenConsole) -> None:
    for address, title in {"#/deliveries/99999": "Callback 99999", "#/requests/7": "Request 7"}.items():
        page = await open_console(plivo.url, address=address)
        detail = page.get_by_test_id("detail")
        await expect(detail.get_by_role("heading", level=2)).to_have_text(title)
        await expect(detail).to_contain_text("It is not in the log any more.")


async def test_squeezed_clock_is_named(open_console: OpenConsole) -> None:
    async with Emulator(clock="squeezed") as plivo:
        page = await open_console(plivo.url)
        await expect(page.get_by_test_id("clock")).to_contain_text("UTC, squeezed")


async def test_response_that_breaks_off_is_named(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")
        writer.close()

    page = await open_console(plivo.url)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as receiver:
        port = receiver.sockets[0].getsockname()[1]
        await client.start_recording("stand-up", callback_url=f"http://127.0.0.1:{port}/cb")
        await expect(row(page, "stand-up").locator(".chip")).to_have_text("Broke off (200)")
        await page.get_by_test_id("why").click()
        await expect(page.get_by_test_id("verdict")).to_contain_text("answered 200, but the response broke off")
        await expect(page.get_by_test_id("retry")).to_contain_text("never retried")


STAGES = {
    "": "now",
    "waiting": "now",
    "sending": "now",
    "failed": "failed",
    "failed sending": "now",
    "failed delivered": "done",
    "delivered sending": "done",
    "dropped": "failed",
    "delivered failed": "failed",
}


async def test_stage_of_a_recording_follows_from_the_attempts(plivo: Emulator, open_console: OpenConsole) -> None:
    page = await open_console(plivo.url)
    evaluated = """
        async (states) => {
            const { stages } = await import("/console/explain.js");
            const time = "2026-01-01T00:00:00+00:00";
            const recording = { started_at: time, ended_at: time, callback_url: "http://127.0.0.1/" };
            const attempt = { kind: "recording", status: 503, error: "answered 503", at: time, next_attempt_at: null };
            const callbacks = states.split(" ").filter(Boolean).map((state) => ({ ...attempt, state }));
            return stages({ recording, request: null, callbacks }).map(({ state }) => state);
        }
    """
    for states, stage in STAGES.items():
        assert await page.evaluate(evaluated, states) == ["done", "done", "done", "done", stage, "none"], states


async def test_fault_is_set_changes_a_start_and_is_over(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url, address="#/faults")
    await page.get_by_test_id("fault-do").select_option("reset_after_execution")
    await expect(page.get_by_test_id("fault-status")).to_be_hidden()
    await page.get_by_test_id("fault-conference").fill("stand-up")
    await page.get_by_test_id("fault-set").click()
    await expect(page.get_by_test_id("faults")).to_contain_text("start requests in stand-up, once")
    await client.start_recording("another")
    with pytest.raises(OutcomeUnknownError):
        await client.start_recording("stand-up")
    await expect(page.get_by_test_id("faults")).to_contain_text("None.")
    await page.get_by_test_id("tab-recordings").click()
    await expect(row(page, "stand-up")).to_contain_text("Response lost")
    await page.get_by_test_id("tab-requests").click()
    await page.get_by_test_id("show").select_option("faults")
    await row(page, "stand-up").click()
    await expect(page.get_by_test_id("detail")).to_contain_text("reset_after_execution")


async def test_faults_are_cleared(plivo: Emulator, client: RecordClient, open_console: OpenConsole) -> None:
    page = await open_console(plivo.url, address="#/faults")
    for on in ("start", "callback", "any"):
        await page.get_by_test_id("fault-on").select_option(on)
        await page.get_by_test_id("fault-set").click()
        await expect(page.get_by_test_id("message")).to_have_text("The fault is set.")
    await expect(page.get_by_test_id("clear-fault")).to_have_count(3)
    await page.get_by_test_id("clear-fault").first.click()
    await expect(page.get_by_test_id("clear-fault")).to_have_count(2)
    await page.get_by_test_id("clear-faults").click()
    await expect(page.get_by_test_id("faults")).to_contain_text("None.")
    await client.start_recording("stand-up")


async def test_quota_is_shown_and_a_virtual_clock_is_moved(open_console: OpenConsole) -> None:
    async with Emulator(clock="virtual", quota=RateLimit(20, per=10)) as plivo:
        page = await open_console(plivo.url, address="#/faults")
        before = await page.get_by_test_id("clock").text_content()
        await page.get_by_test_id("advance-seconds").fill("3600")
        await page.get_by_test_id("advance").click()
        await expect(page.get_by_test_id("message")).to_have_text("The clock moved by 1 h 0 min.")
        await expect(page.get_by_test_id("clock")).to_contain_text("virtual")
        await expect(page.get_by_test_id("quota")).to_have_text("0 of 20 in 10 s")
        await expect(page.get_by_test_id("clock")).not_to_have_text(before or "")


async def test_everything_is_exported_and_reset(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole, tmp_path: Path
) -> None:
    await client.start_recording("stand-up")
    page = await open_console(plivo.url)
    async with page.expect_download() as download:
        await page.get_by_test_id("export").click()
    await (await download.value).save_as(tmp_path / "export.json")
    exported = json.loads(await asyncio.to_thread((tmp_path / "export.json").read_bytes))
    assert [each["conference_name"] for each in exported["recordings"]] == ["stand-up"]
    assert [each["operation"] for each in exported["requests"]] == ["start"]
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_test_id("reset").click()
    await expect(page.get_by_test_id("row")).to_have_count(0)
    assert plivo.executions("stand-up") == 0


async def test_deleted_recording_is_no_longer_shown(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    started = await client.start_recording("stand-up")
    await plivo.end_conference("stand-up")
    await row(page, "stand-up").click()
    assert started.recording_id is not None
    await client.delete_recording(started.recording_id)
    await expect(page.get_by_test_id("row")).to_have_count(0)
    await expect(page.get_by_test_id("detail")).to_be_hidden()


async def test_page_shows_what_other_programs_do_and_survives_a_restart(open_console: OpenConsole) -> None:
    async with Emulator() as plivo, RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
        page = await open_console(plivo.url, address="#/requests")
        for count in range(1, 4):
            await client.start_recording("stand-up")
            await expect(page.get_by_test_id("row")).to_have_count(count)
        await expect(page.get_by_test_id("quota")).to_have_text("none (3 in 5 s)")
        port = int(plivo.url.rpartition(":")[2])
    await expect(page.get_by_test_id("link")).to_have_text("Not connected: trying again")
    async with Emulator(port=port):
        await expect(page.get_by_test_id("link")).to_have_text("Live")
        await expect(page.get_by_test_id("row")).to_have_count(0)


async def test_everything_is_done_with_the_keyboard(
    plivo: Emulator, client: RecordClient, open_console: OpenConsole
) -> None:
    page = await open_console(plivo.url)
    keyboard = page.keyboard
    await keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await keyboard.type("stand-up")
    await keyboard.press("Enter")
    await expect(row(page, "stand-up")).to_be_visible()
    await client.start_recording("stand-up")
    await expect(row(page, "stand-up")).to_contain_text("Recording")
    for _ in range(4):
        await keyboard.press("Tab")
    await expect(row(page, "stand-up")).to_be_focused()
    await keyboard.press("Enter")
    await expect(page.get_by_test_id("detail")).to_be_visible()
    await keyboard.press("Tab")
    await expect(page.get_by_test_id("end")).to_be_focused()
    await keyboard.press("Enter")
    await expect(row(page, "stand-up").locator(".chip")).to_have_text("Recorded")
    await keyboard.press("Escape")
    await expect(page.get_by_test_id("detail")).to_be_hidden()
    await expect(row(page, "stand-up")).to_be_focused()
    await page.get_by_test_id("tab-recordings").focus()
    for tab in ("deliveries", "requests", "faults"):
        await keyboard.press("ArrowRight")
        await expect(page.get_by_test_id(f"tab-{tab}")).to_be_focused()
        await expect(page.get_by_test_id(f"tab-{tab}")).to_have_attribute("aria-selected", "true")
