"""Each recipe of docs/howto/frameworks.md, as it stands there, in a server of its own, against the emulator.

The page's blocks are marked ``py``, not ``python``: they are modules of their own and run here only.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from blockbuster import BlockBuster

from plivo_record_async import RecordClient, RecordingTracker, SQLiteStore
from plivo_record_async.emulator import Emulator

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "frameworks.md"
RECIPES = {
    title: re.findall(r"```py\n# ([\w.]+)(.*?)```", section, re.DOTALL)
    for title, section in re.findall(
        r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
}
SHARED = re.findall(r"```py\n# (recordings.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

UVICORN = ["-m", "uvicorn", "--log-level", "warning", "--port"]
DJANGO_SETTINGS = """
from django.conf import settings
settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], SECRET_KEY="not-one")
"""
DJANGO_URLS = """
from django.urls import path
from views import record
urlpatterns = [path("rooms/<str:room>", record)]
"""


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


def test_every_recipe_is_short() -> None:
    lengths = {
        (title, name): sum(bool(line.strip()) for line in text.splitlines()[1:])
        for title, blocks in RECIPES.items()
        for name, text in blocks
    }
    assert len(lengths) == 8
    in_asgi = {key: length for key, length in lengths.items() if not key[0].startswith("Without")}
    assert max(in_asgi.values()) <= 15


@pytest.mark.parametrize(
    ("title", "application", "files"),
    [
        ("FastAPI", "app:app", {}),
        ("Starlette", "app:app", {}),
        ("Litestar", "app:app", {}),
        ("Quart", "app:app", {}),
        ("Django", "asgi:app", {"sitecustomize.py": DJANGO_SETTINGS, "urls.py": DJANGO_URLS}),
    ],
)
async def test_a_recording_is_followed_to_its_end(
    blockbuster: BlockBuster,
    tmp_path: Path,
    unused_tcp_port: int,
    *,
    title: str,
    application: str,
    files: dict[str, str],
) -> None:
    blockbuster.deactivate()  # it starts and ends a process
    lay_out(tmp_path, title, files)
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with Emulator() as plivo:
        with served(tmp_path, [*UVICORN, str(unused_tcp_port), application], unused_tcp_port, plivo):
            async with httpx.AsyncClient(base_url=url, timeout=20) as user:
                started = (await user.post("/rooms/standup")).raise_for_status().json()
                forged = await user.post("/plivo/recording", content=b"record_url=https://evil.example")
            assert forged.status_code == 403
            await plivo.end_conference("standup")
            # Another process, on the same file, sees what the server heard.
            async with RecordClient(plivo.auth_id, plivo.auth_token, base_url=plivo.url) as client:
                store = SQLiteStore(tmp_path / "recordings.db")
                async with RecordingTracker(client, public_url=f"{url}/plivo", store=store) as tracker:
                    ended = await (await tracker.get(started["start_id"])).recorded(timeout=20)
        assert ended.conference_name == "standup"
        assert plivo.executions("standup") == 1


@pytest.mark.parametrize(
    ("title", "arguments"),
    [
        ("Without ASGI: aiohttp", ["-m", "aiohttp.web", "app:make_app", "-P"]),
        ("Without asyncio: Flask", ["-m", "flask", "--app", "app", "run", "--port"]),
    ],
)
async def test_callbacks_are_verified_and_acknowledged(
    blockbuster: BlockBuster, tmp_path: Path, unused_tcp_port: int, title: str, arguments: list[str]
) -> None:
    blockbuster.deactivate()  # it starts and ends a process
    lay_out(tmp_path, title, {})
    async with Emulator() as plivo:
        with served(tmp_path, [*arguments, str(unused_tcp_port)], unused_tcp_port, plivo):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", timeout=20) as user:
                (await user.post("/rooms/standup")).raise_for_status()
                forged = await user.post("/plivo/callback", data={"record_url": "https://evil.example"})
            await plivo.end_conference("standup")
            await plivo.callbacks_settled()
        assert forged.status_code == 403
        delivered = [(delivery["kind"], delivery["status"]) for delivery in plivo.state()["deliveries"]]
        assert sorted(delivered) == [("recording", 200), ("response", 200)]
