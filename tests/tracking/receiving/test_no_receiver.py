"""The answer of a tracker that receives no callbacks."""

from __future__ import annotations

import httpx
import pytest

from plivo_record_async.tracking.receiving.no_receiver import NoReceiver


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_every_request_is_answered_with_404_and_an_explanation(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    transport = httpx.ASGITransport(app=NoReceiver())
    async with httpx.AsyncClient(transport=transport, base_url="http://me.example") as sender:
        response = await sender.request(method, "/plivo/recording?plivo_record_start=a", content=b"x" * 10_000)
    assert response.status_code == 404
    assert response.headers["connection"] == "close"
    assert "created without a public_url" in response.text
    assert "the tracker has no public_url" in caplog.text
