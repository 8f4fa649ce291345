"""The official ``plivo`` package for Node.js works with the emulator as with Plivo."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from plivo_record_async.emulator import Emulator
from tests.support.official_node_sdk import NodeSdk, NodeSdkError, node_environment
from tests.support.other_sdks_page import write_file
from tests.support.servers.callback_server import CallbackServer, ReceivedCallback


@pytest.fixture
def sdk(plivo_emulator: Emulator, tmp_path: Path) -> Iterator[NodeSdk]:
    environment = node_environment(plivo_emulator.auth_id, plivo_emulator.auth_token, plivo_emulator.url)
    with NodeSdk.running(environment, write_file("plivo-local.js", tmp_path)) as running:
        yield running


def test_node_sdk_starts_and_stops(sdk: NodeSdk, plivo_emulator: Emulator) -> None:
    started = sdk.call("conferences.record", "My Conf Room", {"fileFormat": "wav"})
    assert started["message"] == "conference recording started"
    assert started["url"].endswith(f"/{started['recordingId']}.wav")
    assert plivo_emulator.executions("My Conf Room") == 1
    sdk.call("conferences.stopRecording", "My Conf Room")
    assert plivo_emulator.state()["conferences"]["My Conf Room"]["recording"] is False


def test_node_sdk_lists_returns_and_deletes(sdk: NodeSdk) -> None:
    started = sdk.call("conferences.record", "standup", {})
    assert sdk.call("conferences.list")["conferences"] == ["standup"]
    conference = sdk.call("conferences.get", "standup")
    assert (conference["conferenceName"], conference["conferenceMemberCount"]) == ("standup", "1")
    sdk.call("conferences.stopRecording", "standup")
    [row] = sdk.call("recordings.list", {"limit": 5})
    assert (row["recordingId"], row["conferenceName"]) == (started["recordingId"], "standup")
    assert sdk.call("recordings.get", started["recordingId"])["recordingUrl"] == started["url"]
    sdk.call("recordings.delete", started["recordingId"])
    with pytest.raises(NodeSdkError) as caught:
        sdk.call("recordings.get", started["recordingId"])
    assert caught.value.status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_node_sdk_accepts_the_signatures_of_callbacks(
    sdk: NodeSdk, plivo_emulator: Emulator, method: str
) -> None:
    async with CallbackServer.listening() as receiver:
        options = {"callbackUrl": f"{receiver.url}/ended?mine=a%26b", "callbackMethod": method}
        spawned = await asyncio.to_thread(sdk.call, "conferences.record", "My Conf Room", options)
        assert spawned["message"] == "async api spawned"
        response = await receiver.received.get()
        await plivo_emulator.end_conference("My Conf Room")
        ended = await receiver.received.get()
    assert json.loads(response.fields["response"])["api_id"] == spawned["apiId"]
    assert ended.fields["conference_name"] == "My Conf Room"
    for each in (response, ended):
        for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3"):
            assert await accepted(sdk, each, receiver.url, plivo_emulator.auth_token, name)
            assert not await accepted(sdk, each, receiver.url, "another-token", name)


async def accepted(sdk: NodeSdk, received: ReceivedCallback, url: str, auth_token: str, header: str) -> bool:
    """Return whether the SDK accepts one of the signatures of a callback."""
    form = received.fields if received.method == "POST" else {}
    nonce, signature = received.headers["x-plivo-signature-v3-nonce"], received.headers[header]
    verdict: bool = await asyncio.to_thread(
        sdk.call, "validateV3Signature", received.method, url + received.target, nonce, auth_token, signature, form
    )
    return verdict


def test_node_sdk_raises_the_errors_of_the_emulator(sdk: NodeSdk, plivo_emulator: Emulator) -> None:
    with pytest.raises(NodeSdkError) as caught:
        sdk.call("conferences.record", "x", {"fileFormat": "ogg"})
    assert caught.value.status == 400
    sdk.call("conferences.record", "ended", {})
    asyncio.run(plivo_emulator.end_conference("ended"))
    with pytest.raises(NodeSdkError) as caught:
        sdk.call("conferences.stopRecording", "ended")
    assert caught.value.status == 404
    assert plivo_emulator.executions("x") == 0


def test_node_sdk_starts_three_times_after_one_failure(sdk: NodeSdk, plivo_emulator: Emulator) -> None:
    plivo_emulator.fail_next(503, executed=True, times=3)
    with pytest.raises(NodeSdkError, match="status code 503"):
        sdk.call("conferences.record", "x", {})
    assert plivo_emulator.executions("x") == 3
