"""The whole tree of errors: its drawing is correct, and its data survives pickling, copying and JSON."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
from collections.abc import Callable

import pytest

from plivo_record_async import errors
from plivo_record_async.errors import PlivoRecordError
from tests.support.samples.error_examples import EXAMPLES, STATUS, TIME

TWINS: list[Callable[[PlivoRecordError], PlivoRecordError]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda error, v=version: pickle.loads(pickle.dumps(error, v)) for version in range(pickle.HIGHEST_PROTOCOL + 1)),
]


def tree(cls: type[Exception]) -> set[type[Exception]]:
    return {cls}.union(*(tree(child) for child in cls.__subclasses__()))


def test_every_class_of_the_tree_has_an_example() -> None:
    public = {
        cls for cls in tree(PlivoRecordError) if cls.__module__.startswith(errors.__name__) and cls.__name__[0] != "_"
    }
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


def test_every_argument_is_an_attribute() -> None:
    for error, _ in EXAMPLES:
        names = set(inspect.signature(type(error).__init__).parameters) - {"self"}
        if names != {"message"}:
            lost = {name for name in names if not hasattr(error, name)} - {"message"}
            assert lost == set()


def test_status_is_an_http_status_wherever_it_exists() -> None:
    statuses = [getattr(error, "status") for error, _ in EXAMPLES if hasattr(error, "status")]  # noqa: B009 - not of all
    assert len(statuses) > 10
    assert all(status is None or 200 <= status < 600 for status in statuses)


def test_docstring_draws_the_real_exception_tree() -> None:
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
def test_error_can_be_written_as_json_with_all_its_attributes(error: PlivoRecordError, _: list[str]) -> None:
    error = copy.copy(error)
    error.add_note("a note of the caller's")
    written = json.loads(json.dumps(error.to_dict(), allow_nan=False))
    public = {name for name in vars(error) if not name.startswith("_")}
    assert written.keys() == {"type", "error"} | public | ({"status"} if getattr(error, "status", None) else set())
    assert (written["type"], written["error"]) == (type(error).__name__, str(error))
    for name in public:
        value = getattr(error, name)
        assert written[name] == {TIME: TIME.isoformat(), STATUS: STATUS.to_dict()}.get(value, value)
