"""The root of the exception tree, and the errors that belong to no other family."""

from __future__ import annotations

from typing import Any

from plivo_record_async._value import Value, json_ready

__all__ = ["ClosedError", "ConfigurationError", "PlivoRecordError", "StoreError"]


class PlivoRecordError(Value, Exception):
    """The base class of all exceptions that this package raises on its own."""

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def to_dict(self) -> dict[str, Any]:
        """Return the error as a dictionary that ``json.dumps`` accepts.

        Returns:
            A new dictionary with ``type``, the name of the class; ``error``, the text of ``str()``; and the attributes
            of the error, written as the ``to_dict`` of every value writes them.
        """
        attributes: dict[str, Any] = {"type": type(self).__name__, "error": str(self)}
        if (status := getattr(self, "status", None)) is not None:  # some errors have it as an attribute of the class
            attributes["status"] = status
        attributes |= {name: value for name, value in vars(self).items() if not name.startswith("_")}
        ready: dict[str, Any] = json_ready(attributes)
        return ready

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from ``args`` and attributes, so that errors with keyword-only arguments can be pickled too."""
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[PlivoRecordError], args: tuple[Any, ...]) -> PlivoRecordError:
    error = cls.__new__(cls)
    error.args = args  # set explicitly, because TimeoutError.__new__ does not keep them
    return error


class ConfigurationError(PlivoRecordError):
    """A credential, an address or an option is missing or invalid; the message names it and where it is read from."""


class ClosedError(PlivoRecordError):
    """The client, the tracker or the store is closed. The call sent nothing and stored nothing.

    To continue, enter the closed object again with ``async with``, or make a new one.
    """


class StoreError(PlivoRecordError):
    """The store could not read or write. What it has acknowledged before is not affected."""
