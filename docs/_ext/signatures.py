"""Show signatures as users need them: short defaults, public base classes, only the arguments of users."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.python._object import PyObject

_MADE_BY_THE_PACKAGE = {
    "plivo_record_async.emulator.clock.RealClock",
    "plivo_record_async.emulator.clock.VirtualClock",
    "plivo_record_async.emulator.faults.fault.Fault",
    "plivo_record_async.emulator.faults.faults.FaultOn",
    "plivo_record_async.emulator.faults.faults.Faults",
    "plivo_record_async.TrackedRecording",
    "plivo_record_async.emulator.history.entries.Delivery",
    "plivo_record_async.emulator.history.entries.ReceivedRequest",
    "plivo_record_async.transport.downloads.download.MediaStream",
    "plivo_record_async.stores.FollowedRecording",
}
"""Classes that users do not construct."""

_NESTED = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
"""Text with parentheses in parentheses."""

_SHORTER = [
    # The default of an attribute that a factory makes.
    (re.compile(r"\bNOTHING\b|<factory>"), "..."),
    # An alias that Sphinx does not resolve.
    (re.compile(r"TypeAliasForwardRef\('([\w.]+)'\)"), r"\1"),
    (re.compile(r"\bdatetime\.timedelta\("), "timedelta("),
    # The methods of a class of httpx2, which may not be installed.
    (re.compile(r"~?[\w.]+\.OtherTransport\b"), "httpx2.AsyncBaseTransport"),
    # Frozen values whose arguments all have their defaults.
    (re.compile(rf"\b(CallbackPolicy|TrackingPolicy)\({_NESTED}\)"), r"\1()"),
]


def shorten(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Return the signature to show.

    Returns:
        The arguments and what is returned. None leaves the signature as it is.
    """
    if signature is None:
        return None
    if (
        what == "exception"
        or name in _MADE_BY_THE_PACKAGE
        or "*args, **kwargs" in signature
    ):
        return "", None
    for long, short in _SHORTER:
        signature = long.sub(short, signature)
        returns = returns and long.sub(short, returns)
    return signature, returns


def public_bases(
    app: Sphinx, name: str, obj: type, options: Any, bases: list[type]
) -> None:
    """Replace private base classes by their own base classes."""
    public: list[type] = []
    for base in bases:
        public += [base] if _is_public(base) else filter(_is_public, base.__bases__)
    bases[:] = public


def _is_public(base: type) -> bool:
    return base.__name__ not in {"Value", "object"} and not base.__name__.startswith(
        "_"
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc, and call the attributes of a class by their usual name."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-process-bases", public_bases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
