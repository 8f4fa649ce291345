"""The head of a request: what is read from it, and what is rejected because of it."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.errors import CallbackRejectedError
from plivo_record_async.protocol.callbacks.url_tokens import issue_url
from plivo_record_async.tracking.receiving.request_head import (
    LONGEST_BODY,
    ClientDisconnectedError,
    RequestBody,
    Scope,
    read_head,
)

TOKEN = "the-auth-token"
QUERY = issue_url("", "recording", "start-1", TOKEN).partition("?")[2].encode()
SIGNED = {"x-plivo-signature-v3": "c2ln", "x-plivo-signature-v3-nonce": "1"}


def scope(headers: dict[str, str] | None = None, **more: Any) -> Scope:
    given = {"content-type": "application/x-www-form-urlencoded", "content-length": "3", **SIGNED, **(headers or {})}
    return {
        "method": "POST",
        "path": "/plivo/recording",
        "query_string": QUERY,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        **more,
    }


def test_issued_url_names_its_start_and_kind() -> None:
    head = read_head(scope(), [TOKEN])
    assert (head.path, head.start_id, head.query) == ("recording", "start-1", QUERY.decode())
    assert (head.signature_headers.nonce, head.signature_headers.signatures) == ("1", {"x-plivo-signature-v3": "c2ln"})


def test_url_without_a_token_names_no_start() -> None:
    for query in (b"", b"a=b"):
        assert read_head(scope(query_string=query), [TOKEN]).start_id is None


def test_headers_that_come_twice_are_one_list() -> None:
    request = scope()
    request["headers"].append((b"X-Plivo-Signature-V3", b"YQ=="))
    assert read_head(request, [TOKEN]).signature_headers.signatures["x-plivo-signature-v3"] == "c2ln,YQ=="


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (scope(method="GET"), 405),
        (scope(path="/plivo/recordings"), 404),
        (scope(path="/"), 404),
        (scope(path="/a#b/recording"), 400),
        (scope(raw_path=b"/plivo/recording#"), 400),
        (scope(query_string=b"a=b#" + QUERY), 400),
        (scope(query_string=b"ab&" * 2731), 400),
        (scope({"x-plivo-signature-v3": ""}), 403),
        (scope({"x-plivo-signature-v3-nonce": ""}), 403),
        (scope({"x-plivo-signature-v3-nonce": "1.2"}), 403),
        (scope({"x-plivo-signature-v3-nonce": "1" * 2049}), 403),
        (scope({"x-plivo-signature-ma-v3": "a" * 2049}), 403),
        (scope({f"x-plivo-signature-{number}": "" for number in range(17)}), 403),
        (scope({"content-type": "application/json"}), 400),
        (scope({"content-length": str(LONGEST_BODY + 1)}), 413),
        (scope({"content-length": "9" * 5000}), 413),
    ],
)
def test_request_that_cannot_be_a_callback_is_rejected(request_: Scope, status: int) -> None:
    with pytest.raises(CallbackRejectedError) as refused:
        read_head(request_, [TOKEN])
    assert refused.value.status == status
    assert len(str(refused.value)) < 170
    assert request_["query_string"] == b""


@pytest.mark.parametrize(
    "request_",
    [
        scope(query_string=QUERY[:-1]),
        scope(query_string=QUERY + b"&" + QUERY),
        scope(path="/plivo/transcription"),
    ],
)
def test_a_url_without_a_valid_proof_names_no_start_and_is_not_logged(request_: Scope) -> None:
    assert read_head(request_, [TOKEN]).start_id is None
    assert request_["query_string"] == b""


@pytest.mark.parametrize(("path", "query"), [("/recording/", QUERY), ("/a/b/c/recording", b"")])
def test_a_framework_may_change_the_path(path: str, query: bytes) -> None:
    assert read_head(scope(path=path, query_string=query), [TOKEN]).path == "recording"


def test_logged_query_contains_no_proof() -> None:
    request = scope(query_string=b"a=b&" + QUERY + b"&c=d")
    read_head(request, [TOKEN])
    assert request["query_string"] == b"a=b&plivo_record_start=start-1&c=d"


@pytest.mark.parametrize(
    ("headers", "is_over"),
    [
        ([(b"content-length", b"0")], True),
        ([], False),
        ([(b"content-length", b"1")], False),
        ([(b"transfer-encoding", b"chunked")], False),
    ],
)
async def test_a_request_may_have_a_body_unless_it_says_that_it_has_none(headers: Any, is_over: bool) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"a"}

    request_body = RequestBody({"headers": headers}, receive)
    assert request_body.is_over == is_over
    await request_body.discard()
    assert request_body.is_over


async def test_body_of_a_disconnected_client_raises_client_disconnected_error() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnectedError):
        await RequestBody({"headers": [(b"content-length", b"1")]}, receive).chunk()
