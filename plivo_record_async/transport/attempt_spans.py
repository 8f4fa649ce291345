"""The spans of HTTP attempts, as in https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client ."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from plivo_record_async.protocol.api.request import Request
from plivo_record_async.protocol.api.response import Response
from plivo_record_async.telemetry.interface import Span
from plivo_record_async.telemetry.loading import telemetry
from plivo_record_async.telemetry.names import Attribute

__all__ = ["AttemptSpans"]

_ACCOUNT_ROUTE = "/v1/Account/{auth_id}"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AttemptSpans:
    """Begins and ends the spans of the attempts of one client.

    Args:
        api_url: The URL of the account, to which the path of a request is added.
    """

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        parts = urlsplit(api_url)
        self._address = parts.hostname
        self._port = parts.port or _DEFAULT_PORTS.get(parts.scheme)

    def begin(self, request: Request[Any], number: int) -> Span:
        """Begin the span of an attempt. It does not end when its context is left.

        Args:
            request: The request.
            number: The number of the attempt, starting at 1.
        """
        attributes = {
            Attribute.METHOD: request.method,
            Attribute.SERVER_ADDRESS: self._address,
            Attribute.SERVER_PORT: self._port,
            Attribute.URL: self._api_url + request.path.partition("?")[0],  # the query may contain a callback URL
            Attribute.URL_TEMPLATE: _ACCOUNT_ROUTE + request.route,
            Attribute.RESEND_COUNT: number - 1 or None,
        }
        return telemetry().attempt_span(request.method, attributes).keep_open()

    def end(self, span: Span, result: Response | BaseException) -> None:
        """End the span of an attempt.

        Args:
            span: The span.
            result: The response, or the error with which the attempt ended.
        """
        if isinstance(result, Response):
            span.set({Attribute.STATUS_CODE: result.status})
            if result.status >= HTTPStatus.BAD_REQUEST:
                span.fail(str(result.status))
        else:
            span.fail(result)
        span.end()
