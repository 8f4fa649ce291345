"""The official ``plivo`` package: a client that calls a server of the test, and its checks of signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.untyped_libraries import plivo, requests

__all__ = ["Form", "accepts_v2", "accepts_v3", "official_client"]

Form = Mapping[str, str | Sequence[str]]


def official_client(url: str, auth_id: str, auth_token: str) -> Any:
    """Return a client of the official package whose requests go to ``url``; it has no setting for that."""
    client = plivo.RestClient(auth_id, auth_token)
    client.session.trust_env = False
    client.session.mount("https://api.plivo.com", _redirecting_adapter(url))
    return client


def _redirecting_adapter(url: str) -> Any:
    adapter = requests.adapters.HTTPAdapter()
    send = adapter.send

    def send_to_url(request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://api.plivo.com", url)
        return send(request, **options)

    adapter.send = send_to_url
    return adapter


def accepts_v3(method: str, url: str, form: Form, *, nonce: str, token: str, signature: str) -> bool:
    """Return whether ``plivo.utils.validate_v3_signature`` accepts the signature, on a copy: it changes the form."""
    return bool(plivo.utils.validate_v3_signature(method, url, nonce, token, signature, dict(form)))


def accepts_v2(url: str, *, nonce: str, token: str, signature: str) -> bool:
    """Return whether ``plivo.utils.validate_signature`` accepts the signature."""
    return bool(plivo.utils.validate_signature(url, nonce, signature, token))
