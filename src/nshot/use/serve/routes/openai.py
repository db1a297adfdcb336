"""OpenAI's routes, and ``/v1/classify``: texts, labels, vectors; whole or in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response

from nshot.use.serve.evidence import evidence
from nshot.use.serve.exchange import Exchange, answer, events
from nshot.use.wire import plans, vectors
from nshot.use.wire.answerer import Usage
from nshot.use.wire.bodies import (
    ChatBody,
    ClassifyBody,
    CompletionBody,
    EmbeddingBody,
    WritingBody,
)
from nshot.use.wire.frames import Frame, finish
from nshot.use.wire.plans import Plan
from nshot.use.wire.refusal import Refusal, refusal_of


async def chat(exchange: Exchange) -> Response:
    """``POST /v1/chat/completions``."""
    body = await exchange.body(ChatBody)
    answerer, most = exchange.service.shelf[body.model], exchange.service.settings.limits.max_tokens
    return await _written(
        exchange, body, plans.chat(body, answerer, exchange.id, most, exchange.pictures)
    )


async def completions(exchange: Exchange) -> Response:
    """``POST /v1/completions``."""
    body = await exchange.body(CompletionBody)
    answerer, most = exchange.service.shelf[body.model], exchange.service.settings.limits.max_tokens
    plan = plans.completions(body, answerer, exchange.id, most)
    if body.stream and len(plan.inputs) > 1:
        raise Refusal(400, f"{len(plan.inputs)} prompts in one stream: one at most")
    return await _written(exchange, body, plan)


async def classify(exchange: Exchange) -> Response:
    """``POST /v1/classify``; with ``explain`` the labelled rows behind each answer."""
    body = await exchange.body(ClassifyBody)
    service = exchange.service
    answerer = service.shelf[body.model]
    if body.explain and not service.settings.shows_examples:
        raise Refusal(403, "'explain' shows labelled rows: start the server with --show-examples")
    plan = plans.classify(body, answerer, exchange.id, exchange.pictures)
    content = plan.finish(await service.predict(answerer, plan.inputs, exchange.holder))
    if body.explain:
        rows = await service.run(
            answerer, lambda some: evidence(answerer.predictor, some), plan.inputs
        )
        for line, examples in zip(content["data"], rows, strict=True):
            line["examples"] = examples
    return answer(content)


async def embeddings(exchange: Exchange) -> Response:
    """``POST /v1/embeddings``."""
    body = await exchange.body(EmbeddingBody)
    encoder = exchange.service.shelf[body.model].encoder
    made = await exchange.service.embed(encoder, vectors.texts_of(body))
    return answer(vectors.embeddings(body, made))


async def _written(exchange: Exchange, body: WritingBody, plan: Plan) -> Response:
    if body.stream and plan.frame is not None:
        ends_with_usage = body.stream_options is not None and body.stream_options.include_usage
        return await _streamed(exchange, plan, plan.frame, ends_with_usage)
    predictions = await exchange.service.write(
        plan.answerer, plan.inputs, plan.manner, exchange.holder
    )
    return answer(plan.finish(predictions))


async def _streamed(
    exchange: Exchange, plan: Plan, frame: Frame, ends_with_usage: bool
) -> Response:
    """Events; what goes wrong before the first piece is an answer with a status of its own."""
    seconds = exchange.service.settings.limits.seconds
    stream = exchange.service.stream(plan.answerer, plan.inputs[0], plan.manner)
    exchange.at_end(stream.close)
    pieces = aiter(stream)
    try:
        async with asyncio.timeout(seconds):
            first = await anext(pieces)
    except TimeoutError:
        raise Refusal(504, f"no answer within {seconds:g} seconds") from None

    async def parts() -> AsyncIterator[Mapping[str, Any]]:
        took, piece = Usage(0, 0), first
        yield frame.chunk("")
        try:
            async with asyncio.timeout(seconds):
                while not isinstance(piece, Usage):
                    yield frame.chunk(piece)
                    piece = await anext(pieces)
            took = piece
        except TimeoutError:
            yield Refusal(504, f"not ended within {seconds:g} seconds").body("")
            return
        except Exception as error:  # the status is sent: the stream itself must say it
            yield refusal_of(error).body("")
            return
        exchange.service.count(plan.answerer, 1, took.tokens_in, took.tokens_out)
        yield frame.chunk(None, finish(took.tokens_out, plan.length))
        if ends_with_usage:
            yield frame.last(took.tokens_in, took.tokens_out)

    return events(parts())
