"""The official ``plivo`` package, pointed at a server of ours: it has no setting for that."""

from __future__ import annotations

from typing import Any

from tests.support.judges import plivo, requests

__all__ = ["official_client"]


def official_client(url: str, auth_id: str, auth_token: str) -> Any:
    """A client of the official package whose requests go to ``url``, with nothing else in them changed."""
    client = plivo.RestClient(auth_id, auth_token)
    client.session.trust_env = False
    client.session.mount("https://api.plivo.com", _detour(url))
    return client


def _detour(url: str) -> Any:
    adapter = requests.adapters.HTTPAdapter()
    send = adapter.send

    def send_there(request: Any, **options: Any) -> Any:
        request.url = request.url.replace("https://api.plivo.com", url)
        return send(request, **options)

    adapter.send = send_there
    return adapter
