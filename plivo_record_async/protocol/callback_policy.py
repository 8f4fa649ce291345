"""`CallbackPolicy`: how often and how long Plivo tries to deliver a callback.

Plivo reads the options from the fragment of the URL.

https://plivo.com/docs/voice/concepts/callback-configurations.md
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import attrs
from attrs import field

from plivo_record_async._value import Value
from plivo_record_async.protocol.arguments import Validator, one_of, optional
from plivo_record_async.protocol.callbacks.signatures import split_url

__all__ = ["CallbackPolicy", "Failure", "Region"]

Failure = Literal["ct", "rt", "4xx", "5xx", "all"]
"""The failures after which Plivo tries again: connect timeout, read timeout, an answer 4xx or 5xx, or any of these."""

Region = Literal["nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"]
"""The region from which Plivo sends a callback."""


def _tuple(values: Iterable[Failure]) -> tuple[Failure, ...]:
    if isinstance(values, str):
        raise TypeError(f"retry_on must be a sequence of texts, not one text: write ({values!r},)")
    return tuple(values)


def _some_of(*choices: str) -> Validator:
    check_one = one_of(*choices)

    def check(instance: object, attribute: attrs.Attribute[Any], values: Any) -> None:
        if not values:
            raise ValueError(f"{attribute.name} must not be empty; to have no retries, set retries=0")
        for value in values:
            check_one(instance, attribute, value)

    return check


def _between(least: int, most: int) -> Validator:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{attribute.name} must be an int, not {type(value).__name__}: {value!r}")
        if not least <= value <= most:
            raise ValueError(f"{attribute.name} must be from {least} to {most}, not {value}")

    return check


@attrs.frozen(kw_only=True)
class CallbackPolicy(Value):
    """How often and how long Plivo tries to deliver a callback. If an option is None, Plivo's own default applies.

    By default Plivo retries a callback once, and not after a 5xx. This policy asks for the most that Plivo offers, so
    that no callback is lost if the receiver restarts within 55 seconds.

    Attributes:
        retries: Attempts after the first, 0 to 5.
        retry_on: What is worth another attempt: ``ct``, ``rt``, ``4xx``, ``5xx``, ``all``.
        connect_ms: Longest wait for a connection, 100 to 10,000 ms; Plivo's default is 2,000.
        read_ms: Longest wait for the first byte and between bytes, 100 to 40,000 ms; Plivo's default is 40,000.
        total_ms: Longest time for all attempts together, 100 to 55,000 ms.
        region: The region from which Plivo sends the callback; Plivo's default is ``nearest``.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: Plivo does not offer a value.
    """

    retries: int = field(default=5, validator=_between(0, 5))
    retry_on: tuple[Failure, ...] = field(
        default=("ct", "rt", "5xx"), converter=_tuple, validator=_some_of(*get_args(Failure))
    )
    connect_ms: int | None = field(default=None, validator=optional(_between(100, 10_000)))
    read_ms: int | None = field(default=None, validator=optional(_between(100, 40_000)))
    total_ms: int | None = field(default=55_000, validator=optional(_between(100, 55_000)))
    region: Region | None = field(default=None, validator=optional(one_of(*get_args(Region))))

    def apply(self, url: str) -> str:
        """Return the URL with this policy in its fragment, which Plivo reads and does not send.

        Args:
            url: The URL of the receiver. A fragment that it has is replaced.

        Raises:
            ValueError: The URL is not an absolute http or https URL.
        """
        split_url(url)
        return f"{url.partition('#')[0]}#{self.fragment}"

    @property
    def fragment(self) -> str:
        """The fragment from which Plivo reads the policy, such as ``rc=5&rp=ct,rt,5xx&tt=55000``."""
        options = {
            "rc": self.retries,
            "rp": ",".join(self.retry_on),
            "ct": self.connect_ms,
            "rt": self.read_ms,
            "tt": self.total_ms,
            "er": self.region,
        }
        return "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
