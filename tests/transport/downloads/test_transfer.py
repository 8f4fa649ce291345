"""The transfer of a file over requests that fail; `test_download` has what is written to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from plivo_record_async.errors import DownloadError, DownloadRefusedError
from plivo_record_async.protocol.media.hosts import MediaHosts
from plivo_record_async.protocol.media.resuming import RemoteFile
from plivo_record_async.settings import Settings
from plivo_record_async.transport.connectors.media import MediaOpener
from plivo_record_async.transport.downloads import transfer as module
from plivo_record_async.transport.downloads.transfer import Transfer
from plivo_record_async.transport.observed_call import ObservedCall
from tests.support.servers.media_server import FILE, MediaServer, Reply

CUT = 300_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.5)


def transfer_from(server: MediaServer, *, wait: float = 0, max_size: int = 10**9) -> Transfer:
    settings = Settings(auth_id="MA" + "X" * 18, auth_token="token", base_url=server.url)
    opener = MediaOpener(settings=settings, hosts=MediaHosts.read(server.url, []))
    observed = ObservedCall(operation="download_recording", description="a download", attempts=0)
    return Transfer(opener=opener, url=f"{server.url}/r.mp3", wait=wait, max_size=max_size, observed=observed)


async def result_of(transfer: Transfer) -> bytes:
    data = bytearray()
    async with aclosing(transfer.pieces()) as pieces:
        async for piece in pieces:
            if isinstance(piece, RemoteFile):
                data.clear()
            else:
                data += piece
    return bytes(data)


async def test_whole_file_arrives_in_one_request() -> None:
    async with MediaServer.serving() as server:
        transfer = transfer_from(server)
        assert await result_of(transfer) == FILE
        assert (transfer.received, transfer.status) == (len(FILE), 200)
        assert transfer.remote == RemoteFile(etag='"v1"', length=len(FILE))
    [request] = server.requests
    assert request["accept-encoding"] == "identity"
    assert "authorization" not in request


async def test_file_without_an_announced_length_is_accepted() -> None:
    async with MediaServer.serving(Reply(chunked=True)) as server:
        assert await result_of(transfer_from(server)) == FILE


async def test_file_of_a_few_bytes_is_checked_at_its_end() -> None:
    async with MediaServer.serving(Reply(data=b"\xff\xfb\x90\x00")) as server:
        assert await result_of(transfer_from(server)) == b"\xff\xfb\x90\x00"


async def test_connection_that_is_cut_again_and_again_is_resumed_where_it_ended() -> None:
    async with MediaServer.serving(*[Reply(cut_after=CUT)] * 3, Reply()) as server:
        assert await result_of(transfer_from(server)) == FILE
    first, *others = server.ranges
    assert first is None
    starts = [int((each or "").removeprefix("bytes=").rstrip("-")) for each in others]
    assert starts == sorted(starts)
    assert len(starts) >= 3
    assert all(request["if-range"] == '"v1"' for request in server.requests[1:])


async def test_time_and_length_identify_a_file_without_an_entity_tag() -> None:
    reply = Reply(etag=None, last_modified="Thu, 01 Jan 2026 12:00:00 GMT", cut_after=CUT)
    async with MediaServer.serving(reply, Reply(etag=None, last_modified=reply.last_modified)) as server:
        assert await result_of(transfer_from(server)) == FILE
    assert server.ranges[1] is not None


async def test_file_that_has_changed_begins_again() -> None:
    changed = b"ID3" + bytes(50_000)
    async with MediaServer.serving(Reply(cut_after=CUT), Reply(data=changed, etag='"v2"')) as server:
        assert await result_of(transfer_from(server)) == changed


@pytest.mark.parametrize(
    "first", [Reply(cut_after=CUT, etag=None), Reply(cut_after=CUT, etag='W/"v1"')], ids=["no tag", "weak tag"]
)
async def test_file_that_nothing_identifies_begins_again(first: Reply) -> None:
    async with MediaServer.serving(first, Reply()) as server:
        assert await result_of(transfer_from(server)) == FILE
    assert server.ranges == [None, None]


async def test_entity_tag_that_cannot_be_sent_back_identifies_nothing() -> None:
    tag = '"\xe9"'
    async with MediaServer.serving(Reply(cut_after=CUT, etag=tag), Reply(etag=tag)) as server:
        assert await result_of(transfer_from(server)) == FILE
    assert server.ranges == [None, None]


@pytest.mark.parametrize("encoding", ["identity", "Identity", " IDENTITY "])
async def test_file_that_is_not_compressed_is_accepted(encoding: str) -> None:
    async with MediaServer.serving(Reply(headers={"Content-Encoding": encoding})) as server:
        assert await result_of(transfer_from(server)) == FILE


async def test_rest_of_a_file_that_is_too_long_is_refused() -> None:
    async with MediaServer.serving(Reply(cut_after=CUT), Reply(status=500)) as server:
        first = transfer_from(server)
        with pytest.raises(DownloadError):
            await result_of(first)
        server.replies = [Reply()]
        second = transfer_from(server, max_size=len(FILE) - 1)
        second.remote, second.received = first.remote, first.received
        with pytest.raises(DownloadRefusedError, match="max_download"):
            await result_of(second)
        assert server.ranges[-1] is not None


async def test_server_without_ranges_sends_the_whole_file_again() -> None:
    async with MediaServer.serving(Reply(cut_after=CUT), Reply(ranges=False)) as server:
        assert await result_of(transfer_from(server)) == FILE


async def test_wrong_range_is_not_appended() -> None:
    wrong = Reply(status=206, headers={"Content-Range": f"bytes 0-{len(FILE) - 1}/{len(FILE)}"})
    async with MediaServer.serving(Reply(cut_after=CUT), wrong, Reply()) as server:
        assert await result_of(transfer_from(server)) == FILE
    assert server.ranges[2] is None


async def test_part_that_is_the_whole_file_already_is_complete() -> None:
    async with MediaServer.serving() as server:
        transfer = transfer_from(server)
        transfer.received, transfer.remote = len(FILE), RemoteFile(etag='"v1"', length=len(FILE))
        assert await result_of(transfer) == b""
    assert transfer.status == 416


@pytest.mark.parametrize(
    "reply",
    [Reply(cut_after=0), Reply(cut_after=0, etag=None), Reply(status=503), Reply(status=429), Reply(status=408)],
    ids=["cut", "cut without a tag", "503", "429", "408"],
)
async def test_transfer_that_makes_no_progress_is_given_up(reply: Reply) -> None:
    async with MediaServer.serving(reply) as server:
        with pytest.raises(DownloadError) as caught:
            await result_of(transfer_from(server))
    assert not isinstance(caught.value, DownloadRefusedError)
    assert len(server.requests) == 6
    assert (caught.value.status, caught.value.received) == (reply.status, 0)


async def test_server_that_stops_sending_is_a_broken_connection() -> None:
    async with MediaServer.serving(Reply(cut_after=CUT, stalls=True), Reply()) as server:
        assert await result_of(transfer_from(server)) == FILE
    assert server.ranges[1] is not None


async def test_server_that_cannot_be_reached_is_given_up() -> None:
    async with MediaServer.serving() as server:
        pass
    with pytest.raises(DownloadError, match="could not be downloaded") as caught:
        await result_of(transfer_from(server))
    assert caught.value.status is None


async def test_file_that_is_not_ready_is_awaited() -> None:
    async with MediaServer.serving(Reply(status=404), Reply(status=404), Reply()) as server:
        assert await result_of(transfer_from(server, wait=30)) == FILE


async def test_last_request_for_a_file_that_is_not_ready_is_at_the_end_of_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 60.0)
    monkeypatch.setattr(module, "_MAX_PAUSE", 60.0)
    async with MediaServer.serving(Reply(status=404), Reply()) as server:
        async with asyncio.timeout(10):
            assert await result_of(transfer_from(server, wait=0.2)) == FILE


async def test_long_wait_does_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_DOUBLINGS", 1)
    monkeypatch.setattr(module, "_MAX_PAUSE", 0.0)
    async with MediaServer.serving(*[Reply(status=404)] * 50, Reply()) as server:
        assert await result_of(transfer_from(server, wait=1e9)) == FILE


async def test_file_that_never_becomes_ready_is_given_up_after_the_wait() -> None:
    async with MediaServer.serving(Reply(status=404)) as server:
        with pytest.raises(DownloadError, match="no such file") as caught:
            await result_of(transfer_from(server, wait=0.05))
    assert caught.value.status == 404
    assert len(server.requests) > 1


@pytest.mark.parametrize("status", [400, 403, 410, 204])
async def test_other_statuses_end_the_transfer(status: int) -> None:
    async with MediaServer.serving(Reply(status=status)) as server:
        with pytest.raises(DownloadError) as caught:
            await result_of(transfer_from(server))
    assert caught.value.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(data=b"<html>not here</html>", headers={"Content-Type": "text/html"}),
        Reply(data=b""),
        Reply(data=b"<"),
        Reply(headers={"Content-Encoding": "gzip"}),
        Reply(announced=-1000),
    ],
    ids=["html", "empty", "one byte", "encoded", "longer than announced"],
)
async def test_content_that_is_not_a_recorded_file_is_refused(reply: Reply) -> None:
    async with MediaServer.serving(reply) as server:
        with pytest.raises(DownloadRefusedError):
            await result_of(transfer_from(server))


@pytest.mark.parametrize("chunked", [False, True])
async def test_file_that_is_too_long_is_refused(chunked: bool) -> None:
    async with MediaServer.serving(Reply(chunked=chunked)) as server:
        with pytest.raises(DownloadRefusedError, match="max_download"):
            await result_of(transfer_from(server, max_size=len(FILE) - 1))
        assert await result_of(transfer_from(server, max_size=len(FILE))) == FILE


async def test_host_that_is_not_allowed_is_refused_without_a_request() -> None:
    async with MediaServer.serving() as server:
        transfer = transfer_from(server)
        transfer.url = "https://evil.example/r.mp3"
        with pytest.raises(DownloadRefusedError, match="media_hosts"):
            await result_of(transfer)
    assert server.requests == []


async def test_redirect_to_a_host_that_is_not_allowed_is_refused() -> None:
    moved = Reply(status=302, headers={"Location": "https://evil.example/r.mp3"})
    async with MediaServer.serving(moved) as server:
        with pytest.raises(DownloadRefusedError, match=r"evil\.example are not allowed"):
            await result_of(transfer_from(server))


@pytest.mark.parametrize(("status", "advice"), [(401, "Check auth_id"), (503, "Call again later")])
async def test_error_says_what_to_do(status: int, advice: str) -> None:
    async with MediaServer.serving(Reply(status=status)) as server:
        with pytest.raises(DownloadError, match=advice):
            await result_of(transfer_from(server))
    async with MediaServer.serving(Reply(cut_after=CUT), Reply(status=403)) as server:
        kept = transfer_from(server)
        kept.path = Path("r.mp3")
        with pytest.raises(DownloadError, match="Check auth_id"):
            await result_of(kept)
        kept.status = 503
        assert "Call again to resume" in str(kept.failed("it broke"))


@pytest.mark.parametrize(("length", "error"), [(5, DownloadRefusedError), (len(FILE) + 5, DownloadError)])
async def test_body_of_another_length_than_a_transport_announces_is_refused(
    length: int, error: type[DownloadError]
) -> None:
    """Transports of users do not always compare the length."""

    class Unchecked(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, headers={"Content-Length": str(length), "ETag": '"v1"'}, content=Body())

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield FILE

    async with MediaServer.serving() as server:
        transfer = transfer_from(server)
        transfer.opener.transport = Unchecked()
        with pytest.raises(error):
            await result_of(transfer)
