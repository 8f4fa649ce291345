"""The errors: one tree, data kept through pickling and copying, and words that say what to do."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from plivo_record_async import errors
from plivo_record_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    CallbackRejectedError,
    ClosedError,
    ConfigurationError,
    MalformedCallbackError,
    MethodNotAllowedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    PlivoRecordError,
    RateLimitError,
    RecordingFailedError,
    ServerError,
    SignatureMismatchError,
    SignatureMissingError,
    StoreError,
    UnexpectedResponseError,
    UnknownStartError,
    WaitTimeoutError,
)
from plivo_record_async.protocol.models import RecordingStatus

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

STATUS = RecordingStatus(start_id="s", conference_name="standup", state="accepted", updated_at=TIME)


def refused(kind: type[ApiError], status: int, **more: Any) -> ApiError:
    return kind(status, "api-1", "no", '{"error": "no"}', operation="start of 'standup'", **more)


# One of each, with every attribute set, and the words that its text must have.
EXAMPLES: list[tuple[PlivoRecordError, list[str]]] = [
    (PlivoRecordError("something"), ["something"]),
    (ConfigurationError("auth_id is missing"), ["auth_id is missing"]),
    (
        NotSentError(
            "start of 'standup'",
            "ConnectError: refused",
            phase="connect",
            evidence="it ended before sending began",
            called_at=TIME,
            failed_at=TIME,
            attempts=3,
        ),
        ["start of 'standup'", "refused", "Nothing was sent", "safe to call again"],
    ),
    (
        OutcomeUnknownError(
            "start of 'standup'",
            "ReadTimeout",
            phase="answer",
            evidence="sending had begun",
            status=503,
            api_id="api-1",
            body="<html>",
            called_at=TIME,
            sent_at=TIME,
            failed_at=TIME,
            attempts=2,
        ),
        ["start of 'standup'", "ReadTimeout", "was sent", "may have been executed", "Do not repeat", "look for"],
    ),
    (
        OutcomeUnknownError("stop", "cut", phase="send", evidence="e", repeatable=True),
        ["It may have been sent and executed", "safe to repeat"],
    ),
    (refused(ApiError, 302), ["302", "(no)", "api_id api-1", "not executed", "Correct the request"]),
    (refused(BadRequestError, 400), ["400", "not executed", "Correct the arguments"]),
    (refused(AuthenticationError, 401), ["401", "not executed", "PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"]),
    (refused(PermissionDeniedError, 403), ["403", "not executed", "allow-list"]),
    (refused(NotFoundError, 404), ["404", "not executed", "Check base_url"]),
    (
        refused(NotFoundError, 404, missing="conference"),
        ["404", "not executed", "no conference of this name is live", "Check the name"],
    ),
    (refused(NotFoundError, 404, missing="recording"), ["404", "not executed", "no recording with this id"]),
    (refused(BadRequestError, 409), ["409", "not executed", "conflicts with the present state"]),
    (refused(RateLimitError, 429), ["429", "safe to call again after a pause, "]),
    (refused(MethodNotAllowedError, 405), ["405", "not executed", "base_url"]),
    (
        refused(RateLimitError, 429, retry_after=1.5),
        ["429", "not executed", "safe to call again after a pause of 1.5 s"],
    ),
    (refused(ServerError, 503), ["503", "may or may not have been executed", "repeating this request is harmless"]),
    (
        UnexpectedResponseError(202, "<html>", "its body is not JSON", operation="start of 'standup'"),
        ["202", "its body is not JSON", "Do not repeat it", "counts as executed"],
    ),
    (UnexpectedResponseError(204, "?", "x", repeatable=True), ["204", "safe to repeat"]),
    (CallbackRejectedError("no"), ["no"]),
    (SignatureMissingError("no signature"), ["no signature"]),
    (SignatureMismatchError("none fits"), ["none fits"]),
    (MalformedCallbackError("api_id twice"), ["api_id twice"]),
    (RecordingFailedError("refused", recording=STATUS), ["refused"]),
    (WaitTimeoutError("ran out", recording=STATUS), ["ran out"]),
    (
        UnknownStartError("start-9"),
        ["no start with the id 'start-9'", "id is wrong", "deleted", "MemoryStore", "Nothing was sent"],
    ),
    (ClosedError("the store is closed"), ["the store is closed"]),
    (StoreError("disk full"), ["disk full"]),
]

TWINS: list[Callable[[PlivoRecordError], PlivoRecordError]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda error, v=version: pickle.loads(pickle.dumps(error, v)) for version in range(pickle.HIGHEST_PROTOCOL + 1)),
]


def tree(cls: type[Exception]) -> set[type[Exception]]:
    return {cls}.union(*(tree(child) for child in cls.__subclasses__()))


def test_every_class_of_the_tree_has_an_example() -> None:
    public = {cls for cls in tree(PlivoRecordError) if cls.__module__ == errors.__name__ and cls.__name__[0] != "_"}
    assert public == {type(error) for error, _ in EXAMPLES}
    assert {cls.__name__ for cls in public} == set(errors.__all__) - {"Missing", "Phase"}


@pytest.mark.parametrize(("error", "words"), EXAMPLES)
def test_the_text_says_what_happened_and_what_to_do(error: PlivoRecordError, words: list[str]) -> None:
    for word in words:
        assert word in str(error)


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize(("error", "words"), EXAMPLES)
def test_errors_survive_pickling_and_copying(
    error: PlivoRecordError, words: list[str], twin: Callable[[PlivoRecordError], PlivoRecordError]
) -> None:
    other = twin(error)
    assert other is not error
    assert type(other) is type(error)
    assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize(
    "error",
    [OutcomeUnknownError("start", "cut", phase="send", evidence="e"), UnexpectedResponseError(200, "", "it is empty")],
)
def test_what_is_added_later_is_said_and_travels_too(error: OutcomeUnknownError | UnexpectedResponseError) -> None:
    assert error.start_id is None
    assert "client.list_recordings" in str(error)
    error.start_id = "start-1"
    assert "tracker.get('start-1')" in str(error)
    error.add_note("seen in the night")
    other = pickle.loads(pickle.dumps(error))
    assert (other.start_id, other.__notes__) == ("start-1", ["seen in the night"])


def test_every_argument_is_an_attribute() -> None:
    for error, _ in EXAMPLES:
        names = set(inspect.signature(type(error).__init__).parameters) - {"self"}
        if names != {"message"}:
            lost = {name for name in names if not hasattr(error, name)} - {"message"}
            assert lost == set()


def test_data_is_in_attributes() -> None:
    error = refused(RateLimitError, 429, retry_after=1.5)
    assert isinstance(error, RateLimitError)
    assert (error.status, error.api_id, error.message, error.body) == (429, "api-1", "no", '{"error": "no"}')
    assert (error.operation, error.retry_after) == ("start of 'standup'", 1.5)
    assert (NotSentError.status, NotSentError.api_id) == (None, None)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (CallbackRejectedError, 403),
        (SignatureMissingError, 403),
        (SignatureMismatchError, 403),
        (MalformedCallbackError, 400),
    ],
)
def test_a_rejected_callback_knows_what_to_answer(kind: type[CallbackRejectedError], status: int) -> None:
    assert kind("no").status == status


def test_a_wait_that_ran_out_is_a_timeout_too() -> None:
    error = WaitTimeoutError("ran out", recording=STATUS)
    assert isinstance(error, TimeoutError)
    assert error.recording is STATUS
    assert error.args == ("ran out",)


def test_an_unknown_start_is_a_failed_lookup_too() -> None:
    error = UnknownStartError("start-9")
    assert isinstance(error, LookupError)
    assert error.start_id == "start-9"


def test_status_is_an_http_status_wherever_it_exists() -> None:
    statuses = [getattr(error, "status") for error, _ in EXAMPLES if hasattr(error, "status")]  # noqa: B009 - not of all
    assert len(statuses) > 10
    assert all(status is None or 200 <= status < 600 for status in statuses)


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = dict[str, str]()
    path = ["PlivoRecordError"]
    for prefix, name in re.findall(r"^    ([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(prefix) // 4 + 1
        path[depth:] = [name]
        drawn[name] = path[depth - 1]
    for name, parent in drawn.items():
        assert issubclass(getattr(errors, name), getattr(errors, parent))
    assert set(drawn) | {"PlivoRecordError"} == set(errors.__all__) - {"Missing", "Phase"}
    assert drawn["RateLimitError"] == "ApiError"


@pytest.mark.parametrize(("error", "_"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_can_be_written_as_json_with_all_that_it_knows(error: PlivoRecordError, _: list[str]) -> None:
    error = copy.copy(error)
    error.add_note("a note of the caller's")
    written = json.loads(json.dumps(error.to_dict(), allow_nan=False))
    public = {name for name in vars(error) if not name.startswith("_")}
    assert written.keys() == {"type", "error"} | public | ({"status"} if getattr(error, "status", None) else set())
    assert (written["type"], written["error"]) == (type(error).__name__, str(error))
    for name in public:
        value = getattr(error, name)
        assert written[name] == {TIME: TIME.isoformat(), STATUS: STATUS.to_dict()}.get(value, value)


def test_the_status_to_answer_a_callback_with_is_written_too() -> None:
    assert SignatureMismatchError("no").to_dict() == {"type": "SignatureMismatchError", "error": "no", "status": 403}
