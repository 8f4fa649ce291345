"""The text of each error for each operation, as a table of operations, responses and texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from plivo_record_async import NotSentError, OutcomeUnknownError, PlivoRecordError, RecordClient

CALLBACK = "https://me.example/plivo"

CALLS: dict[str, Callable[[RecordClient], Awaitable[Any]]] = {
    "start": lambda client: client.start_recording("standup"),
    "asynchronous start": lambda client: client.start_recording("standup", callback_url=CALLBACK),
    "stop": lambda client: client.stop_recording("standup"),
    "asynchronous stop": lambda client: client.stop_recording("standup", callback_url=CALLBACK),
    "get_conference": lambda client: client.get_conference("standup"),
    "list_conferences": lambda client: client.list_conferences(),
    "get_recording": lambda client: client.get_recording("rec-1"),
    "delete_recording": lambda client: client.delete_recording("rec-1"),
    "get_transcription": lambda client: client.get_transcription("rec-1"),
    "create_transcription": lambda client: client.create_transcription("rec-1"),
    "list_recordings": lambda client: anext(client.list_recordings()),
}
STARTS = {"start", "asynchronous start"}
OF_A_CONFERENCE = STARTS | {"stop", "asynchronous stop", "get_conference"}
BILLED = STARTS | {"create_transcription"}
OF_A_RECORDING = {"get_recording", "delete_recording", "create_transcription"}
OF_A_TRANSCRIPT = {"get_transcription"}

REFUSALS: dict[int, str] = {
    400: "Correct the arguments",
    401: "PLIVO_AUTH_TOKEN",
    402: "Correct the request",
    403: "allow-list",
    404: "",  # told by what it was about
    405: "base_url",
    409: "conflicts with the present state",
    410: "Correct the request",
    422: "Correct the arguments",
    429: "safe to call again after a pause of 2 s",
}
REDIRECTS = (301, 302, 307, 308)
FAILURES = (303, 408, 499, 500, 502, 503, 504)
ONLY_OF: dict[str, tuple[set[str], set[int]]] = {
    "somebody is in it": (OF_A_CONFERENCE, {404}),
    "no recording with this ID": (OF_A_RECORDING, {404}),
    "no transcript of this recording": (OF_A_TRANSCRIPT, {404}),
    "Correct the arguments": (set(CALLS), {400, 422}),
    "conflicts": (set(CALLS), {409}),
    "PLIVO_AUTH_TOKEN": (set(CALLS), {401}),
    "after a pause": (set(CALLS), {429}),
}
"""What is said of these operations and statuses, and of no others."""


async def error_of(call: str, answer: Callable[[httpx.Request], httpx.Response]) -> PlivoRecordError:
    """The error with which a call ends if it is answered so, once."""
    transport = httpx.MockTransport(answer)
    async with RecordClient("MAXXXXXXXXXXXXXXXXXX", "token", transport=transport, max_retries=0) as client:
        with pytest.raises(PlivoRecordError) as caught:
            await CALLS[call](client)
    return caught.value


def answering(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """Plivo's error with that status."""
    body = {"api_id": "api-1", "error": "the reason"}
    return lambda _: httpx.Response(status, headers={"Retry-After": "2"}, json=body)


def raising(error: httpx.HTTPError) -> Callable[[httpx.Request], httpx.Response]:
    """A connection that fails."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return fail


def assert_well_written(error: PlivoRecordError) -> None:
    words = str(error)
    assert words.endswith(".")
    assert not any(slip in words for slip in ("..", " .", "?.", ",.", ":.", ". .", "  ", "None"))
    assert words.count("(") == words.count(")")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", REFUSALS)
async def test_refusal_says_that_nothing_was_executed_and_what_to_correct(call: str, status: int) -> None:
    error = await error_of(call, answering(status))
    words = str(error)
    assert f"Plivo answered {status} (the reason), api_id api-1. " in words
    assert ("not executed" in words, "may have been executed" in words) == (True, False)
    assert REFUSALS[status] in words
    for said, (calls, statuses) in ONLY_OF.items():
        assert (said in words) == (call in calls and status in statuses), said
    if status == 404 and call not in OF_A_CONFERENCE | OF_A_RECORDING | OF_A_TRANSCRIPT:
        assert "Check base_url" in words
    assert_well_written(error)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_redirect_says_that_base_url_is_to_be_corrected(call: str, status: int) -> None:
    words = str(error := await error_of(call, answering(status)))
    assert f"Plivo answered {status} (the reason), api_id api-1. It was not executed. Correct base_url" in words
    assert_well_written(error)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", FAILURES)
async def test_a_failure_of_plivo_says_that_it_may_have_been_executed(call: str, status: int) -> None:
    error = await error_of(call, answering(status))
    words = str(error)
    assert f"Plivo answered {status} (the reason)" in words
    assert "may have been executed" in words or "may or may not have been executed" in words
    assert "was not executed" not in words
    assert ("Do not repeat it" in words) == (call in BILLED)
    assert ("repeating this request is harmless" in words or "It is safe to repeat" in words) == (call not in BILLED)
    assert ("client.list_recordings" in words) == (call in STARTS)
    assert ("client.get_transcription" in words) == (call == "create_transcription")
    assert_well_written(error)


@pytest.mark.parametrize("call", CALLS)
async def test_a_lost_answer_says_that_it_may_have_been_sent(call: str) -> None:
    error = await error_of(call, raising(httpx.ReadTimeout("")))
    words = str(error)
    assert isinstance(error, OutcomeUnknownError)
    assert "It may have been sent and executed (" in words
    assert "It was sent" not in words  # this transport does not tell
    assert ("Do not repeat it" in words, "It is safe to repeat" in words) == (call in BILLED, call not in BILLED)
    assert_well_written(error)


@pytest.mark.parametrize("call", CALLS)
async def test_a_failed_connection_says_that_nothing_was_sent(call: str) -> None:
    error = await error_of(call, raising(httpx.ConnectError("refused")))
    words = str(error)
    assert isinstance(error, NotSentError)
    assert "Nothing was sent (" in words
    assert "it is safe to call again" in words
    assert "base_url" in words
    assert_well_written(error)


@pytest.mark.parametrize("call", [call for call in CALLS if call != "delete_recording"])
async def test_a_success_that_carries_an_error_says_that_neither_is_certain(call: str) -> None:
    error = await error_of(call, lambda _: httpx.Response(200, json={"api_id": "api-1", "error": "the reason"}))
    words = str(error)
    assert "Plivo answered 200, but " in words
    assert "the reason" in words
    assert ("may have been executed all the same" in words) == (call in BILLED)
    assert ("It is safe to repeat" in words) == (call not in BILLED)
    assert_well_written(error)


@pytest.mark.parametrize("call", [call for call in CALLS if call != "delete_recording"])
async def test_an_unreadable_success_says_what_counts(call: str) -> None:
    error = await error_of(call, lambda _: httpx.Response(202, content=b"<html>"))
    words = str(error)
    assert "Plivo answered 202, but" in words
    assert ("counts as executed" in words, "It is safe to repeat" in words) == (call in BILLED, call not in BILLED)
    assert_well_written(error)
