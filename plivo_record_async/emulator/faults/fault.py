"""One fault, its arguments, and how it is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal, get_args

import attrs

__all__ = ["API_VERBS", "CALLBACK_VERBS", "Fault", "FaultTarget", "FaultVerb", "phrase_of"]

FaultTarget = Literal["start", "stop", "get", "list", "delete", "transcribe", "media", "api", "any", "callback"]
"""What a fault happens to. ``api`` is every request except for a file, and ``any`` is every request."""

ApiVerb = Literal["status", "reset_before_execution", "reset_after_execution", "stall", "cut", "delay"]
CallbackVerb = Literal["drop", "duplicate", "delay", "unsigned", "reorder"]
FaultVerb = Literal[ApiVerb, CallbackVerb, "randomly"]

API_VERBS: tuple[ApiVerb, ...] = get_args(ApiVerb)
CALLBACK_VERBS: tuple[CallbackVerb, ...] = get_args(CallbackVerb)

_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "status": frozenset({"status", "executed", "retry_after"}),
    "stall": frozenset({"executed"}),
    "delay": frozenset({"seconds"}),
    "randomly": frozenset({"rate"}),
}
_REQUIRED: Mapping[str, str] = {"status": "status", "delay": "seconds", "randomly": "rate"}
_LONGEST = 1_000_000_000
_ALL_ARGUMENTS = frozenset[str]().union(*_ARGUMENTS.values())


@attrs.frozen(kw_only=True)
class Fault:
    """One fault that was set.

    Attributes:
        id: The number of the fault.
        on: What it happens to.
        conference: The conference that it happens in. If None, in all.
        times: How often it will still happen. If None, until it is removed.
        do: What happens.
        status: Of ``status``: the HTTP status that is answered.
        executed: Of ``status`` and ``stall``: whether the request is executed nevertheless. Unless it is said
            otherwise, a stalled request is.
        retry_after: Of ``status``: the header ``Retry-After``. If None, the answer has none.
        seconds: Of ``delay``: how long to wait.
        rate: Of ``randomly``: how probable a fault is, from 0 to 1.
        happened: How often it has happened.
        active: Whether it can still happen.
    """

    id: int = 0
    on: FaultTarget = "any"
    conference: str | None = None
    times: int | None = None
    do: FaultVerb
    status: int | None = None
    executed: bool = False
    retry_after: str | None = None
    seconds: float | None = None
    rate: float | None = None
    happened: int = 0
    active: bool = True

    def __attrs_post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(problem)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Fault:
        """Return the fault that JSON describes.

        Args:
            given: ``on``, ``conference``, ``times``, ``do``, and the arguments of ``do``.

        Raises:
            ValueError: A name is unknown, or a value is invalid.
        """
        do: Any = given.get("do")
        if do not in get_args(FaultVerb):
            raise ValueError(f"do must be one of {', '.join(get_args(FaultVerb))}, not {do!r}")
        if "on" not in given and do != "randomly":
            raise ValueError(f"on is missing: one of {', '.join(get_args(FaultTarget))}")
        known = {"on", "conference", "times", "do"} | _ARGUMENTS.get(do, frozenset())
        if unknown := sorted(given.keys() - known):
            raise ValueError(f"{', '.join(map(repr, unknown))}: not known for {do}, only {', '.join(sorted(known))}")
        defaults: dict[str, Any] = {"executed": True} if do == "stall" else {}
        return cls(**defaults | dict(given))

    def concerns(self, operation: str | None, conference: str | None) -> bool:
        """Return whether the fault happens to this.

        Args:
            operation: The operation of a request, or ``callback``. If None, the request leads nowhere.
            conference: The conference that is concerned. If None, none is.
        """
        if self.conference not in {None, conference}:
            return False
        match self.on:
            case "any":
                return operation != "callback" or self.do == "randomly"
            case "api":
                return operation not in {"callback", "media"}
            case _:
                return operation == self.on

    def to_dict(self) -> dict[str, Any]:
        """Return the fault as JSON values, with the arguments that its verb has."""
        mine = _ARGUMENTS.get(self.do, frozenset())
        return {name: value for name, value in attrs.asdict(self).items() if name in mine or name not in _ALL_ARGUMENTS}

    def _problems(self) -> Iterator[str]:
        """Yield what is wrong with the fault."""
        if self.on not in get_args(FaultTarget):
            yield f"on must be one of {', '.join(get_args(FaultTarget))}, not {self.on!r}"
        verbs: tuple[str, ...] = CALLBACK_VERBS if self.on == "callback" else API_VERBS
        if self.do not in {*verbs, "randomly"}:
            yield f"{self.do!r} cannot happen to {self.on!r}; what can is {', '.join(verbs)}"
        if self.conference is not None and not _is_name(self.conference):
            yield f"conference must be a name that UTF-8 can encode, not {self.conference!r}"
        if self.times is not None and not _is_count(self.times, at_least=1 if self.active else 0):
            yield f"times must be a whole number from 1 to {_LONGEST}, or None for no limit, not {self.times!r}"
        required = _REQUIRED.get(self.do)
        if required is not None and getattr(self, required) is None:
            yield f"{self.do} needs {required}"
        yield from self._argument_problems()

    def _argument_problems(self) -> Iterator[str]:
        if self.status is not None and not _is_error_status(self.status):
            yield f"status must be an HTTP status from 300 to 599 other than 304, not {self.status!r}"
        if not isinstance(_any(self.executed), bool):
            yield f"executed must be true or false, not {self.executed!r}"
        if self.retry_after is not None and not _is_header(self.retry_after):
            yield f"retry_after must be a text of visible ASCII characters, not {self.retry_after!r}"
        if self.seconds is not None and not (_is_number(self.seconds, int, float) and 0 <= self.seconds <= _LONGEST):
            yield f"seconds must be a number from 0 to {_LONGEST}, not {self.seconds!r}"
        if self.rate is not None and not (_is_number(self.rate, int, float) and 0 <= self.rate <= 1):
            yield f"rate must be a number from 0 to 1, not {self.rate!r}"


def _any(value: Any) -> Any:
    """Return a value that may come from JSON and have another type than it should."""
    return value


def _is_number(value: object, *types: type[int | float]) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)


def _is_count(value: object, *, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= _LONGEST


def _is_name(value: object) -> bool:
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_error_status(value: object) -> bool:
    return isinstance(value, int) and value in range(300, 600) and value != HTTPStatus.NOT_MODIFIED


def _is_header(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[ -~]+", value) is not None


def phrase_of(status: int) -> str:
    """Return the name of a status. Gateways use numbers that no standard defines.

    Args:
        status: The HTTP status.
    """
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return f"status {status}"
