"""The report that explains why a signature does not match."""

from __future__ import annotations

from typing import Any

import pytest

from plivo_record_async.errors import ConfigurationError, MalformedCallbackError, SignatureMismatchError
from plivo_record_async.protocol.callbacks.diagnostics import SignatureReport, explain_signature
from plivo_record_async.protocol.callbacks.parsing import parse_callback
from plivo_record_async.protocol.callbacks.signatures import SignatureHeaders
from plivo_record_async.protocol.models import UnknownCallback
from tests.support.samples.callbacks import MA_V3, NONCE, RECORDING_ENDED, TOKEN, URL, V3, V3_NONCE, callback

ANOTHER = "it was signed with another auth token or for another URL, or it was changed after that"


def explain(tokens: Any = TOKEN, /, **changes: Any) -> SignatureReport:
    request: dict[str, Any] = {**callback({"b": "2", "a": "1"}), **changes}
    return explain_signature(**request, auth_tokens=tokens)


def test_matching_signature_is_reported() -> None:
    request = callback({"b": "2", "a": "1"})
    report = explain()
    assert report == SignatureReport(
        signature_headers=SignatureHeaders("V3", NONCE, {V3.lower(): request["headers"][V3]}),
        signed_texts=(f"{URL}.a1b2.{NONCE}",),
        matched=V3.lower(),
    )
    assert report.ok
    assert str(report) == (
        f"the signature matches\nsigned text: {URL}.a1b2.{NONCE}\n{V3.lower()}: {request['headers'][V3]}"
    )


def test_a_mismatch_shows_what_was_compared() -> None:
    report = explain("other", headers={V3: "given", MA_V3: "also, given", V3_NONCE: "1"})
    assert not report.ok
    assert str(report).splitlines() == [
        "no signature matches",
        f"signed text: {URL}.a1b2.1",
        "x-plivo-signature-v3: given",
        "x-plivo-signature-ma-v3: also, given",
        ANOTHER,
    ]


def test_missing_signature_is_reported() -> None:
    report = explain(headers={"X-Plivo-Signature-V2": "s"})
    assert (report.ok, report.signature_headers, report.signed_texts) == (False, None, ())
    assert str(report).startswith("no signature matches\nthe request must carry X-Plivo-Signature-V3 ")
    assert "version 2 does not cover the body" in str(report)


PROXY = ": a proxy changed the URL; verify against the one that was given to Plivo"


@pytest.mark.parametrize(
    ("given", "seen", "hint"),
    [
        ("https://h/cb?q=1", "http://h/cb?q=1", f"it was signed for https://{PROXY}"),
        ("http://h/cb", "https://h/cb", f"it was signed for http://{PROXY}"),
        ("https://h/cb?q=1", "https://h:8443/cb?q=1", f"it was signed for a URL without port{PROXY}"),
        ("https://h/cb", "http://h:8080/cb", f"it was signed for https:// without port{PROXY}"),
        ("https://[::1]/cb", "http://[::1]:8080/cb", f"it was signed for https:// without port{PROXY}"),
        (
            "https://h/cb?q=1",
            "https://h/cb/?q=1",
            "it was signed for a URL that differs only in the slash at the end of its path",
        ),
        (
            "https://h/cb/",
            "https://h/cb",
            "it was signed for a URL that differs only in the slash at the end of its path",
        ),
        ("https://h/cb", "https://h/cb?q=1", "it was signed for the URL without its query"),
        ("https://other/cb", "https://h/cb", ANOTHER),
        ("https://h:x/cb", "https://h:y/cb", ANOTHER),
    ],
)
def test_usual_mistakes_are_named(given: str, seen: str, hint: str) -> None:
    request: dict[str, Any] = {**callback(RECORDING_ENDED, url=given), "url": seen}
    report = explain_signature(**request, auth_tokens=["other", TOKEN])
    assert (report.ok, report.hint) == (False, hint)
    with pytest.raises(SignatureMismatchError):
        parse_callback(**request, auth_tokens=TOKEN)


def test_changed_method_is_named() -> None:
    request: dict[str, Any] = {**callback({"a": "1"}), "method": "GET"}
    assert explain_signature(**request, auth_tokens=TOKEN).hint == "it was signed as a POST"


def test_a_get_signs_as_a_post_without_a_form() -> None:
    """A captured GET can be sent as a POST with an empty form, which reports no event."""
    request: dict[str, Any] = {**callback(RECORDING_ENDED, method="GET"), "method": "POST"}
    assert explain_signature(**request, auth_tokens=TOKEN).ok
    assert parse_callback(**request, auth_tokens=TOKEN) == UnknownCallback()


def test_expected_url_is_the_one_that_is_compared() -> None:
    request: dict[str, Any] = {**callback({"a": "1"}), "url": "http://10.0.0.7/inner?start=other"}
    assert explain_signature(**request, auth_tokens=TOKEN, expected_url=f"{URL}#rc=5").ok
    report = explain_signature(**request, auth_tokens=TOKEN, expected_url=URL.replace("https", "http"))
    assert (report.ok, report.hint) == (False, f"it was signed for https://{PROXY}")
    with pytest.raises(ValueError, match="url must be an absolute"):
        explain_signature(**request, auth_tokens=TOKEN, expected_url="/inner")


def test_report_shows_neither_token_nor_correct_signature() -> None:
    right = callback({"b": "2", "a": "1"})["headers"][V3]
    report = explain(headers={V3: "wrong", V3_NONCE: NONCE})
    for shown in (str(report), repr(report)):
        assert TOKEN not in shown
        assert right not in shown


@pytest.mark.parametrize(
    "changes", [{"method": "PUT"}, {"url": "/cb"}, {"headers": {V3: "s", V3_NONCE: "1", "Content-Type": "x"}}]
)
def test_request_that_cannot_be_verified_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedCallbackError):
        explain(**changes)


def test_missing_token_raises_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        explain([])
