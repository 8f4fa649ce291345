"""`CallbackPolicy`: the options with which Plivo delivers a callback.

Plivo reads the options from the fragment of the callback URL.
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
"""A failure after which Plivo delivers a callback again.

- ``ct``: The connection was not established in time.
- ``rt``: The response did not arrive in time.
- ``4xx``, ``5xx``: The response had such a status.
- ``all``: Any of these.
"""

Region = Literal["nearest", "local", "n_california", "n_virginia", "frankfurt", "singapore", "mumbai"]
"""The region from which Plivo sends callbacks."""


def _tuple(values: Iterable[Failure]) -> tuple[Failure, ...]:
    if isinstance(values, str):
        raise TypeError(f"retry_on must be a sequence of texts, not the text {values!r}; write ({values!r},)")
    return tuple(values)


def _some_of(*choices: str) -> Validator:
    check_one = one_of(*choices)

    def check(instance: object, attribute: attrs.Attribute[Any], values: Any) -> None:
        if not values:
            raise ValueError(f"{attribute.name} must not be empty; to switch retries off, pass retries=0")
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
    """The options with which Plivo delivers a callback.

    Without options, Plivo retries a callback once, and never after a 5xx. The defaults of this class are the most that
    Plivo offers, so that no callback is lost if the receiver restarts within 55 seconds.
    https://plivo.com/docs/voice/concepts/callback-configurations.md

    Attributes:
        retries: The number of attempts after the first one: 0 to 5.
        retry_on: The failures after which Plivo tries again: one or several of ``ct`` (connect timeout), ``rt`` (read
            timeout), ``4xx``, ``5xx`` and ``all``.
        connect_ms: The longest time to establish a connection, in milliseconds: 100 to 10,000. If None, Plivo's default
            of 2,000 applies.
        read_ms: The longest time to wait for the first byte of the response and between its bytes, in milliseconds: 100
            to 40,000. If None, Plivo's default of 40,000 applies.
        total_ms: The longest time for all attempts together, in milliseconds: 100 to 55,000. If None, Plivo's default
            of 55,000 applies.
        region: The region from which Plivo sends the callback. If None, Plivo's default of ``nearest`` applies.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: Plivo does not offer the value of an option.
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
        """Return a URL with this policy as its fragment.

        Args:
            url: The URL of the receiver. If it has a fragment, the policy replaces the fragment.

        Returns:
            The URL for ``callback_url`` or ``transcription_url``. Plivo does not send the fragment to the receiver.

        Raises:
            ValueError: The URL is not an absolute http or https URL.
        """
        split_url(url)
        return f"{url.partition('#')[0]}#{self.fragment}"

    @property
    def fragment(self) -> str:
        """The fragment of a URL with this policy, such as ``rc=5&rp=ct,rt,5xx&tt=55000``."""
        options = {
            "rc": self.retries,
            "rp": ",".join(self.retry_on),
            "ct": self.connect_ms,
            "rt": self.read_ms,
            "tt": self.total_ms,
            "er": self.region,
        }
        return "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
