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
    """The outcome of an item of a batch whose call succeeded.

    Attributes:
        request: The item, the same object that was passed to the batch.
        result: The value that the method for a single item would have returned, such as a `RecordingStarted`.
        ok: Always ``True``.
        error: Always ``None``.
    """

    request: RequestT_co
    result: ResultT_co
    ok: ClassVar[Literal[True]] = True
    error: ClassVar[None] = None

    def unwrap(self) -> ResultT_co:
        """Return the result.

        Returns:
            ``result``. The method of `Failed` with the same name raises the error instead.
        """
        return self.result

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a dictionary that ``json.dumps`` accepts.

        Returns:
            A new dictionary with ``request``, ``result``, ``ok`` and ``error``.
        """
        return super().to_dict() | {"ok": self.ok, "error": self.error}


@attrs.frozen
class Failed(Value, Generic[RequestT_co]):
    """The outcome of an item of a batch whose call failed.

    Attributes:
        request: The item, the same object that was passed to the batch.
        error: The exception that the method for a single item would have raised.
        ok: Always ``False``.
        result: Always ``None``.
    """

    request: RequestT_co
    error: Exception
    ok: ClassVar[Literal[False]] = False
    result: ClassVar[None] = None

    def unwrap(self) -> NoReturn:
        """Raise the error.

        Raises:
            Exception: ``error``. The method of `Succeeded` with the same name returns the result instead.
        """
        raise self.error

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a dictionary that ``json.dumps`` accepts.

        Returns:
            A new dictionary with ``request``, ``error``, ``ok`` and ``result``.
        """
        return super().to_dict() | {"ok": self.ok, "result": self.result}


Outcome: TypeAlias = Succeeded[RequestT_co, ResultT_co] | Failed[RequestT_co]
"""The outcome of one item of a batch: `Succeeded` or `Failed`.

Both have ``request``, ``result``, ``error``, ``ok`` and ``unwrap()``. ``if outcome.error is None``, ``if outcome.ok is
True`` and ``match`` let type checkers know which of the two it is.
"""
