"""The hosts from which recorded files may be downloaded.

The URL of a recorded file can come from a callback or from the application's database, so it is not trusted. The client
downloads only from hosts that are allowed.

- ``media.plivo.com`` is Plivo's media host: https://plivo.com/docs/voice/api/recordings.md
- ``s3.amazonaws.com`` had the files of older recordings. Anyone can own a bucket there, so only Plivo's two buckets are
  allowed: http://plivo.com/docs/api/conference/record/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from plivo_record_async.errors import ConfigurationError

__all__ = ["DEFAULT_MEDIA_HOSTS", "MediaHosts", "MediaUrl", "MediaUrlError"]

DEFAULT_MEDIA_HOSTS: Final = ("media.plivo.com", "s3.amazonaws.com/plivocloud/", "s3.amazonaws.com/recordings_2013/")
"""The hosts of Plivo's recorded files. An entry with a path allows only URLs whose path begins with it."""

_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/[\w/.-]*)?",
    re.ASCII,
)
_PORTS = {"http": 80, "https": 443}
_PLIVO = "media.plivo.com"


class MediaUrlError(ValueError):
    """A URL must not be downloaded. The message says why."""


@attrs.frozen(kw_only=True)
class MediaUrl:
    """The parts of a URL that may be downloaded. The URL is parsed only once, so it cannot be read in two ways.

    Attributes:
        scheme: ``http`` or ``https``.
        host: The host, in lower case. An IPv6 address has no brackets.
        port: The port.
        target: The path and the query.
        takes_credentials: Whether the credentials of the account may be sent to the host if it responds with 401.
        must_be_public: Whether the host must not resolve to a private address.
    """

    scheme: str
    host: str
    port: int
    target: str
    takes_credentials: bool
    must_be_public: bool

    @property
    def authority(self) -> str:
        """The value of the header ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@attrs.frozen
class _MediaHost:
    scheme: str | None
    host: str
    port: int | None
    path: str
    is_default: bool

    def allows(self, scheme: str, host: str, port: int, path: str) -> bool:
        return (
            self.host == host
            and self.scheme in {None, scheme}
            and port == (_PORTS[scheme] if self.port is None else self.port)
            and path.startswith(self.path)
        )


@attrs.frozen
class MediaHosts:
    """The hosts from which a client may download."""

    _hosts: tuple[_MediaHost, ...]
    _origin: tuple[str, str, int]

    @classmethod
    def read(cls, base_url: str, media_hosts: Iterable[str]) -> MediaHosts:
        """Return the hosts that a client allows.

        Args:
            base_url: The URL of the API. Its origin is always allowed.
            media_hosts: The other allowed hosts. An entry is ``host``, ``host:port`` or ``https://host``, with or
                without the beginning of a path.

        Raises:
            ConfigurationError: ``media_hosts`` is not a collection of such entries.
        """
        if isinstance(media_hosts, str | bytes) or not isinstance(media_hosts, Iterable):
            raise ConfigurationError(
                f"media_hosts must be a collection of hosts such as ['media.example'], not {media_hosts!r}"
            )
        base = urlsplit(base_url)
        return cls(
            tuple(_read_host(entry) for entry in media_hosts),
            (base.scheme, (base.hostname or "").lower(), base.port or _PORTS[base.scheme]),
        )

    def resolve(self, url: object, *, base: MediaUrl | None = None) -> MediaUrl:
        """Return the parts of a URL if it may be downloaded.

        Args:
            url: The URL. If its host is one of Plivo's, ``http`` is replaced by ``https``.
            base: The URL that redirected to this one. If None, ``url`` must be absolute.

        Raises:
            MediaUrlError: The URL is not an http or https URL, is ambiguous, or its host is not allowed.
        """
        if not isinstance(url, str):
            raise MediaUrlError(f"the URL must be a str, not {type(url).__name__}")
        parts = _split(url, base)
        host = (parts.hostname or "").lower()
        scheme, port = parts.scheme, parts.port
        path = parts.path or "/"
        target = path + (f"?{parts.query}" if parts.query else "")
        found = self._find(scheme, host, port, path)
        if found is None:
            raise MediaUrlError(
                f"downloads from {scheme}://{parts.netloc} are not allowed: if you trust it, pass media_hosts=[…] to "
                "RecordClient"
            )
        scheme, port, entry = found
        return MediaUrl(
            scheme=scheme,
            host=host,
            port=port,
            target=target,
            takes_credentials=(scheme, host, port) in {self._origin, ("https", _PLIVO, 443)},
            must_be_public=entry is not None and entry.is_default,
        )

    def _find(self, scheme: str, host: str, port: int | None, path: str) -> tuple[str, int, _MediaHost | None] | None:
        """Return the scheme and the port to use, and the entry that allows the host: None for the origin of the API."""
        given = _PORTS[scheme] if port is None else port
        if (scheme, host, given) == self._origin:
            return scheme, given, None
        for entry in sorted(self._hosts, key=lambda host: host.is_default):
            if entry.is_default and scheme == "http" and given == _PORTS["http"]:
                scheme, given = "https", _PORTS["https"]
            if entry.allows(scheme, host, given, path):
                return scheme, given, entry
        return None


def _read_host(entry: object) -> _MediaHost:
    match = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
    if match is None or (match["port"] is not None and int(match["port"]) not in range(1, 65536)):
        raise ConfigurationError(
            "media_hosts must contain hosts such as 'media.example' or 'https://media.example/recordings/', "
            f"not {entry!r}"
        )
    is_default = entry in DEFAULT_MEDIA_HOSTS
    return _MediaHost(
        scheme="https" if is_default else match["scheme"],
        host=match["host"].strip("[]").lower(),
        port=None if match["port"] is None else int(match["port"]),
        path=match["path"] or "/",
        is_default=is_default,
    )


def _split(url: str, base: MediaUrl | None) -> SplitResult:
    """Split a URL, and reject it if other parsers could read it differently.

    Raises:
        MediaUrlError: The URL is malformed or ambiguous.
    """
    if not url or not url.isascii() or not url.isprintable() or re.search(r'[ \\"<>^`{|}]', url):
        raise MediaUrlError("the URL is empty or has a character that a URL must percent-encode")
    if base is not None and url.startswith("//"):
        url = f"{base.scheme}:{url}"
    elif base is not None and url.startswith("/"):
        url = f"{base.scheme}://{base.authority}{url}"
    try:
        parts = urlsplit(url.partition("#")[0])
        _ = parts.port
    except ValueError as error:
        raise MediaUrlError(f"the URL is malformed: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise MediaUrlError("the URL must be an absolute http:// or https:// URL")
    if "@" in parts.netloc:
        raise MediaUrlError("the URL must not have a user name or a password")
    if any(segment in {".", ".."} for segment in _segments(parts.path)):
        raise MediaUrlError("the path of the URL must not have the segments . or ..")
    return parts


def _segments(path: str) -> Sequence[str]:
    """Return the segments of a path. It is decoded repeatedly, because a server may decode it more than once."""
    while (decoded := unquote(path)) != path:
        path = decoded
    return re.split(r"[/\\]", path)
