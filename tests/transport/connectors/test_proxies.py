"""The choice of the proxy. These tests compare it with the choice of httpx."""

from __future__ import annotations

import os
import ssl
import sys
from typing import Any

import httpx
import pytest
from httpx._utils import URLPattern, get_environment_proxies  # the functions with which httpx decides
from hypothesis import given
from hypothesis import strategies as st

from plivo_record_async import ConfigurationError
from plivo_record_async.settings import Environment
from plivo_record_async.transport.connectors.proxies import choose_proxy

API = "https://api.plivo.com"
SECRET = "s3cret"


def chosen(base_url: str, **variables: str) -> str | None:
    """Return the URL of the proxy that the package chooses for these variables."""
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, variables)
        proxy = choose_proxy(base_url, None, Environment.read())
    return None if proxy is None else str(proxy.url)


def chosen_by_httpx(base_url: str, **variables: str) -> str | None:
    """Return the URL of the proxy that httpx chooses: https://github.com/encode/httpx/blob/0.28.1/httpx/_client.py"""
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, variables)
        mounts = {URLPattern(key): proxy for key, proxy in get_environment_proxies().items()}
    for pattern in sorted(mounts):
        if pattern.matches(httpx.URL(base_url)):
            proxy = mounts[pattern]
            return None if proxy is None else str(httpx.Proxy(proxy).url)
    return None


def set_environment(patch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "REQUEST_METHOD":
            patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


A, B, C = "http://a:1", "http://b:2", "http://c:3"


@pytest.mark.parametrize(
    ("base_url", "variables", "expected"),
    [
        (API, {}, None),
        (API, {"HTTPS_PROXY": A, "HTTP_PROXY": B, "ALL_PROXY": C}, A),
        ("http://h", {"HTTPS_PROXY": A, "HTTP_PROXY": B, "ALL_PROXY": C}, B),
        (API, {"HTTP_PROXY": B, "ALL_PROXY": C}, C),
        (API, {"HTTP_PROXY": B}, None),
        (API, {"https_proxy": A}, A),
        (API, {"https_proxy": A, "HTTPS_PROXY": B}, A),
        (API, {"https_proxy": "", "HTTPS_PROXY": B}, None),
        (API, {"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ("http://h", {"HTTP_PROXY": A, "REQUEST_METHOD": "GET"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "*"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "example.com, *"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": ""}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": " , "}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "plivo.com"}, None),
        (API, {"HTTPS_PROXY": A, "no_proxy": "plivo.com"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "x.example, API.plivo.com"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": ".plivo.com"}, None),
        ("https://plivo.com", {"HTTPS_PROXY": A, "NO_PROXY": ".plivo.com"}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "livo.com"}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "api"}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "https://"}, None),
        (API, {"ALL_PROXY": A, "NO_PROXY": "http://"}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "https://api.plivo.com"}, None),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "http://api.plivo.com"}, A),
        (API, {"HTTPS_PROXY": A, "NO_PROXY": "api.plivo.com:443"}, A),
        ("https://h:8443", {"HTTPS_PROXY": A, "NO_PROXY": "h:8443"}, None),
        ("https://h:8443", {"HTTPS_PROXY": A, "NO_PROXY": "h:8444"}, A),
        ("https://h:8443", {"HTTPS_PROXY": A, "NO_PROXY": "h"}, None),
        ("http://localhost:8000", {"HTTP_PROXY": A, "NO_PROXY": "LocalHost"}, None),
        ("http://x.localhost", {"HTTP_PROXY": A, "NO_PROXY": "localhost"}, A),
        ("http://127.0.0.1:8000", {"HTTP_PROXY": A, "NO_PROXY": "127.0.0.1"}, None),
        ("http://127.0.0.1:8000", {"HTTP_PROXY": A, "NO_PROXY": "127.0.0.1:8000"}, None),
        ("http://192.168.0.0", {"HTTP_PROXY": A, "NO_PROXY": "192.168.0.0/16"}, None),
        ("http://192.168.1.7", {"HTTP_PROXY": A, "NO_PROXY": "192.168.0.0/16"}, A),
        ("http://[::1]:8000", {"HTTP_PROXY": A, "NO_PROXY": "::1"}, None),
    ],
)
def test_environment_chooses_the_same_proxy_as_in_httpx(
    base_url: str, variables: dict[str, str], expected: str | None
) -> None:
    assert chosen(base_url, **variables) == chosen_by_httpx(base_url, **variables) == expected


HOSTS = st.sampled_from(
    ["api.plivo.com", "plivo.com", "xplivo.com", "com", "localhost", "127.0.0.1", "10.1.2.3", "[::1]", "h"]
)
PORTS = st.sampled_from(["", ":80", ":443", ":8443"])
SCHEMES = st.sampled_from(["http", "https"])
ENTRIES = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(["", ".", "*", "*.", "http://", "https://", "all://"]), HOSTS, PORTS),
    st.sampled_from(["10.1.2.0/24", "10.1.2.3/8", "::1", "", " ", "http://", "https://", "all://", "https://*"]),
)


@given(
    base_url=st.builds("{}://{}{}".format, SCHEMES, HOSTS, PORTS),
    proxies=st.dictionaries(
        st.sampled_from(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"]), st.sampled_from([A, B, C, ""])
    ),
    no_proxy=st.lists(ENTRIES, max_size=4).map(",".join),
)
def test_any_environment_chooses_the_same_proxy_as_httpx(base_url: str, proxies: dict[str, str], no_proxy: str) -> None:
    variables = {**proxies, "NO_PROXY": no_proxy}
    try:
        expected = chosen_by_httpx(base_url, **variables)
    except (httpx.InvalidURL, ValueError):
        return  # other tests check what httpx cannot read
    assert chosen(base_url, **variables) == expected


@pytest.mark.parametrize("no_proxy", ["[::1]", "::1/128", "fd00::/8,[::1]"])
def test_ipv6_networks_are_read_although_httpx_cannot(no_proxy: str) -> None:
    with pytest.raises(httpx.InvalidURL):
        chosen_by_httpx("http://[::1]", HTTP_PROXY=A, NO_PROXY="[::1]")
    host = "fd00::" if "fd00" in no_proxy else "::1"
    assert chosen(f"http://[{host}]:8000", HTTP_PROXY=A, NO_PROXY=no_proxy) is None
    assert chosen(API, HTTPS_PROXY=A, NO_PROXY=no_proxy) == A


def test_error_names_a_malformed_host() -> None:
    with pytest.raises(ConfigurationError, match="NO_PROXY contains 'exa:mple:1', which is not a host"):
        chosen(API, HTTPS_PROXY=A, NO_PROXY="localhost,exa:mple:1")
    assert chosen(API, NO_PROXY="exa:mple:1") is None, "without a proxy it does not matter"


# The argument


def test_given_proxy_overrides_the_environment() -> None:
    environment = Environment(proxies={"https": B}, no_proxy="*")
    for proxy in (A, httpx.URL(A), httpx.Proxy(A)):
        found = choose_proxy(API, proxy, environment)
        assert found is not None
        assert str(found.url) == A


def test_credentials_headers_and_certificates_are_kept() -> None:
    context = ssl.create_default_context()
    given_proxy = httpx.Proxy("https://u:p%40ss@h:1", headers={"X-Team": "a"}, ssl_context=context)
    assert choose_proxy(API, given_proxy, Environment()) is given_proxy
    read = choose_proxy(API, None, Environment(proxies={"https": "http://u:p%40ss@h:1"}))
    assert read is not None
    assert (read.auth, str(read.url)) == (("u", "p@ss"), "http://h:1")


WRONG: list[Any] = [
    "",
    "proxy.example:3128",
    "ftp://proxy.example",
    f"socks4://u:{SECRET}@proxy.example",
    "http://",
    "http://:3128",
    f"http://u:{SECRET}@[::1",
    f"http://u:{SECRET}@h:port",
    b"http://proxy.example",
    3128,
    ("http://proxy.example",),
]


@pytest.mark.parametrize("proxy", WRONG)
def test_error_of_an_invalid_proxy_does_not_show_its_password(proxy: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^proxy must be the URL of a proxy, such as 'http://") as caught:
        choose_proxy(API, proxy, Environment())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https", "all"])
@pytest.mark.parametrize("address", ["ftp://proxy.example", "http://[::1", "http://:80"])
def test_error_names_a_variable_with_an_invalid_proxy(scheme: str, address: str) -> None:
    base_url = "http://h" if scheme == "http" else API
    with pytest.raises(ConfigurationError, match=f"^{scheme.upper()}_PROXY must be the URL of a proxy"):
        choose_proxy(base_url, None, Environment(proxies={scheme: address}))


def test_unused_variable_is_not_checked() -> None:
    assert choose_proxy(API, None, Environment(proxies={"http": "nonsense://"})) is None


def test_certificates_of_a_proxy_without_tls_raise_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="proxy has an ssl_context"):
        choose_proxy(API, httpx.Proxy(A, ssl_context=ssl.create_default_context()), Environment())


def test_socks_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    for proxy in ("socks5://h:1", "socks5h://h:1"):
        with pytest.raises(ConfigurationError, match=r"proxy is a SOCKS proxy.*pip install 'httpx\[socks\]'"):
            choose_proxy(API, proxy, Environment())
