"""The settings from arguments and environment variables. This is the only module that reads the environment."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import attrs

from plivo_record_async.errors import ConfigurationError

__all__ = [
    "CAPTURE_VARIABLE",
    "DEFAULT_BASE_URL",
    "Environment",
    "Settings",
    "captured_content",
    "checked_base_url",
    "log_level",
]

DEFAULT_BASE_URL = "https://api.plivo.com"

CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_PLIVO_CAPTURE"
"""The environment variable with the kinds of content that spans may contain."""

ContentT = TypeVar("ContentT", bound=str)

_LOG_LEVELS: Final[Mapping[str, int]] = {"debug": logging.DEBUG, "info": logging.INFO}

_AUTH_ID = re.compile(r"[MS]A[A-Z0-9]{18}")


@attrs.frozen(kw_only=True)
class Settings:
    """The credentials of an account, and the URL of the API.

    Attributes:
        auth_id: The auth ID: ``MA``, or for a subaccount ``SA``, followed by 18 capital letters or digits.
        auth_token: The auth token. The ``repr`` does not show it.
        base_url: The URL of the API, without a slash at the end.
    """

    auth_id: str
    auth_token: str = attrs.field(repr=False)
    base_url: str

    @property
    def api_url(self) -> str:
        """The URL of the account, to which the path of a request is added."""
        return f"{self.base_url}/v1/Account/{self.auth_id}"

    @classmethod
    def read(cls, auth_id: str | None, auth_token: str | None, base_url: str | None) -> Settings:
        """Return the settings from the arguments, or from the environment variables for those that are None.

        Args:
            auth_id: The auth ID. If None, ``PLIVO_AUTH_ID`` is used.
            auth_token: The auth token. If None, ``PLIVO_AUTH_TOKEN`` is used.
            base_url: The URL of the API. If None, ``PLIVO_BASE_URL`` is used, or `DEFAULT_BASE_URL` if that is not set.

        Returns:
            The settings.

        Raises:
            ConfigurationError: A setting is missing or malformed. The message names it.
        """
        return cls(
            auth_id=_auth_id(_argument_or_variable("auth_id", auth_id)),
            auth_token=_auth_token(_argument_or_variable("auth_token", auth_token)),
            base_url=checked_base_url(
                "base_url (PLIVO_BASE_URL)", _argument_or_variable("base_url", base_url, DEFAULT_BASE_URL)
            ),
        )


@attrs.frozen(kw_only=True)
class Environment:
    """The proxies and certificates that the environment variables name. They are the variables that httpx reads.

    https://www.python-httpx.org/environment_variables/

    Attributes:
        proxies: The URLs of proxies, from ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY``, or from the settings of
            macOS or Windows. The keys are the schemes of the URLs that are requested through the proxy: ``http``,
            ``https`` or ``all``.
        no_proxy: The hosts to which requests are sent directly, separated by commas (``NO_PROXY``).
        cert_file: The path of a file of certificates to trust (``SSL_CERT_FILE``). If None, ``cert_dir`` applies.
        cert_dir: The path of a directory of certificates to trust (``SSL_CERT_DIR``). If None, those of certifi are
            trusted.
    """

    proxies: Mapping[str, str] = attrs.field(factory=dict[str, str])
    no_proxy: str = ""
    cert_file: str | None = None
    cert_dir: str | None = None

    @classmethod
    def read(cls) -> Environment:
        """Read the environment variables. For proxies, a lower-case name takes precedence over an upper-case one."""
        found = getproxies()
        return cls(
            proxies={scheme: found[scheme] for scheme in ("http", "https", "all") if found.get(scheme)},
            no_proxy=found.get("no", ""),
            cert_file=os.environ.get("SSL_CERT_FILE") or None,
            cert_dir=os.environ.get("SSL_CERT_DIR") or None,
        )


def captured_content(kinds: Collection[ContentT]) -> frozenset[ContentT]:
    """Return the kinds of content that spans may contain, from ``OTEL_INSTRUMENTATION_PLIVO_CAPTURE``.

    Args:
        kinds: The kinds that exist.

    Returns:
        The kinds that the environment variable lists, separated by commas. If it is not set, there are none.

    Raises:
        ConfigurationError: The environment variable lists something else.
    """
    listed = {kind.strip() for kind in os.environ.get(CAPTURE_VARIABLE, "").split(",")} - {""}
    if unknown := listed.difference(kinds):
        raise ConfigurationError(
            f"{CAPTURE_VARIABLE} must be a list of {', '.join(sorted(kinds))}, separated by commas, and must not "
            f"contain {', '.join(map(repr, sorted(unknown)))}"
        )
    return frozenset(kind for kind in kinds if kind in listed)


def log_level() -> int | None:
    """Return the level from which on the log is shown, from ``PLIVO_LOG``.

    Returns:
        The level, as a number of `logging`. If None, the environment variable is not set or empty.

    Raises:
        ConfigurationError: The environment variable is neither ``debug`` nor ``info``.
    """
    value = os.environ.get("PLIVO_LOG", "")
    if not value:
        return None
    if value.lower() not in _LOG_LEVELS:
        raise ConfigurationError(f"PLIVO_LOG must be debug or info, not {value!r}")
    return _LOG_LEVELS[value.lower()]


def _argument_or_variable(name: str, argument: str | None, default: str | None = None) -> str:
    variable = f"PLIVO_{name.upper()}"
    value = argument if argument is not None else os.environ.get(variable) or default
    if value is None:
        raise ConfigurationError(
            f"{name} is missing: pass {name} to RecordClient, or set the environment variable {variable}"
        )
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _auth_id(value: str) -> str:
    if not _AUTH_ID.fullmatch(value):
        raise ConfigurationError(
            f"auth_id (PLIVO_AUTH_ID) must be MA or SA followed by 18 capital letters or digits, not {value!r}"
        )
    return value


def _auth_token(value: str) -> str:
    if not value or not value.isprintable() or any(character.isspace() for character in value):
        raise ConfigurationError(
            "auth_token (PLIVO_AUTH_TOKEN) must not be empty, and must not contain spaces or control characters; "
            f"the given one has {len(value)} characters"
        )
    return value


def checked_base_url(name: str, value: object) -> str:
    """Return a URL after checking that it is an absolute http or https URL to which a path can be added.

    Args:
        name: The description of the URL in errors.
        value: The URL.

    Returns:
        The URL without a slash at the end.

    Raises:
        ConfigurationError: The value is not such a URL.
    """
    requirement = f"{name} must be an http:// or https:// URL without credentials, query or fragment"
    if not isinstance(value, str):
        raise ConfigurationError(f"{requirement}, not {type(value).__name__}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{requirement}, not {value!r} ({error})") from error
    fits = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if not fits or not value.isascii() or not value.isprintable() or any(c in " ?#" for c in value):
        raise ConfigurationError(f"{requirement}, not {value!r}")
    return value.rstrip("/")
