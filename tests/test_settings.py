"""Settings from arguments and the environment, and the errors that name what is missing or invalid."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plivo_record_async.errors import ConfigurationError
from plivo_record_async.settings import (
    CAPTURE_VARIABLE,
    DEFAULT_BASE_URL,
    Environment,
    Settings,
    captured_content,
    checked_base_url,
    log_level,
)
from plivo_record_async.telemetry.names import KINDS

AUTH_ID = "MAXXXXXXXXXXXXXXXXXX"
TOKEN = "s3cret-s3cret-s3cret-s3cret-s3cret-s3cr"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PLIVO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def base_url(value: str) -> str:
    return Settings.read(AUTH_ID, TOKEN, value).base_url


def test_arguments_become_settings() -> None:
    settings = Settings.read(AUTH_ID, TOKEN, "http://127.0.0.1:8080")
    assert (settings.auth_id, settings.auth_token) == (AUTH_ID, TOKEN)
    assert settings.base_url == "http://127.0.0.1:8080"
    assert settings.api_url == f"http://127.0.0.1:8080/v1/Account/{AUTH_ID}"


def test_environment_replaces_missing_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", AUTH_ID)
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", TOKEN)
    assert Settings.read(None, None, None) == Settings(auth_id=AUTH_ID, auth_token=TOKEN, base_url=DEFAULT_BASE_URL)
    monkeypatch.setenv("PLIVO_BASE_URL", "http://localhost:1/")
    assert Settings.read(None, None, None).base_url == "http://localhost:1"


def test_arguments_override_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_AUTH_ID", "nonsense")
    monkeypatch.setenv("PLIVO_AUTH_TOKEN", "other")
    monkeypatch.setenv("PLIVO_BASE_URL", "nonsense")
    settings = Settings.read(AUTH_ID, TOKEN, "https://h")
    assert (settings.auth_id, settings.auth_token, settings.base_url) == (AUTH_ID, TOKEN, "https://h")


@pytest.mark.parametrize("empty", [False, True])
def test_error_names_a_missing_setting_and_its_variable(monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    if empty:
        for name in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN", "PLIVO_BASE_URL"):
            monkeypatch.setenv(name, "")
    with pytest.raises(ConfigurationError, match=r"auth_id is missing: .* environment variable PLIVO_AUTH_ID"):
        Settings.read(None, TOKEN, None)
    with pytest.raises(ConfigurationError, match=r"auth_token is missing: .* environment variable PLIVO_AUTH_TOKEN"):
        Settings.read(AUTH_ID, None, None)
    assert Settings.read(AUTH_ID, TOKEN, None).base_url == DEFAULT_BASE_URL


@pytest.mark.parametrize("auth_id", [AUTH_ID, "SA" + "0" * 18, "MA" + "A1B2C3D4E5F6G7H8I9"])
def test_auth_id_of_plivos_form_is_accepted(auth_id: str) -> None:
    assert Settings.read(auth_id, TOKEN, None).auth_id == auth_id


@pytest.mark.parametrize(
    "auth_id", ["", "MA", AUTH_ID.lower(), AUTH_ID + "X", AUTH_ID + "\n", "XA" + "X" * 18, "MA" + "Ä" * 18, "MA/../x"]
)
def test_error_shows_a_malformed_auth_id(auth_id: str) -> None:
    with pytest.raises(ConfigurationError, match=r"auth_id .PLIVO_AUTH_ID. must be MA or SA") as caught:
        Settings.read(auth_id, TOKEN, None)
    assert repr(auth_id) in str(caught.value)


@pytest.mark.parametrize("token", ["", "to ken", " token", "token\n", "tok\x00en", "tok\u200ben"])
def test_error_does_not_show_a_malformed_token(token: str) -> None:
    with pytest.raises(ConfigurationError, match=f"auth_token .*{len(token)} characters") as caught:
        Settings.read(AUTH_ID, token, None)
    assert token == "" or token not in str(caught.value)


def test_a_token_is_never_shown() -> None:
    settings = Settings.read(AUTH_ID, TOKEN, None)
    assert TOKEN not in repr(settings) + str(settings) + repr(copy.copy(settings))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_setting_that_is_not_a_string_raises(position: int) -> None:
    arguments: list[Any] = [AUTH_ID, TOKEN, "https://h"]
    arguments[position] = b"bytes"
    with pytest.raises(ConfigurationError, match="must be a str, not bytes"):
        Settings.read(*arguments)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("https://api.plivo.com", "https://api.plivo.com"),
        ("https://api.plivo.com/", "https://api.plivo.com"),
        ("http://127.0.0.1:8080/plivo//", "http://127.0.0.1:8080/plivo"),
        ("http://[::1]:8080/a/b", "http://[::1]:8080/a/b"),
        ("HTTPS://API.PLIVO.COM", "HTTPS://API.PLIVO.COM"),
        ("http://localhost:", "http://localhost:"),
    ],
)
def test_base_url_may_have_port_and_path(value: str, taken: str) -> None:
    assert base_url(value) == taken


@pytest.mark.parametrize(
    "value",
    [
        "",
        "api.plivo.com",
        "//api.plivo.com",
        "ftp://api.plivo.com",
        "http://",
        "http:///path",
        "http://h:port",
        "http://h:99999",
        "http://[::1",
        "http://user:secret@h",
        "http://@h",
        "http://h/?",
        "http://h/?a=1",
        "http://h/#",
        "http://h/#a",
        "http://h/a b",
        "http://h/\n",
        "http://h/\x00",
        "http://h/\x7f",
        "http://hö",
    ],
)
def test_invalid_base_url_raises(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"base_url .PLIVO_BASE_URL. must be an http:// or https:// URL"):
        base_url(value)


def test_error_uses_the_given_name_of_a_url() -> None:
    assert checked_base_url("public_url", "https://me.example/plivo/") == "https://me.example/plivo"
    for value in ("me.example", None, b"https://me.example"):
        with pytest.raises(ConfigurationError, match=r"^public_url must be an http:// or https:// URL"):
            checked_base_url("public_url", value)


@given(st.text() | st.text(st.characters(max_codepoint=127)).map("http://".__add__))
@example("http://[v1.a]")
def test_any_text_is_a_base_url_or_a_configuration_error(value: str) -> None:
    try:
        taken = base_url(value)
    except ConfigurationError:
        return
    assert value.startswith(taken)
    assert not taken.endswith("/")


# Proxies and certificates


VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "FTP_PROXY")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def test_empty_environment_gives_default_network_settings(no_network: pytest.MonkeyPatch) -> None:
    assert Environment.read() == Environment(proxies={}, no_proxy="", cert_file=None, cert_dir=None)


def test_network_settings_are_read_from_the_environment(no_network: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        no_network.setenv(name, f"of {name}")
    no_network.setenv("https_proxy", "lower case first")
    assert Environment.read() == Environment(
        proxies={"http": "of HTTP_PROXY", "https": "lower case first", "all": "of ALL_PROXY"},
        no_proxy="of NO_PROXY",
        cert_file="of SSL_CERT_FILE",
        cert_dir="of SSL_CERT_DIR",
    )


def test_empty_variable_is_ignored(no_network: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        no_network.setenv(name, "")
    assert Environment.read() == Environment()


@pytest.mark.parametrize(
    ("value", "kinds"), [("", set[str]()), ("url", {"url"}), (" url , transcript,", {"url", "transcript"})]
)
def test_kinds_of_content_are_a_list(monkeypatch: pytest.MonkeyPatch, value: str, kinds: set[str]) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, value)
    assert captured_content(KINDS) == kinds
    monkeypatch.delenv(CAPTURE_VARIABLE)
    assert captured_content(KINDS) == set()


def test_error_names_an_unknown_kind_of_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, "url,everything")
    text = (
        "OTEL_INSTRUMENTATION_PLIVO_CAPTURE must be a list of conference_name, transcript, url, .* contain 'everything'"
    )
    with pytest.raises(ConfigurationError, match=text):
        captured_content(KINDS)


@pytest.mark.parametrize(
    ("value", "level"), [("", None), ("info", logging.INFO), ("INFO", logging.INFO), ("debug", logging.DEBUG)]
)
def test_log_level_is_read_from_the_environment(value: str, level: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", value)
    assert log_level() == level


@pytest.mark.parametrize("value", ["warning", "1", "debug "])
def test_log_level_must_be_debug_or_info(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIVO_LOG", value)
    with pytest.raises(ConfigurationError, match=f"^PLIVO_LOG must be debug or info, not '{value}'$"):
        log_level()
