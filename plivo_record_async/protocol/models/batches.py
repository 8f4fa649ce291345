"""The outcome of one item of a batch."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, NoReturn, TypeAlias, TypeVar

import attrs

from plivo_record_async._value import Value

__all__ = ["Failed", "Outcome", "Succeeded"]

RequestT_co = TypeVar("RequestT_co", covariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


@attrs.frozen
class Succeeded(Value, Generic[RequestT_co, ResultT_co]):
    """An item of a batch whose call succeeded.

    Attributes:
        request: The item of the batch, the same object that was passed.
        result: What the single call would have returned.
        ok: ``True``.
        error: ``None``.
    """

    request: RequestT_co
    result: ResultT_co
    ok: ClassVar[Literal[True]] = True
    error: ClassVar[None] = None

    def unwrap(self) -> ResultT_co:
        """Return the result."""
        return self.result

    def to_dict(self) -> dict[str, Any]:
        """Return ``request``, ``result``, ``ok`` and ``error`` as the ``to_dict`` of every value does."""
        return super().to_dict() | {"ok": self.ok, "error": self.error}


@attrs.frozen
class Failed(Value, Generic[RequestT_co]):
    """An item of a batch whose call failed.

    Attributes:
        request: The item of the batch, the same object that was passed.
        error: What the single call would have raised.
        ok: ``False``.
        result: ``None``.
    """

    request: RequestT_co
    error: Exception
    ok: ClassVar[Literal[False]] = False
    result: ClassVar[None] = None

    def unwrap(self) -> NoReturn:
        """Raise the error."""
        raise self.error

    def to_dict(self) -> dict[str, Any]:
        """Return ``request``, ``error``, ``ok`` and ``result`` as the ``to_dict`` of every value does."""
        return super().to_dict() | {"ok": self.ok, "result": self.result}


Outcome: TypeAlias = Succeeded[RequestT_co, ResultT_co] | Failed[RequestT_co]
"""The outcome of one item of a batch: `Succeeded` or `Failed`.

Both have ``request``, ``result``, ``error``, ``ok`` and ``unwrap()``. ``if outcome.error is None``, ``if outcome.ok is
True`` and ``match`` tell type checkers which of the two it is.
"""
