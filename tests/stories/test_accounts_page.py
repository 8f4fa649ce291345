"""The application of docs/howto/accounts.md serves two accounts, and trackers of two accounts may share a store."""

from __future__ import annotations

import importlib.util
import re
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType

import httpx
from blockbuster import BlockBuster

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator
from tests.support.servers.asgi_server import free_listener, serving, url_of
from tests.support.tracker.parts import SHORT_INTERVALS, wait_for_state

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "accounts.md").read_text(encoding="utf-8")


def module_of_page(folder: Path) -> ModuleType:
    """Import the file ``accounts.py`` of the page."""
    [source] = re.findall(r"^```py\n(# accounts.py\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = folder / "accounts.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("accounts", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def account(number: int) -> Emulator:
    return Emulator(auth_id=f"MA{number:018}", auth_token=f"auth-token-of-account-{number}")


def client_of(plivo: Emulator) -> RecordClient:
    return RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url)


async def test_two_accounts_are_served_side_by_side(tmp_path: Path, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # the page is written to a file and imported
    module = module_of_page(tmp_path)
    listener = free_listener()
    public_url = url_of(listener)
    async with AsyncExitStack() as opened:
        accounts = {"sales": account(1), "support": account(2)}
        for plivo in accounts.values():
            await opened.enter_async_context(plivo)
        clients = {name: client_of(plivo) for name, plivo in accounts.items()}
        app = module.create_app(clients, public_url, tmp_path)
        await opened.enter_async_context(serving(app, listener=listener, lifespan="on"))
        user = await opened.enter_async_context(httpx.AsyncClient(base_url=public_url, timeout=30))
        for name, plivo in accounts.items():
            start_id = (await user.post(f"/{name}/conferences/standup/recording")).json()["start_id"]
            await plivo.end_conference("standup")
            address = (await user.get(f"/{name}/recordings/{start_id}/url")).json()
            assert address.startswith(f"{plivo.url}/v1/Account/{plivo.auth_id}/Recording/")
            await plivo.callbacks_settled()
            assert {attempt["status"] for attempt in plivo.state()["deliveries"]} == {200}
            assert plivo.executions("standup") == 1
        assert (await user.post("/other/conferences/standup/recording")).status_code == 404


async def test_tracker_of_another_account_asks_nothing_about_a_recording_in_a_shared_store(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    nobody = "http://127.0.0.1:9/plivo"
    async with account(1) as mine, account(2) as other, client_of(mine) as client, client_of(other) as other_client:
        store = SQLiteStore(path)
        async with RecordingTracker(client, public_url=nobody, store=store, tracking=SHORT_INTERVALS) as tracker:
            start_id = (await tracker.start("standup")).start_id
        for public_url in (nobody, None):
            async with RecordingTracker(other_client, public_url, store=store, tracking=SHORT_INTERVALS) as tracker:
                await other.open_conference("standup")
                await other.end_conference("standup")
                record = await wait_for_state(store, start_id, "started", "unconfirmed")
                for _ in range(5):  # each time that the record becomes due
                    record = await store.watch(start_id, version=record.version) or record
                assert [status async for status in tracker.reconcile()] == []
        assert other.requests == []
        async with RecordingTracker(client, public_url=nobody, store=store, tracking=SHORT_INTERVALS):
            await mine.end_conference("standup")
            assert (await wait_for_state(store, start_id, "recorded")).state == "recorded"
