"""Signatures, compared with the test vectors of the official SDKs and with the official Python SDK itself."""

from __future__ import annotations

import hmac
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plivo_record_async.errors import ConfigurationError, SignatureMissingError
from plivo_record_async.protocol.callbacks.signatures import (
    AuthTokens,
    SignatureHeaders,
    find_match,
    read_content_type,
    read_signature_headers,
    sign_callback_v3,
    signed_texts,
    split_url,
)
from tests.support.official_sdk import Form, accepts_v2, accepts_v3
from tests.support.samples.callbacks import MA_V3, NONCE, TOKEN, URL, V3, V3_NONCE

EXAMPLES = int(os.environ.get("SIGNATURE_EXAMPLES", "500"))
"""How many random callbacks are compared with the official SDK. ``SIGNATURE_EXAMPLES=20000`` takes minutes."""

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors" / "signatures.json").read_text())


def vectors(scheme: str) -> list[Any]:
    return [pytest.param(v, id=f"{i}-{v['source']}") for i, v in enumerate(VECTORS) if v["scheme"] == scheme]


def signature_headers(**signatures: str) -> SignatureHeaders:
    return SignatureHeaders("V3", NONCE, {name.replace("_", "-"): value for name, value in signatures.items()})


def accepts(method: str, url: str, form: Form, *, nonce: str, token: AuthTokens, signature: str) -> bool:
    """Return whether this package accepts a signature, with the arguments of the official SDK."""
    pairs = [(k, v) for k, values in form.items() for v in ([values] if isinstance(values, str) else values)]
    claimed = read_signature_headers({V3: signature, V3_NONCE: nonce})
    return find_match(claimed, signed_texts(claimed, method, url, pairs), token) is not None


# The vectors


@pytest.mark.parametrize("vector", vectors("V3"))
def test_signatures_of_version_3_equal_the_vectors(vector: dict[str, Any]) -> None:
    method, url, form, token = (vector[key] for key in ("method", "uri", "params", "auth_token"))
    nonce, signature = vector["nonce"], vector["signature"]
    assert (sign_callback_v3(method, url, form, nonce, token) == signature) is vector["valid"]
    assert accepts(method, url, form, nonce=nonce, token=token, signature=signature) is vector["valid"]


@pytest.mark.parametrize("vector", vectors("V2"))
def test_signatures_of_version_2_equal_the_vectors(vector: dict[str, Any]) -> None:
    headers = {"X-Plivo-Signature-V2": vector["signature"], "X-Plivo-Signature-V2-Nonce": vector["nonce"]}
    claimed = read_signature_headers(headers, allow_v2=True)
    texts = signed_texts(claimed, vector["method"], vector["uri"], [("not", "covered")])
    assert (find_match(claimed, texts, vector["auth_token"]) is not None) is vector["valid"]


def test_vectors_are_present() -> None:
    assert (len(vectors("V3")), len(vectors("V2"))) == (4, 11)


# The official SDK

methods = st.sampled_from(["GET", "POST"])
text = st.text(max_size=12)
ascii_text = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=8)
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
hosts = st.sampled_from(["h", "me.example", "ME.Example", "127.0.0.1", "xn--bcher-kva.example"])
ports = st.sampled_from(["", ":80", ":443", ":8443"])
paths = st.lists(text.map(lambda segment: quote(segment, safe="!$'()*+,:@~-._")), max_size=3).map(
    lambda segments: "".join(f"/{segment}" for segment in segments)
)
# The official SDK cannot read a query that decodes to something beyond ASCII:
# see test_queries_beyond_ascii_are_signed_percent_encoded.
pairs = st.lists(st.tuples(ascii_text, ascii_text), max_size=4)
queries = st.one_of(
    st.just(""),
    st.just("?"),
    pairs.map(lambda query_pairs: f"?{urlencode(query_pairs)}"),
    pairs.map(lambda query_pairs: f"?{urlencode(query_pairs + query_pairs, quote_via=quote)}"),
    st.sampled_from(["?flag", "?a=2&a=1", "?a=&b", "?&&a=1&", "?=", "?a==b", "?a=b%26c%3Dd+e", "?a?b=/#c"]),
)
urls = st.builds(
    "{}://{}{}{}{}{}".format,
    st.sampled_from(["http", "https"]),
    hosts,
    ports,
    paths,
    queries,
    st.sampled_from(["", "#ct=2000&rc=3"]),
)
values = text | st.lists(text, min_size=1, max_size=3)
names = st.sampled_from(["a", "b", "A", "p10", "p2", "api_id", "record_url"]) | text
forms = st.dictionaries(names, values, max_size=6)


@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.timeout(900)
@given(
    method=methods,
    url=urls,
    form=forms,
    nonce=visible,
    token=text.filter(bool),
    others=st.lists(text.filter(bool), max_size=2),
)
@example(method="GET", url="https://h/cb?a=2&b=1", form={"a": "1"}, nonce="1", token="t", others=[])
@example(method="POST", url="https://h/cb;a=1/x;b=2;c?q=1", form={}, nonce="1", token="t", others=["u"])
def test_the_official_sdk_agrees_on_genuine_callbacks(
    *, method: str, url: str, form: Form, nonce: str, token: str, others: list[str]
) -> None:
    signature = sign_callback_v3(method, url, form, nonce, token)
    assert accepts_v3(method, url, form, nonce=nonce, token=token, signature=signature)
    assert accepts(method, url, form, nonce=nonce, token=[*others, token], signature=signature)


@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.timeout(900)
@given(
    genuine=st.tuples(methods, urls, forms),
    other=st.tuples(methods, urls, forms),
    change=st.sampled_from(["method", "url", "form", "nonce", "token", "signature"]),
)
def test_the_official_sdk_agrees_on_changed_callbacks(
    genuine: tuple[str, str, Form], other: tuple[str, str, Form], change: str
) -> None:
    signature = sign_callback_v3(*genuine, NONCE, TOKEN)
    method = other[0] if change == "method" else genuine[0]
    url = other[1] if change == "url" else genuine[1]
    form = other[2] if change == "form" else genuine[2]
    nonce = f"{NONCE}0" if change == "nonce" else NONCE
    token = TOKEN.lower() if change == "token" else TOKEN
    signature = signature.swapcase() if change == "signature" else signature
    theirs = accepts_v3(method, url, form, nonce=nonce, token=token, signature=signature)
    ours = accepts(method, url, form, nonce=nonce, token=token, signature=signature)
    # For us a root with a slash and one without are the same address, as for HTTP.
    assert ours is theirs or (ours and split_url(url)[1] in {"", "/"})


@given(urls, visible, text.filter(bool))
def test_the_official_sdk_agrees_on_version_2(url: str, nonce: str, token: str) -> None:
    claimed = SignatureHeaders("V2", nonce, {})
    [official, *_] = signed_texts(claimed, "POST", url, [])
    signature = hmac_sha256(token, official)
    assert accepts_v2(url, nonce=nonce, token=token, signature=signature)


def hmac_sha256(token: str, signed: str) -> str:
    return b64encode(hmac.new(token.encode(), signed.encode(), "sha256").digest()).decode()


# The signed text


@pytest.mark.parametrize(
    ("method", "url", "form", "signed"),
    [
        ("POST", "https://h/cb", [], "https://h/cb"),
        ("POST", "https://h/cb", [("b", "2"), ("a", "1")], "https://h/cb?a1b2"),
        ("POST", "https://h/cb?", [("a", "1")], "https://h/cb?a1"),
        ("POST", "https://h/cb?q=1", [], "https://h/cb?q=1"),
        ("POST", "https://h/cb?q=1&p=2", [("a", "1")], "https://h/cb?p=2&q=1.a1"),
        ("POST", "https://h/cb?q=2&q=1", [("a", "2"), ("a", "1")], "https://h/cb?q=1&q=2.a1a2"),
        ("POST", "https://h/cb?q", [("a", "")], "https://h/cb?q=.a"),
        ("POST", "https://h/cb?q=a%26b%3Dc+d", [], "https://h/cb?q=a&b=c d"),
        ("POST", "https://h/cb#rc=5&rp=ct", [("a", "1")], "https://h/cb?a1"),
        ("POST", "https://h/cb", [("p10", "x"), ("p2", "y"), ("P", "z")], "https://h/cb?Pzp10xp2y"),
        ("GET", "https://h/cb", [], "https://h/cb"),
        ("GET", "https://h/cb?", [], "https://h/cb"),
        ("GET", "https://h/cb?b=2&a=1", [], "https://h/cb?a=1&b=2"),
        ("GET", "https://h/cb?b=2", [("a", "1")], "https://h/cb?a=1&b=2"),
        ("GET", "https://h/cb?b=2", [("b", "1")], "https://h/cb?b=2"),
        ("get", "https://h/cb?b=2", [], "https://h/cb?b=2"),
        ("POST", "HTTPS://H:443/a%2Fb/", [], "https://H:443/a%2Fb/"),
        ("POST", "http://u:p@h:8080/cb", [], "http://u:p@h:8080/cb"),
    ],
)
def test_signed_text_of_each_kind_of_request(method: str, url: str, form: list[tuple[str, str]], signed: str) -> None:
    assert signed_texts(signature_headers(), method, url, form) == (f"{signed}.{NONCE}",)


@pytest.mark.parametrize(
    ("url", "texts"),
    [
        ("https://h", ["https://h", "https://h/"]),
        ("https://h/", ["https://h/", "https://h"]),
        ("https://h/?q=1", ["https://h/?q=1", "https://h?q=1"]),
        ("https://h//", ["https://h//"]),
        ("https://h/cb/", ["https://h/cb/"]),
        ("https://h/a;b/c;d", ["https://h/a;b/c", "https://h/a;b/c;d"]),
        ("https://h/a;b/c", ["https://h/a;b/c"]),
    ],
)
def test_all_spellings_of_one_address_are_accepted(url: str, texts: Sequence[str]) -> None:
    assert signed_texts(signature_headers(), "POST", url, []) == tuple(f"{text}.{NONCE}" for text in texts)
    for text_ in texts:
        signature = hmac_sha256(TOKEN, f"{text_}.{NONCE}")
        assert accepts("POST", url, {}, nonce=NONCE, token=TOKEN, signature=signature)


def test_a_root_url_without_slash_is_signed_as_it_was_given() -> None:
    with_slash, without = (sign_callback_v3("POST", url, {}, NONCE, TOKEN) for url in ("https://h/", "https://h"))
    assert with_slash != without
    assert accepts_v3("POST", "https://h", {}, nonce=NONCE, token=TOKEN, signature=without)


@pytest.mark.parametrize(
    "url", ["https://h/cb?name=J%C3%BCrgen&%E2%82%AC=1", "https://h/cb?name=Jürgen&€=1", "https://h/cb?€=1&name=Jürgen"]
)
def test_queries_beyond_ascii_are_signed_percent_encoded(url: str) -> None:
    """The six other official SDKs sign the decoded query. The Python SDK raises an error or signs a wrong text."""
    expected = hmac_sha256(TOKEN, f"https://h/cb?name=Jürgen&€=1.a1.{NONCE}")
    assert sign_callback_v3("POST", url, {"a": "1"}, NONCE, TOKEN) == expected
    assert accepts("POST", url, {"a": "1"}, nonce=NONCE, token=TOKEN, signature=expected)
    try:
        official = accepts_v3("POST", url, {"a": "1"}, nonce=NONCE, token=TOKEN, signature=expected)
    except UnicodeError:
        official = False
    assert not official


def test_version_2_covers_neither_query_nor_body() -> None:
    claimed = SignatureHeaders("V2", "12345", {})
    assert signed_texts(claimed, "POST", "https://h/cb?q=1", [("a", "1")]) == ("https://h/cb12345",)


@pytest.mark.parametrize("url", ["", "/cb", "h/cb", "ftp://h/cb", "https:/h", "https://", "https:///cb", "https://?q"])
def test_url_that_is_not_absolute_is_invalid(url: str) -> None:
    with pytest.raises(ValueError, match="url must be an absolute http:// or https:// URL, not"):
        sign_callback_v3("POST", url, {}, NONCE, TOKEN)


def test_method_other_than_get_and_post_is_invalid() -> None:
    with pytest.raises(ValueError, match="method must be GET or POST, not 'PUT'"):
        sign_callback_v3("PUT", URL, {}, NONCE, TOKEN)


# Headers


def test_header_names_may_be_in_any_case() -> None:
    headers = {
        "x-plivo-SIGNATURE-v3": "s",
        "X-PLIVO-SIGNATURE-MA-V3": "m",
        "x-plivo-signature-v3-nonce": "1",
        "host": "h",
    }
    assert read_signature_headers(headers) == SignatureHeaders(
        "V3", "1", {"x-plivo-signature-v3": "s", "x-plivo-signature-ma-v3": "m"}
    )


def test_header_names_may_be_those_of_wsgi() -> None:
    environ: Any = {"HTTP_X_PLIVO_SIGNATURE_V3": "s", "HTTP_X_PLIVO_SIGNATURE_V3_NONCE": "1", "wsgi.version": (1, 0)}
    assert read_signature_headers(environ) == SignatureHeaders("V3", "1", {"x-plivo-signature-v3": "s"})


@pytest.mark.parametrize(
    ("headers", "content_type"),
    [
        ({}, None),
        ({"Host": "h"}, None),
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"content-type": ""}, ""),
        ({"CONTENT_TYPE": "text/plain"}, "text/plain"),
        ({"CONTENT_TYPE": "", "HTTP_HOST": "h"}, None),
        ({"CONTENT_TYPE": "", "HTTP_CONTENT_TYPE": "text/plain"}, "text/plain"),
    ],
)
def test_content_type_decides_whether_a_body_is_a_form(headers: dict[str, str], content_type: str | None) -> None:
    assert read_content_type(headers) == content_type


@pytest.mark.parametrize("headers", [{V3: b"s", V3_NONCE: "1"}, {V3: None, V3_NONCE: "1"}, {b"x": b"y"}])
def test_error_names_headers_that_are_not_text(headers: Any) -> None:
    with pytest.raises(TypeError, match="headers must be texts, not"):
        read_signature_headers(headers)


def test_error_names_a_token_that_is_not_text() -> None:
    with pytest.raises(TypeError, match="auth_tokens must be a str or several"):
        find_match(signature_headers(x_plivo_signature_v3="s"), ["text"], [b"t"])  # type: ignore[list-item]


def test_values_of_a_repeated_header_are_one_list() -> None:
    headers = {V3: "s", V3.lower(): "t", V3_NONCE: "1"}
    assert read_signature_headers(headers).signatures == {"x-plivo-signature-v3": "s,t"}


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "has no signature$"),
        ({V3: "s"}, "has only x-plivo-signature-v3$"),
        ({V3_NONCE: "1"}, "has only x-plivo-signature-v3-nonce$"),
        ({V3: "", MA_V3: "", V3_NONCE: "1"}, "must carry X-Plivo-Signature-V3"),
        ({"X-Plivo-Signature": "s"}, "has only x-plivo-signature$"),
        (
            {"X-Plivo-Signature-V2": "s", "X-Plivo-Signature-V2-Nonce": "1"},
            "version 2 does not cover the body and is accepted only with allow_v2=True$",
        ),
        ({"X-Plivo-Signature-Ma-V2": "s", "X-Plivo-Signature-V2-Nonce": "1"}, "version 2 does not cover"),
    ],
)
def test_error_of_a_missing_signature_names_the_headers(headers: dict[str, str], words: str) -> None:
    with pytest.raises(SignatureMissingError, match=words) as caught:
        read_signature_headers(headers)
    assert caught.value.status == 403


def test_version_2_signature_counts_only_without_a_version_3_signature() -> None:
    v2 = {"X-Plivo-Signature-V2": "s", "X-Plivo-Signature-V2-Nonce": "1"}
    assert read_signature_headers(v2, allow_v2=True) == SignatureHeaders("V2", "1", {"x-plivo-signature-v2": "s"})
    assert read_signature_headers({**v2, V3: "t", V3_NONCE: "2"}, allow_v2=True).version == "V3"
    with pytest.raises(SignatureMissingError, match="X-Plivo-Signature-V3"):
        read_signature_headers({**v2, MA_V3: "t"}, allow_v2=True)
    with pytest.raises(SignatureMissingError, match="X-Plivo-Signature-V2"):
        read_signature_headers({}, allow_v2=True)


# Matching signatures


def valid_signature(token: str = TOKEN) -> str:
    return hmac_sha256(token, "text")


@pytest.mark.parametrize("separator", [",", ", ", " ,  "])
@pytest.mark.parametrize("tokens", [TOKEN, [TOKEN], ("old", TOKEN), ["ünïcödé", TOKEN, "new"]])
def test_any_listed_signature_may_match_any_token(separator: str, tokens: AuthTokens) -> None:
    listed = separator.join(["", "bm90IGl0", valid_signature(), "x"])
    assert find_match(signature_headers(x_plivo_signature_v3=listed), ["other", "text"], tokens) == (
        "x-plivo-signature-v3",
        "text",
    )


def test_signature_of_the_main_account_is_accepted() -> None:
    claimed = signature_headers(
        x_plivo_signature_v3=valid_signature("subaccount's"), x_plivo_signature_ma_v3=valid_signature("main's")
    )
    assert find_match(claimed, ["text"], "main's") == ("x-plivo-signature-ma-v3", "text")
    assert find_match(claimed, ["text"], "subaccount's") == ("x-plivo-signature-v3", "text")
    assert find_match(claimed, ["text"], "nobody's") is None


@pytest.mark.parametrize(
    "changed", [valid_signature().lower(), valid_signature()[:-1], f"{valid_signature()}=", "", f"é{valid_signature()}"]
)
def test_changed_signature_does_not_match(changed: str) -> None:
    assert find_match(signature_headers(x_plivo_signature_v3=changed), ["text"], TOKEN) is None


@pytest.mark.parametrize("signature", ["ü", "\ud800", "签名", "\x00", "?"])
def test_signature_beyond_ascii_does_not_match(signature: str) -> None:
    assert find_match(signature_headers(x_plivo_signature_v3=signature), ["text"], TOKEN) is None


def test_url_with_a_lone_surrogate_does_not_match() -> None:
    claimed = signature_headers(x_plivo_signature_v3=valid_signature())
    assert find_match(claimed, signed_texts(claimed, "GET", "https://h/\ud800?\udfff", []), TOKEN) is None


@pytest.mark.parametrize("tokens", ["", [], (), [""], ["good", ""]])
def test_empty_token_raises_configuration_error(tokens: AuthTokens) -> None:
    with pytest.raises(ConfigurationError, match="at least one auth token and no empty one"):
        find_match(signature_headers(x_plivo_signature_v3="s"), ["text"], tokens)


def test_repr_and_errors_show_no_token() -> None:
    claimed = signature_headers(x_plivo_signature_v3=valid_signature())
    assert TOKEN not in repr(claimed)
