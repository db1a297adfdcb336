"""What is served, whether it is ready, what it counts; folders added and read again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from starlette.responses import PlainTextResponse, Response

from nshot.use.serve.exchange import Exchange, answer
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.refusal import Refusal


async def models(exchange: Exchange) -> Response:
    """The folders: `data` for OpenAI's clients, `models` for those of decision models."""
    listed = list(exchange.service.shelf.all.values())
    return answer(
        {
            "object": "list",
            "data": [_openai(one) for one in listed],
            "models": [_decision(one) for one in listed],
        }
    )


def _openai(one: Answerer) -> dict[str, Any]:
    task = one.task
    return {
        "id": one.name,
        "object": "model",
        "created": one.written,
        "owned_by": "nshot",
        "nshot": {
            "task": task.name,
            "kind": task.kind,
            "fields": [] if task.pictures else list(one.fields),
            "labels": list(task.label_names),
            "pictures": task.pictures,
            "writes": one.writer is not None,
            "embeds": one.embeds,
            "abstain_below": one.abstain_below,
        },
    }


def _decision(one: Answerer) -> dict[str, str]:
    day = datetime.fromtimestamp(one.written, UTC).date().isoformat()
    about = one.task.instruction or f"{one.task.name}: {one.task.kind}"
    return {"name": one.name, "description": about, "release_date": day}


async def health(exchange: Exchange) -> Response:
    """200 once every folder has answered, 503 before."""
    is_warm = exchange.service.is_warm
    status = {"status": "ready" if is_warm else "warming up"}
    return answer(status, 200 if is_warm else 503)


async def metrics(exchange: Exchange) -> Response:
    """Prometheus' text format."""
    text = exchange.service.counters.text()
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


async def put_model(exchange: Exchange) -> Response:
    """Add a folder by its name, or read a served one again."""
    _require_admin(exchange)
    shelf, name = exchange.service.shelf, exchange.path("name")
    answerer = await asyncio.to_thread(shelf.put, name)
    return answer(_openai(answerer))


async def remove_model(exchange: Exchange) -> Response:
    """Serve a folder no more; its files stay."""
    _require_admin(exchange)
    name = exchange.path("name")
    exchange.service.shelf.remove(name)
    return answer({"id": name, "object": "model", "deleted": True})


def _require_admin(exchange: Exchange) -> None:
    if not exchange.is_admin:
        raise Refusal(403, "only a token of --admin-token-file may change what is served")
