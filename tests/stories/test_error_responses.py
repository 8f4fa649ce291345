"""The exception handlers of docs/howto/errors.md, each in its framework."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import httpx
import litestar
import pytest
import quart
import starlette.applications
import starlette.routing
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from blockbuster import BlockBuster
from flask import Flask

from plivo_record_async import PlivoRecordError, StoreError
from plivo_record_async import error_response as expected_response

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "errors.md"
ERROR = StoreError("recordings.db: the disk is full")
HANDLERS = dict(re.findall(r"```py\n# explain\.py for (\w+).*?\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


def handler(title: str, name: str = "explain") -> Any:
    """What a block of the page defines."""
    names: dict[str, Any] = {}
    exec(HANDLERS[title], names)
    return names[name]


def fail() -> NoReturn:
    raise ERROR


async def ask(app: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://me.example") as user:
        return await user.get("/fail")


async def from_fastapi() -> httpx.Response:
    async def failing(request: object) -> NoReturn:
        fail()

    app = starlette.applications.Starlette(routes=[starlette.routing.Route("/fail", failing)])
    app.add_exception_handler(PlivoRecordError, handler("FastAPI"))
    return await ask(app)


async def from_litestar() -> httpx.Response:
    @litestar.get("/fail")
    async def failing() -> None:
        fail()

    return await ask(litestar.Litestar([failing], exception_handlers={PlivoRecordError: handler("Litestar")}))


async def from_quart() -> httpx.Response:
    app = quart.Quart(__name__)
    app.register_error_handler(PlivoRecordError, handler("Quart"))
    app.add_url_rule("/fail", view_func=fail, endpoint="fail")
    return await ask(app)


async def from_flask() -> httpx.Response:
    app = Flask(__name__)
    app.register_error_handler(PlivoRecordError, handler("Quart"))
    app.add_url_rule("/fail", view_func=fail, endpoint="fail")
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://me.example") as user:
        return user.get("/fail")


async def from_aiohttp() -> httpx.Response:
    async def failing(_: object) -> NoReturn:
        fail()

    app = web.Application(middlewares=[handler("aiohttp")])
    app.add_routes([web.get("/fail", failing)])
    async with TestClient(TestServer(app)) as user, user.get("/fail") as answer:
        return httpx.Response(answer.status, headers=dict(answer.headers), content=await answer.read())


async def from_django() -> httpx.Response:
    settings: Any = import_module("django.conf").settings  # untyped
    if not settings.configured:
        settings.configure()
    middleware = handler("Django", "ExplainErrors")(get_response=fail)
    assert middleware.process_exception(None, ValueError("not ours")) is None
    answer = middleware.process_exception(None, ERROR)
    return httpx.Response(answer.status_code, headers=dict(answer.items()), content=answer.content)


FRAMEWORKS = [from_fastapi, from_litestar, from_quart, from_flask, from_aiohttp, from_django]


@pytest.mark.parametrize("from_framework", FRAMEWORKS)
async def test_an_error_becomes_its_response(
    blockbuster: BlockBuster, from_framework: Callable[[], Awaitable[httpx.Response]]
) -> None:
    blockbuster.deactivate()  # Flask and Quart look for their files when they are made
    answer, expected = await from_framework(), expected_response(ERROR)
    assert (answer.status_code, answer.json()) == (expected.status, expected.body)
    assert answer.headers["Retry-After"] == expected.headers["Retry-After"]
