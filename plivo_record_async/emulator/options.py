"""The options of an emulator, which are checked when they are given."""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, Protocol, get_args

import attrs

from plivo_record_async.emulator.account.dialect import Dialect
from plivo_record_async.emulator.clock import ClockMode
from plivo_record_async.errors import ConfigurationError

__all__ = ["EmulatorOptions", "RateLimitLike"]


class RateLimitLike(Protocol):
    """A quota of requests, such as `plivo_record_async.RateLimit`."""

    @property
    def limit(self) -> int:
        """How many requests are admitted in a period."""
        ...

    @property
    def per(self) -> float:
        """The length of the period, in seconds."""
        ...


@attrs.frozen(kw_only=True)
class EmulatorOptions:
    """The arguments of `plivo_record_async.emulator.Emulator`.

    Raises:
        ConfigurationError: One of them is invalid.
    """

    host: str
    port: int
    auth_id: str
    auth_token: str
    strict: bool
    dialect: Dialect | None
    clock: ClockMode
    seed: int
    quota: RateLimitLike | None
    keep: int

    def __attrs_post_init__(self) -> None:
        """Check the options."""
        self._check_types()
        if not re.fullmatch(r"[MS]A[A-Z0-9]{18}", self.auth_id):
            raise ConfigurationError(f"auth_id must be MA or SA and 18 more of A-Z and 0-9, not {self.auth_id!r}")
        if not self.auth_token or not self.auth_token.isprintable() or " " in self.auth_token:
            raise ConfigurationError("auth_token must be a text without spaces or control characters, and not empty")
        if not self.host:
            raise ConfigurationError("host must not be empty; 0.0.0.0 listens on all addresses of this machine")
        if self.clock not in get_args(ClockMode):
            raise ConfigurationError(f"clock must be one of {', '.join(get_args(ClockMode))}, not {self.clock!r}")
        if self.keep < 0:
            raise ConfigurationError(f"keep must be 0 or more, not {self.keep!r}")
        if self.port not in range(65536):
            raise ConfigurationError(f"port must be a number from 0 to 65535, not {self.port!r}")

    def _check_types(self) -> None:
        wanted: dict[str, tuple[type | UnionType, str]] = {
            "host": (str, "a text such as '127.0.0.1'"),
            "port": (int, "a number from 0 to 65535"),
            "auth_id": (str, "MA or SA and 18 more of A-Z and 0-9"),
            "strict": (bool, "True or False"),
            "dialect": (Dialect | None, "a Dialect such as Dialect(start_status=200), or None"),
            "seed": (int, "a whole number"),
            "keep": (int, "a whole number from 0"),
        }
        for name, (kind, words) in wanted.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ConfigurationError(f"{name} must be {words}, not {value!r}")
        if not isinstance(_any(self.auth_token), str):
            raise ConfigurationError(f"auth_token must be a text, not a value of type {type(self.auth_token).__name__}")
        limit, per = getattr(self.quota, "limit", None), getattr(self.quota, "per", None)
        if self.quota is not None and not (isinstance(limit, int) and isinstance(per, int | float)):
            raise ConfigurationError(f"quota must be a RateLimit such as RateLimit(300, per=5.0), not {self.quota!r}")


def _any(value: Any) -> Any:
    """Return a value that may have another type than it should."""
    return value
