"""The ASGI application of a tracker that has no public URL, and so receives no callbacks."""

from __future__ import annotations

from http import HTTPStatus

import attrs

from plivo_record_async.tracking.receiving.bounded_log import BoundedLog
from plivo_record_async.tracking.receiving.receiver import Receive, Scope, Send

__all__ = ["NoReceiver"]

_ANSWER = (
    b"This tracker was created without a public_url. It polls Plivo and receives no callbacks. To receive callbacks, "
    b"create it with RecordingTracker(client, public_url=...).\n"
)


@attrs.frozen(kw_only=True, eq=False)
class NoReceiver:
    """Answers every request with 404 and an explanation."""

    _log: BoundedLog = attrs.field(factory=lambda: BoundedLog("requests were answered with 404"), init=False)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one HTTP request, without reading its body.

        Args:
            scope: The ASGI scope of the request.
            send: The ASGI send function.
        """
        self._log.write(
            f"a {scope['method']} request was answered with 404: the tracker has no public_url, so it polls Plivo and "
            "receives no callbacks"
        )
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(_ANSWER)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": int(HTTPStatus.NOT_FOUND), "headers": headers})
        await send({"type": "http.response.body", "body": _ANSWER})
