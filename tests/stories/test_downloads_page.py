"""The recipe of docs/howto/downloads.md copies a whole recording to object storage, or nothing."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import attrs
import pytest
from blockbuster import BlockBuster
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from plivo_record_async import DownloadError, RecordClient, RecordingEnded
from plivo_record_async.transport.downloads import transfer
from tests.support.servers.asgi_server import serving
from tests.support.servers.media_server import FILE, MediaServer, Reply

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "downloads.md").read_text(encoding="utf-8")


@pytest.fixture
def page(tmp_path: Path, blockbuster: BlockBuster, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the file ``copying.py`` of the page."""
    blockbuster.deactivate()  # the page is written to a file and imported
    monkeypatch.setattr(transfer, "_FIRST_PAUSE", 0.001)
    [source] = re.findall(r"^```py\n(# copying.py\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "copying.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("copying", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@attrs.define(eq=False)
class ObjectStorage:
    """A service that keeps an object when the whole body of its PUT has arrived.

    Attributes:
        url: The address of the service.
        objects: The objects that were stored.
        headers: The headers of the last PUT.
    """

    url: str = ""
    objects: list[bytes] = attrs.field(factory=list[bytes])
    headers: dict[str, str] = attrs.field(factory=dict[str, str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.headers = dict(request.headers)
        try:
            self.objects.append(await request.body())
        except ClientDisconnect:
            return
        await Response(status_code=200)(scope, receive, send)


@pytest.fixture
async def storage() -> AsyncIterator[ObjectStorage]:
    storage = ObjectStorage()
    async with serving(storage, lifespan="off") as storage.url:
        yield storage


async def copy(page: ModuleType, storage: ObjectStorage, *replies: Reply) -> None:
    async with (
        MediaServer.serving(*replies) as server,
        RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", base_url=server.url) as client,
    ):
        await page.copy(client, RecordingEnded(record_url=f"{server.url}/r.mp3"), f"{storage.url}/bucket/r.mp3")


async def test_broken_connection_does_not_break_the_copy(page: ModuleType, storage: ObjectStorage) -> None:
    headers = {"Content-Type": "audio/mpeg"}
    await copy(page, storage, Reply(headers=headers, cut_after=300_000), Reply(cut_after=300_000), Reply())
    assert storage.objects == [FILE]
    assert (storage.headers["content-type"], storage.headers["content-length"]) == ("audio/mpeg", str(len(FILE)))


async def test_recording_that_cannot_be_continued_is_not_stored(page: ModuleType, storage: ObjectStorage) -> None:
    with pytest.raises(DownloadError, match="cannot continue"):
        await copy(page, storage, Reply(cut_after=300_000, etag=None), Reply(etag=None))
    assert storage.objects == []


async def test_what_is_no_recording_is_not_stored(page: ModuleType, storage: ObjectStorage) -> None:
    with pytest.raises(DownloadError, match="neither mp3 nor wav"):
        await copy(page, storage, Reply(data=b"<html></html>"))
    assert storage.objects == []
