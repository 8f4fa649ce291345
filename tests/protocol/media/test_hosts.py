from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.protocol.media.hosts import DEFAULT_MEDIA_HOSTS, MediaHosts, MediaUrlError

API = "https://api.plivo.com"
DEFAULT = MediaHosts.read(API, DEFAULT_MEDIA_HOSTS)
LISTED = MediaHosts.read("http://127.0.0.1:8765", ["media.example", "http://plain.example:8080/r/", "[::1]"])


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        (
            "https://media.plivo.com/v1/Account/MA/Recording/r.mp3",
            "https://media.plivo.com/v1/Account/MA/Recording/r.mp3",
        ),
        ("http://media.plivo.com/r.mp3", "https://media.plivo.com/r.mp3"),
        ("HTTPS://MEDIA.plivo.com:443/r.mp3?x=1#part", "https://media.plivo.com/r.mp3?x=1"),
        ("http://s3.amazonaws.com/recordings_2013/93bc.mp3", "https://s3.amazonaws.com/recordings_2013/93bc.mp3"),
        ("http://s3.amazonaws.com/plivocloud/1.mp3", "https://s3.amazonaws.com/plivocloud/1.mp3"),
        ("https://api.plivo.com/v1/x.mp3", "https://api.plivo.com/v1/x.mp3"),
    ],
)
def test_recorded_files_of_plivo_are_allowed_over_https(url: str, resolved: str) -> None:
    assert str(DEFAULT.resolve(url)) == resolved


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/r.mp3",
        "https://media.plivo.com.evil.example/r.mp3",
        "https://xmedia.plivo.com/r.mp3",
        "https://media.plivo.com:8443/r.mp3",
        "http://media.plivo.com:8080/r.mp3",
        "https://s3.amazonaws.com/someone-else/r.mp3",
        "https://s3.amazonaws.com/plivocloud",
        "https://s3.amazonaws.com/recordings_2013/../someone-else/r.mp3",
        "https://s3.amazonaws.com/recordings_2013/%2e%2e/someone-else/r.mp3",
        "https://s3.amazonaws.com/recordings_2013/%252e%252e/someone-else/r.mp3",
        "https://s3.amazonaws.com/recordings_2013/..%2fsomeone-else/r.mp3",
        "https://s3.amazonaws.com/recordings_2013/..%5csomeone-else/r.mp3",
        "https://media.plivo.com@evil.example/r.mp3",
        "https://user:secret@media.plivo.com/r.mp3",
        "https://media.plivo.com\\@evil.example/r.mp3",
        "https://evil.example\\media.plivo.com/r.mp3",
        "https://media.plivo.com/r.mp3\r\nX: 1",
        "https://media.plivo.com/r .mp3",
        "https://mediä.plivo.com/r.mp3",
        "https://[::1/r.mp3",
        "https://media.plivo.com:99999/r.mp3",
        "ftp://media.plivo.com/r.mp3",
        "file:///etc/passwd",
        "//media.plivo.com/r.mp3",
        "/r.mp3",
        "",
        None,
        b"https://media.plivo.com/r.mp3",
    ],
)
def test_every_other_url_is_rejected(url: Any) -> None:
    with pytest.raises(MediaUrlError):
        DEFAULT.resolve(url)


def test_rejection_does_not_show_a_password() -> None:
    with pytest.raises(MediaUrlError) as caught:
        DEFAULT.resolve("https://user:secret@evil.example/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8765/v1/x.mp3", True),
        ("http://127.0.0.1/v1/x.mp3", False),
        ("https://127.0.0.1:8765/v1/x.mp3", False),
        ("http://media.example/x.mp3", True),
        ("https://media.example/x.mp3", True),
        ("https://media.example:444/x.mp3", False),
        ("http://plain.example:8080/r/x.mp3", True),
        ("https://plain.example:8080/r/x.mp3", False),
        ("http://plain.example:8080/s/x.mp3", False),
        ("http://[::1]/x.mp3", True),
        ("https://media.plivo.com/x.mp3", False),
    ],
)
def test_listed_hosts_are_allowed_as_they_are_written(url: str, allowed: bool) -> None:
    if allowed:
        assert str(LISTED.resolve(url)) == url
    else:
        with pytest.raises(MediaUrlError, match="media_hosts"):
            LISTED.resolve(url)


@pytest.mark.parametrize(
    ("hosts", "url", "takes_credentials", "must_be_public"),
    [
        (DEFAULT, "https://media.plivo.com/r.mp3", True, True),
        (DEFAULT, "https://s3.amazonaws.com/plivocloud/r.mp3", False, True),
        (DEFAULT, "https://api.plivo.com/r.mp3", True, False),
        (LISTED, "http://127.0.0.1:8765/r.mp3", True, False),
        (LISTED, "https://media.example/r.mp3", False, False),
    ],
)
def test_host_decides_about_credentials_and_private_addresses(
    hosts: MediaHosts,
    url: str,
    takes_credentials: bool,
    must_be_public: bool,
) -> None:
    resolved = hosts.resolve(url)
    assert (resolved.takes_credentials, resolved.must_be_public) == (takes_credentials, must_be_public)


def test_user_who_lists_a_default_host_still_gets_its_rules() -> None:
    hosts = MediaHosts.read(API, ["media.plivo.com", "mine.example"])
    assert hosts.resolve("http://media.plivo.com/r.mp3").must_be_public
    assert not hosts.resolve("http://mine.example/r.mp3").must_be_public


@pytest.mark.parametrize(
    ("location", "resolved"),
    [
        ("/other.mp3", "https://media.plivo.com/other.mp3"),
        ("//s3.amazonaws.com/plivocloud/r.mp3", "https://s3.amazonaws.com/plivocloud/r.mp3"),
        ("https://s3.amazonaws.com/plivocloud/r.mp3", "https://s3.amazonaws.com/plivocloud/r.mp3"),
    ],
)
def test_redirect_may_be_relative(location: str, resolved: str) -> None:
    base = DEFAULT.resolve("https://media.plivo.com/r.mp3")
    assert str(DEFAULT.resolve(location, base=base)) == resolved


@pytest.mark.parametrize("location", ["//evil.example/r.mp3", "http://10.0.0.1/r.mp3", "r.mp3", "/../r.mp3"])
def test_redirect_is_checked_as_a_url_of_a_user(location: str) -> None:
    base = DEFAULT.resolve("https://media.plivo.com/r.mp3")
    with pytest.raises(MediaUrlError):
        DEFAULT.resolve(location, base=base)


@pytest.mark.parametrize(
    "media_hosts",
    [
        "media.example",
        b"x",
        1,
        ["ftp://media.example"],
        ["media.example:0"],
        ["a b"],
        [""],
        [None],
        ["user@host"],
        ["*"],
    ],
)
def test_malformed_media_hosts_are_rejected(media_hosts: Any) -> None:
    with pytest.raises(ConfigurationError, match="media_hosts"):
        MediaHosts.read(API, media_hosts)
