"""No result and no error has anything of an HTTP library in it, so that the library can be replaced."""

from __future__ import annotations

import inspect
import re
from typing import Any

import attrs
import httpx
import httpx2
import pytest

import plivo_record_async
from plivo_record_async import PlivoRecordError, errors
from plivo_record_async.transport.connectors import httpx2_adapter as httpx2_adapter  # noqa: PLC0414 - reads files
from tests.support.clients.mock_transport import client_over
from tests.support.samples.http_failures import LIBRARY_FAILURES, instance

LIBRARIES = re.compile(r"\b(?:httpx2?|httpcore2?|pyreqwest)\b")

EXPORTED = [getattr(plivo_record_async, name) for name in plivo_record_async.__all__]
VALUES = [cls for cls in EXPORTED if isinstance(cls, type) and attrs.has(cls)]
ERRORS = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)]


@pytest.mark.parametrize("cls", VALUES)
def test_no_attribute_of_a_value_has_a_type_of_a_library(cls: type) -> None:
    for attribute in attrs.fields(cls):
        assert not LIBRARIES.search(str(attribute.type)), attribute.name


@pytest.mark.parametrize("cls", ERRORS)
def test_no_argument_of_an_error_has_a_type_of_a_library(cls: type[Exception]) -> None:
    assert not LIBRARIES.search(str(inspect.signature(cls)))
    assert not any(LIBRARIES.match(base.__module__) for base in cls.__mro__)


@pytest.mark.parametrize("mock", [httpx.MockTransport, httpx2.MockTransport], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("failure", LIBRARY_FAILURES)
async def test_no_failure_of_a_library_reaches_the_caller(mock: Any, failure: type[Exception]) -> None:
    def fail(_: object) -> httpx.Response:
        raise instance(failure)

    async with client_over(mock(fail)) as client:
        with pytest.raises(PlivoRecordError) as caught:
            await client.start_recording("standup")
    assert not any(LIBRARIES.match(type(value).__module__) for value in vars(caught.value).values())
