"""The only reader of the environment: from arguments and environment variables to checked settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies

import attrs

from plivo_record_async.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URL", "Environment", "Settings", "checked_base_url"]

DEFAULT_BASE_URL = "https://api.plivo.com"

_AUTH_ID = re.compile(r"[MS]A[A-Z0-9]{18}")


@attrs.frozen(kw_only=True)
class Settings:
    """The credentials of an account, and the address of the API.

    Attributes:
        auth_id: The auth ID: ``MA``, or ``SA`` for a subaccount, and 18 capital letters or digits.
        auth_token: The auth token. It is never shown.
        base_url: The address of the API, without a slash at its end.
    """

    auth_id: str
    auth_token: str = attrs.field(repr=False)
    base_url: str

    @classmethod
    def read(cls, auth_id: str | None, auth_token: str | None, base_url: str | None) -> Settings:
        """Return the settings that the arguments and the environment name.

        Args:
            auth_id: The auth ID. If None, ``PLIVO_AUTH_ID`` is used.
            auth_token: The auth token. If None, ``PLIVO_AUTH_TOKEN`` is used.
            base_url: The address of the API. If None, ``PLIVO_BASE_URL`` is used, or else `DEFAULT_BASE_URL`.

        Raises:
            ConfigurationError: One of them is missing or malformed; the message names it.
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
    """The proxies and certificates that the environment names, in the variables that httpx reads.

    Attributes:
        proxies: The addresses of proxies (``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, or the settings of macOS and
            Windows), by the scheme of the addresses that are called through them: ``http``, ``https`` or ``all``.
        no_proxy: The hosts that are called directly (``NO_PROXY``), separated by commas.
        cert_file: A file of certificates to trust (``SSL_CERT_FILE``). If None, ``cert_dir`` applies.
        cert_dir: A directory of certificates to trust (``SSL_CERT_DIR``). If None, those of certifi are trusted.
    """

    proxies: Mapping[str, str] = attrs.field(factory=dict[str, str])
    no_proxy: str = ""
    cert_file: str | None = None
    cert_dir: str | None = None

    @classmethod
    def read(cls) -> Environment:
        """Read the environment. Lower-case names take precedence over upper-case ones."""
        found = getproxies()
        return cls(
            proxies={scheme: found[scheme] for scheme in ("http", "https", "all") if found.get(scheme)},
            no_proxy=found.get("no", ""),
            cert_file=os.environ.get("SSL_CERT_FILE") or None,
            cert_dir=os.environ.get("SSL_CERT_DIR") or None,
        )


def _argument_or_variable(name: str, argument: str | None, default: str | None = None) -> str:
    variable = f"PLIVO_{name.upper()}"
    value = argument if argument is not None else os.environ.get(variable) or default
    if value is None:
        raise ConfigurationError(
            f"{name} is missing: in the environment, set {variable}; in a program, pass {name} to RecordClient"
        )
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _auth_id(value: str) -> str:
    if not _AUTH_ID.fullmatch(value):
        raise ConfigurationError(
            f"auth_id (PLIVO_AUTH_ID) must be MA or SA and 18 capital letters or digits, not {value!r}"
        )
    return value


def _auth_token(value: str) -> str:
    if not value or not value.isprintable() or any(character.isspace() for character in value):
        raise ConfigurationError(
            "auth_token (PLIVO_AUTH_TOKEN) must be a text without spaces or control characters; "
            f"the one received has {len(value)} characters"
        )
    return value


def checked_base_url(name: str, value: object) -> str:
    """Return an absolute http or https address to which paths can be added.

    Args:
        name: What the error calls the address.
        value: The address.

    Returns:
        The address without a slash at its end.

    Raises:
        ConfigurationError: It is no such address; the message begins with ``name``.
    """
    wanted = f"{name} must be an http:// or https:// address without credentials, query or fragment"
    if not isinstance(value, str):
        raise ConfigurationError(f"{wanted}, not {type(value).__name__}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{wanted}, not {value!r} ({error})") from error
    fits = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    if not fits or not value.isascii() or not value.isprintable() or any(c in " ?#" for c in value):
        raise ConfigurationError(f"{wanted}, not {value!r}")
    return value.rstrip("/")
