"""Each recipe of docs/howto/frameworks.md, as it stands there, in a server of its own, against the emulator.

The page's blocks are marked ``py``, not ``python``: they are modules of their own and run here only.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tokenize
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore, sign_callback_v3
from plivo_record_async.emulator import Emulator
from plivo_record_async.tracking.receiving.receiver import LONGEST_BODY

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "frameworks.md"
RECIPES = {
    title: re.findall(r"```py\n# ([\w.]+)(.*?)```", section, re.DOTALL)
    for title, section in re.findall(
        r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
}
SHARED = re.findall(r"```py\n# (recordings.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

UVICORN = ["-m", "uvicorn", "--log-level", "warning"]
AIOHTTP = "import sys, aiohttp.web, app; aiohttp.web.run_app(app.app, port=int(sys.argv[1]))"
DJANGO_SETTINGS = """
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], SECRET_KEY="not-one")
"""
DJANGO_URLS = """
from django.urls import path
from views import record
urlpatterns = [path("rooms/<str:room>", record)]
"""

STRAY = {"api_id": "not-ours", "message": "a + b & c=d/é", "error": ""}
"""What a genuine callback says that belongs to no recording that was started here."""


@contextlib.contextmanager
def served(folder: Path, arguments: list[str], port: int, plivo: Emulator) -> Generator[None]:
    """Run a recipe's server until it accepts connections, and end it afterwards."""
    environment = {
        **os.environ,
        "PLIVO_AUTH_ID": plivo.auth_id,
        "PLIVO_AUTH_TOKEN": plivo.auth_token,
        "PLIVO_BASE_URL": plivo.url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}/plivo",
        "PYTHONPATH": str(folder),
    }
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as server:
        try:
            wait_until_it_listens(server, port)
            yield
        finally:
            server.terminate()
            server.communicate(timeout=20)


def wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    while server.poll() is None:
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    assert server.stderr is not None
    pytest.fail(server.stderr.read().decode())


def lay_out(folder: Path, title: str, files: dict[str, str]) -> None:
    for name, text in [*SHARED, *((name, text.partition("\n")[2]) for name, text in RECIPES[title]), *files.items()]:
        (folder / name).write_text(text, encoding="utf-8")


async def called_back(user: httpx.AsyncClient, url: str, auth_token: str) -> httpx.Response:
    """Deliver ``STRAY``, signed for ``url``, as a proxy does that names the server by its inner address."""
    nonce = "12345678901234567890"
    signature = sign_callback_v3("POST", url, STRAY, nonce, auth_token)
    headers = {"Host": "10.0.0.7", "X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    return await user.post(url, data=STRAY, headers=headers)


async def called_back_with_get(user: httpx.AsyncClient, url: str, auth_token: str) -> httpx.Response:
    """Deliver ``STRAY``, signed for ``url``, as a proxy does that names the server by its inner address."""
    nonce = "12345678901234567890"
    signature = sign_callback_v3("GET", url, STRAY, nonce, auth_token)
    headers = {"Host": "10.0.0.7", "X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}
    return await user.get(f"{url}?{urlencode(STRAY)}", headers=headers)


def code_lines(text: str) -> int:
    """Count the lines of Python; a line that is wrapped to fit the page counts once."""
    tokens = tokenize.generate_tokens(io.StringIO(text.partition("\n")[2]).readline)
    return sum(token.type == tokenize.NEWLINE for token in tokens)


def test_every_recipe_is_short() -> None:
    lengths = {title: sum(code_lines(text) for _, text in blocks) for title, blocks in RECIPES.items()}
    assert len(lengths) == 7
    assert {title: length for title, length in lengths.items() if not 0 < length <= 15} == {}


@pytest.mark.parametrize(
    ("title", "arguments", "files"),
    [
        ("FastAPI", [*UVICORN, "app:app", "--port"], {}),
        ("Starlette", [*UVICORN, "app:app", "--port"], {}),
        ("Litestar", [*UVICORN, "app:app", "--port"], {}),
        ("Quart", [*UVICORN, "app:app", "--port"], {}),
        (
            "Django",
            [*UVICORN, "asgi:app", "--port"],
            {"sitecustomize.py": DJANGO_SETTINGS, "urls.py": DJANGO_URLS},
        ),
        ("aiohttp", ["-c", AIOHTTP], {}),
    ],
)
async def test_a_recording_is_followed_to_its_end(
    blockbuster: BlockBuster,
    tmp_path: Path,
    unused_tcp_port: int,
    *,
    title: str,
    arguments: list[str],
    files: dict[str, str],
) -> None:
    blockbuster.deactivate()  # it starts and ends a process
    lay_out(tmp_path, title, files)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with Emulator() as plivo:
        with served(tmp_path, [*arguments, str(unused_tcp_port)], unused_tcp_port, plivo):
            async with httpx.AsyncClient(base_url=url, timeout=20) as user:
                started = (await user.post("/rooms/standup")).raise_for_status().json()
                forged = await user.post("/plivo/recording", content=b"record_url=https://evil.example")
                overlong = await user.post("/plivo/recording", content=b"x" * (LONGEST_BODY + 1))
                stray = await called_back(user, f"{url}/plivo/recording", plivo.auth_token)
            assert [each.status_code for each in (forged, overlong, stray)] == [403, 413, 200]
            await plivo.end_conference("standup")
            await plivo.callbacks_settled()
        delivered = [(delivery["kind"], delivery["status"]) for delivery in plivo.state()["deliveries"]]
        assert sorted(delivered) == [("recording", 200), ("response", 200)]
        # The server has ended: what it acknowledged is in its file.
        async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
            store = SQLiteStore(tmp_path / "recordings.db")
            async with RecordingTracker(client, public_url=f"{url}/plivo", store=store) as tracker:
                ended = await (await tracker.get(started["start_id"])).recorded(timeout=20)
                assert [dict(orphan.event.raw) for orphan in await tracker.orphans()] == [STRAY]
        assert ended.conference_name == "standup"
        assert plivo.executions("standup") == 1


async def test_flask_stores_what_it_acknowledges(
    blockbuster: BlockBuster, tmp_path: Path, unused_tcp_port: int
) -> None:
    blockbuster.deactivate()  # it starts and ends a process
    lay_out(tmp_path, "Without asyncio: Flask", {})
    url = f"http://127.0.0.1:{unused_tcp_port}/plivo/callback"
    async with Emulator() as plivo:
        with served(
            tmp_path, ["-m", "flask", "--app", "app", "run", "--port", str(unused_tcp_port)], unused_tcp_port, plivo
        ):
            async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
                pending = await client.start_recording("standup", callback_url=url)
            async with httpx.AsyncClient(timeout=20) as user:
                forged = await user.post(url, data={"record_url": "https://evil.example"})
                overlong = await user.post(url, content=b"x" * (LONGEST_BODY + 1))
                stray = [await called_back_with_get(user, url, plivo.auth_token) for _ in range(2)]
            await plivo.end_conference("standup")
            await plivo.callbacks_settled()
        assert [each.status_code for each in (forged, overlong, *stray)] == [403, 413, 200, 200]
        delivered = [(delivery["kind"], delivery["status"]) for delivery in plivo.state()["deliveries"]]
    assert sorted(delivered) == [("recording", 200), ("response", 200)]
    # The server has ended: what it acknowledged is in its file, and what came twice is there once.
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as database:
        rows = database.execute("SELECT kind, fields FROM events").fetchall()
    assert [json.loads(fields) for _, fields in rows if STRAY["api_id"] in fields] == [STRAY]
    ours = sorted(kind for kind, fields in rows if pending.api_id in fields)
    assert ours == ["ApiResponse", "RecordingEnded"]
    assert len(rows) == 3
