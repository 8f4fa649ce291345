"""Who may use the control API: programs on this machine, and no web page.

Any web page can make the browser of its visitor send requests to this machine. Three checks stop all of them:

- ``Host`` must be an address of the emulator. A page whose own name was made to resolve to this machine (DNS
  rebinding) is requested under that name.
- ``Origin``, if present, must be the emulator's own. Browsers add it to every request that a script of another origin
  may read, and to every request that could change something.
- A request that changes something must carry what a page of another origin cannot send without a preflight request,
  which is refused: a JSON content type, or a header that only this emulator knows.

https://fetch.spec.whatwg.org/#cors-safelisted-request-header
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from plivo_record_async.emulator.account.arguments import RefusedError

__all__ = ["CONTROL_HEADER", "own_addresses", "refuse_web_pages"]

CONTROL_HEADER = "X-Plivo-Emulator"
"""The header that a state-changing request carries, with the value 1."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HTTP_PORT = 80
_READING = {"GET", "HEAD", "OPTIONS"}


def own_addresses(hosts: Iterable[str], port: int) -> set[str]:
    """Return every ``Host`` under which the emulator may be asked for, in lower case.

    Args:
        hosts: The names and IP addresses of the server. Those of the loopback interface are added: no DNS answer can
            make them another machine's, and a forwarded port is called by them.
        port: Its port.
    """
    names = {f"[{host}]" if ":" in host else host for host in (*map(str.lower, hosts), *_LOOPBACK)}
    return {f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set())


def refuse_web_pages(
    method: str,
    *,
    hosts: Sequence[str],
    origins: Sequence[str],
    content_types: Sequence[str],
    control_headers: Sequence[str],
    own: Collection[str],
) -> None:
    """Let a request to the control API pass only if no web page of another origin can have sent it.

    Args:
        method: The HTTP method.
        hosts: Every value of ``Host``, and the address in the target of the request if it has one.
        origins: Every value of ``Origin``.
        content_types: Every value of ``Content-Type``.
        control_headers: Every value of `CONTROL_HEADER`.
        own: The addresses of this server, as from `own_addresses`.

    Raises:
        RefusedError: 403; the message says what to change.
    """
    if not hosts or any(host.lower() not in own for host in hosts):
        raise RefusedError(
            403,
            f"Host {', '.join(hosts)!r} is not an address of this emulator: use one of {', '.join(sorted(own))}, "
            "or start the emulator with --host and the name that you call it by",
        )
    if any(origin.lower() not in {f"http://{address}" for address in own} for origin in origins):
        raise RefusedError(
            403, f"Origin {', '.join(origins)!r} is not this emulator: web pages must not use its control API"
        )
    media_types = [value.partition(";")[0].strip().lower() for value in content_types]
    if method not in _READING and media_types != ["application/json"] and list(control_headers) != ["1"]:
        raise RefusedError(
            403,
            f"a request that changes something needs the header '{CONTROL_HEADER}: 1' or "
            "'Content-Type: application/json', which web pages cannot send",
        )
