"""The application: which path leads where, and what every error becomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nshot.use.serve.batcher import Ask
from nshot.use.serve.exchange import Exchange, answer
from nshot.use.serve.guard import App, Guard
from nshot.use.serve.openapi import description
from nshot.use.serve.page import page
from nshot.use.serve.routes.models import health, metrics, models, put_model, remove_model
from nshot.use.serve.routes.openai import chat, classify, completions, embeddings
from nshot.use.serve.routes.questions import decisions, systemone
from nshot.use.serve.service import Service
from nshot.use.wire.refusal import Refusal, refusal_of

Handler: TypeAlias = Callable[[Exchange], Awaitable[Response]]

WARMING = 3600.0
"""Seconds that loading and a first answer of all folders may take."""
_POSTS: dict[str, Handler] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completions,
    "/v1/embeddings": embeddings,
    "/v1/classify": classify,
    "/v1/systemone": systemone,
    "/v1/decisions": decisions,
}
_GETS: dict[str, Handler] = {
    "/": page,
    "/healthz": health,
    "/metrics": metrics,
    "/v1/models": models,
    "/openapi.json": description,
}
_MODEL = "/v1/models/{name:path}"


def application(service: Service, on_failure: Callable[[BaseException], object]) -> App:
    """The ASGI application. `on_failure` hears of a folder that cannot answer at all."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(_warm(service, on_failure))
        yield
        warming.cancel()
        await asyncio.to_thread(service.batcher.close, service.settings.limits.seconds)

    routes = [
        *(Route(path, _endpoint(handler), methods=["POST"]) for path, handler in _POSTS.items()),
        *(Route(path, _endpoint(handler), methods=["GET"]) for path, handler in _GETS.items()),
        Route(_MODEL, _endpoint(put_model), methods=["PUT"]),
        Route(_MODEL, _endpoint(remove_model), methods=["DELETE"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _refused})
    app.state.service = service
    return Guard(app, service.settings, service.counters, frozenset({*_POSTS, *_GETS}))


async def _warm(service: Service, on_failure: Callable[[BaseException], object]) -> None:
    """Let every folder answer once, so that no client waits for a model to load."""

    def warm(names: Sequence[str]) -> Sequence[str]:
        for name in names:
            service.shelf[name].warm()
        return names

    try:
        await service.batcher.ask(Ask(("warm",), warm), list(service.shelf.all), WARMING)
    except Exception as error:
        on_failure(error)
    else:
        service.is_warm = True


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(Exchange(request))
        except (
            Exception
        ) as error:  # whatever it is, the client hears a sentence and the rest goes on
            return _response(refusal_of(error), request)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, or not by this method."""
    if not isinstance(error, HTTPException):
        raise error
    return _response(Refusal(error.status_code, error.detail, error.headers), request)


def _response(refusal: Refusal, request: Request) -> Response:
    response = answer(refusal.body(request.url.path), refusal.status)
    response.headers.update(refusal.headers)
    return response
