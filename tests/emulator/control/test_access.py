from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.emulator.account.arguments import RefusedError
from plivo_record_async.emulator.control.access import own_addresses, refuse_web_pages

own = own_addresses(["Box", "10.0.0.5"], 8765)


def refuse(method: str = "GET", **given: Any) -> None:
    headers: dict[str, Any] = {"hosts": ["127.0.0.1:8765"], "origins": [], "content_types": [], "control_headers": []}
    refuse_web_pages(method, **{**headers, **given}, own=own)


def test_server_accepts_its_own_names_and_those_of_the_loopback_interface() -> None:
    assert own == {"box:8765", "10.0.0.5:8765", "localhost:8765", "127.0.0.1:8765", "[::1]:8765"}
    assert own_addresses(["fe80::1"], 1) >= {"[fe80::1]:1"}


def test_port_80_may_be_left_out_of_the_host() -> None:
    assert own_addresses([], 80) == {
        *("localhost", "127.0.0.1", "[::1]"),
        *("localhost:80", "127.0.0.1:80", "[::1]:80"),
    }


@pytest.mark.parametrize("host", ["localhost:8765", "LOCALHOST:8765", "127.0.0.1:8765", "[::1]:8765", "BOX:8765"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_header_against_forged_requests(method: str, host: str) -> None:
    refuse(method, hosts=[host])
    refuse(method, hosts=[host, host], origins=["http://localhost:8765"])


@pytest.mark.parametrize(
    "hosts",
    [
        *([], [""], ["evil.example"], ["evil.example:8765"], ["localhost"], ["localhost:80"], ["127.0.0.1:9999"]),
        *(["127.0.0.1:8765.evil.example"], ["127.0.0.1.evil.example:8765"], ["evil.example@127.0.0.1:8765"]),
        *(["localhost:8765:8765"], ["::1:8765"], ["localhost.evil.example:8765"], ["box"], [" localhost:8765"]),
        *(["localhost:8765", "evil.example"], ["evil.example", "localhost:8765"], ["localhost:8765, evil.example"]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_host_is_refused(method: str, hosts: list[str]) -> None:
    with pytest.raises(RefusedError, match=r"403 Host .* is not an address of this emulator") as caught:
        refuse(method, hosts=hosts, control_headers=["1"])
    assert "use one of 10.0.0.5:8765, 127.0.0.1:8765, " in caught.value.error


@pytest.mark.parametrize(
    "origins",
    [
        *(["null"], [""], ["https://evil.example"], ["http://evil.example:8765"], ["http://localhost:3000"]),
        *(["https://localhost:8765"], ["http://localhost"], ["localhost:8765"], ["http://localhost:8765/"]),
        *(["http://localhost:8765", "null"], ["http://localhost:8765.evil.example"], ["chrome-extension://abc"]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused(method: str, origins: list[str]) -> None:
    with pytest.raises(RefusedError, match=r"403 Origin .* is not this emulator"):
        refuse(method, origins=origins, control_headers=["1"], content_types=["application/json"])


@pytest.mark.parametrize(
    "marked",
    [
        {"control_headers": ["1"]},
        {"content_types": ["application/json"]},
        {"content_types": ["Application/JSON; charset=utf-8"]},
        {"control_headers": ["1"], "content_types": ["text/plain"], "origins": ["http://localhost:8765"]},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "get"])
def test_change_without_the_required_header_is_refused(method: str, marked: dict[str, Any]) -> None:
    refuse(method, **marked)
    with pytest.raises(RefusedError, match="403 a request that changes something needs the header"):
        refuse(method)


@pytest.mark.parametrize(
    "marked",
    [
        *(
            {"control_headers": ["0"]},
            {"control_headers": [""]},
            {"control_headers": ["1", "1"]},
            {"control_headers": ["true"]},
        ),
        *({"content_types": [each]} for each in ("", "text/plain", "application/x-www-form-urlencoded")),
        {"content_types": ["text/plain; application/json"]},
        {"content_types": ["multipart/form-data; boundary=application/json"]},
        {"content_types": ["application/jsonp"]},
        {"content_types": ["application/json", "text/plain"]},
        {"content_types": ["text/plain, application/json"]},
    ],
)
def test_header_that_any_web_page_may_send_does_not_allow_a_change(marked: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="403 a request that changes something"):
        refuse("POST", **marked)
