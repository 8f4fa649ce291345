"""Send one POST to any URL. This is the only module of the command line that imports httpx."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import attrs
import httpx

__all__ = ["Answer", "NoAnswerError", "post"]

_LONGEST_BODY = 16 * 1024


class NoAnswerError(Exception):
    """No response arrived. The message says why."""


@attrs.frozen(kw_only=True)
class Answer:
    """The response to a POST.

    Attributes:
        status: The HTTP status.
        headers: The headers, with their names in lower case.
        body: The first 16 KiB of the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(url: str, *, headers: Mapping[str, str], content: bytes, timeout: float) -> Answer:
    """Send a POST, over the proxy that the environment variables name, and follow no redirect.

    Args:
        url: The URL.
        headers: The headers of the request.
        content: The body of the request.
        timeout: The time limit in seconds.

    Raises:
        NoAnswerError: No response arrived.
    """
    try:
        async with (
            asyncio.timeout(timeout),
            httpx.AsyncClient(timeout=timeout) as client,
            client.stream("POST", url, headers=dict(headers), content=content) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= _LONGEST_BODY:
                    break
            return Answer(status=response.status_code, headers=response.headers, body=bytes(body[:_LONGEST_BODY]))
    except TimeoutError as error:
        raise NoAnswerError(f"there was no response within {timeout:g} seconds") from error
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise NoAnswerError(f"{type(error).__name__}: {_cause(error)}".rstrip(": ")) from error


def _cause(error: BaseException) -> BaseException:
    """Return the error of the operating system that caused an error, or the error itself if there is none."""
    found, cause = error, error.__cause__ or error.__context__
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            found = cause
        cause = cause.__cause__ or cause.__context__
    return found
