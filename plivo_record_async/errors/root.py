"""`PlivoRecordError`, the root of the exception tree, and the errors that belong to no other family."""

from __future__ import annotations

from typing import Any

from plivo_record_async._value import Value, json_ready

__all__ = ["ClosedError", "ConfigurationError", "PlivoRecordError", "StoreError"]


class PlivoRecordError(Value, Exception):
    """The base class of all exception classes of this package.

    Invalid arguments raise ``ValueError`` and ``TypeError``, which are not derived from it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)

    def to_dict(self) -> dict[str, Any]:
        """Return the error as a dictionary that ``json.dumps`` accepts.

        Returns:
            A new dictionary with ``type``, the name of the class; ``error``, the text of the error; and the attributes
            of the error, converted as the ``to_dict`` of every value converts them.
        """
        attributes: dict[str, Any] = {"type": type(self).__name__, "error": str(self)}
        if (status := getattr(self, "status", None)) is not None:  # some errors have it as an attribute of the class
            attributes["status"] = status
        attributes |= {name: value for name, value in vars(self).items() if not name.startswith("_")}
        ready: dict[str, Any] = json_ready(attributes)
        return ready

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle ``args`` and the attributes, because some errors have keyword-only arguments."""
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(cls: type[PlivoRecordError], args: tuple[Any, ...]) -> PlivoRecordError:
    error = cls.__new__(cls)
    error.args = args  # set explicitly, because TimeoutError.__new__ does not keep them
    return error


class ConfigurationError(PlivoRecordError):
    """A credential, a URL or an option is missing or invalid, or an object is used where it cannot be used.

    The text names the option and says how to correct it. Nothing was sent.
    """


class ClosedError(PlivoRecordError):
    """A method was called on a client, a tracker or a store that is closed. The call sent and stored nothing.

    To continue, enter the closed object again with ``async with``, or create a new one.
    """


class StoreError(PlivoRecordError):
    """The store of followed recordings could not read or write.

    The change of this call was not stored, unless a ``PostgresStore`` lost its connection during the commit: then it
    may have been stored. Everything that was stored before is not affected. What the call did at Plivo before the error
    is not undone: after ``tracker.forget(…, delete_recording=True)``, Plivo's file may have been deleted already.
    """
