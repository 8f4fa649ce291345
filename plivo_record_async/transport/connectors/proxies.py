"""The choice of the proxy, by the rules of httpx.

https://www.python-httpx.org/environment_variables/
"""

from __future__ import annotations

import ipaddress
import re
from importlib.util import find_spec

import httpx

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import Environment

__all__ = ["Proxy", "ProxyTypes", "choose_proxy"]

Proxy = httpx.Proxy

ProxyTypes = httpx.Proxy | httpx.URL | str
"""The types of the proxy that a user can pass."""


def choose_proxy(base_url: str, proxy: ProxyTypes | None, environment: Environment) -> Proxy | None:
    """Return the proxy for all requests.

    Args:
        base_url: The URL of the API.
        proxy: The proxy that the user passed. If None, the environment decides.
        environment: The proxies that the environment variables name.

    Returns:
        The proxy, or None if requests are sent directly.

    Raises:
        ConfigurationError: The proxy or ``NO_PROXY`` is invalid. The message names it.
    """
    if proxy is not None:
        return _read_proxy("proxy", proxy)
    exceptions = [host.strip() for host in environment.no_proxy.split(",")]
    if not environment.proxies or "*" in exceptions:
        return None
    rules: dict[str, str | None] = {f"{scheme}://": scheme for scheme in environment.proxies}
    rules |= {_pattern(host): None for host in exceptions if host}
    url = httpx.URL(base_url)
    matching = [pattern for pattern in rules if _matches(_parse(pattern), url)]
    scheme = rules[min(matching, key=lambda pattern: _specificity(_parse(pattern)))] if matching else None
    if scheme is None:
        return None
    address = environment.proxies[scheme]
    return _read_proxy(f"{scheme.upper()}_PROXY", address if "://" in address else f"http://{address}")


def _pattern(host: str) -> str:
    """Return the pattern of the URLs that an entry of ``NO_PROXY`` matches.

    A domain matches itself and its subdomains. A domain with a dot before it matches only its subdomains. An IP address
    matches itself, even if it is written as a network.
    """
    if "://" in host:
        return host
    text = host.partition("/")[0].strip("[]")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return f"all://{host}" if host.lower() == "localhost" else f"all://*{host}"
    return f"all://[{text}]" if isinstance(address, ipaddress.IPv6Address) else f"all://{text}"


def _specificity(pattern: httpx.URL) -> tuple[bool, int, int]:
    """Return a sort key that puts the most specific pattern first: by port, then length of the host, then scheme."""
    host = "" if pattern.host == "*" else pattern.host
    return pattern.port is None, -len(host), -len(_scheme(pattern))


def _matches(pattern: httpx.URL, url: httpx.URL) -> bool:
    if _scheme(pattern) not in {"", url.scheme} or pattern.port not in {None, url.port}:
        return False
    host = pattern.host
    if host.startswith("*."):
        return url.host.endswith(host[1:]) and url.host != host[1:]
    if host.startswith("*"):
        return host == "*" or url.host == host[1:] or url.host.endswith(f".{host[1:]}")
    return host in {"", url.host}


def _scheme(pattern: httpx.URL) -> str:
    return "" if pattern.scheme == "all" else pattern.scheme


def _parse(pattern: str) -> httpx.URL:
    try:
        return httpx.URL(pattern)
    except httpx.InvalidURL as error:
        raise ConfigurationError(
            f"NO_PROXY contains {pattern.removeprefix('all://').removeprefix('*')!r}, which is not a host ({error}): "
            "correct it, or pass trust_env=False"
        ) from error


def _read_proxy(name: str, value: ProxyTypes) -> Proxy:
    requirement = f"{name} must be the URL of a proxy, such as 'http://user:password@proxy.example:3128'"
    try:
        proxy = value if isinstance(value, httpx.Proxy) else httpx.Proxy(value)
    except (TypeError, ValueError, httpx.InvalidURL) as error:
        raise ConfigurationError(f"{requirement}, not {_without_password(value)} ({type(error).__name__})") from error
    if not proxy.url.host:
        raise ConfigurationError(f"{requirement}, not {_without_password(value)}, which has no host")
    if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(f"{name} is a SOCKS proxy, which needs an extra of httpx: pip install 'httpx[socks]'")
    if proxy.ssl_context is not None and proxy.url.scheme != "https":
        raise ConfigurationError(f"{name} has an ssl_context, which only a proxy with an https:// URL can use")
    return proxy


def _without_password(value: object) -> str:
    return re.sub(r"(?<=//)[^/]*@", "***@", repr(value))
