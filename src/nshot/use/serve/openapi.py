"""``/openapi.json``: what is asked and answered, made from the bodies that are read."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from nshot.use.serve.exchange import Exchange, answer
from nshot.use.serve.routes.questions import DecisionsBody, SystemOneBody
from nshot.use.wire.bodies import ChatBody, ClassifyBody, CompletionBody, EmbeddingBody

BODIES: dict[str, tuple[type[BaseModel], str]] = {
    "/v1/chat/completions": (ChatBody, "The answer of a folder as the assistant's turn"),
    "/v1/completions": (CompletionBody, "The answer of a folder to each prompt"),
    "/v1/embeddings": (EmbeddingBody, "Vectors of the encoder under a folder"),
    "/v1/classify": (ClassifyBody, "Answers with all that is known of them"),
    "/v1/systemone": (SystemOneBody, "Typed questions about a state"),
    "/v1/decisions": (DecisionsBody, "Typed questions about an input, in OpenAI's form"),
}
_READS = {
    "/healthz": "Whether every folder has answered",
    "/metrics": "Counts in Prometheus' text format",
    "/v1/models": "What is served",
}
_REFUSALS = {
    "400": "cannot be answered as asked",
    "401": "no token, or another",
    "403": "not allowed",
    "404": "no such model",
    "413": "too much in one request",
    "415": "not JSON",
    "422": "a body of another form",
    "429": "too much waits already",
    "503": "not now",
    "504": "not within the time",
}


async def description(exchange: Exchange) -> Response:
    """OpenAPI 3.1."""
    return answer(_description())


@cache
def _description() -> dict[str, Any]:
    kinds = [(kind, "validation") for kind, _ in BODIES.values()]
    _, schemas = models_json_schema(kinds, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    paths: dict[str, Any] = {path: {"get": _read(about)} for path, about in _READS.items()}
    paths |= {path: {"post": _ask(kind, about)} for path, (kind, about) in BODIES.items()}
    model = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    paths["/v1/models/{name}"] = {
        "parameters": [model],
        "put": _read("Add a folder by its name, or read it again"),
        "delete": _read("Serve a folder no more"),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "nshot", "version": version("nshot")},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _read(about: str) -> dict[str, Any]:
    return {"summary": about, "responses": {"200": {"description": about}, **_refusals()}}


def _ask(kind: type[BaseModel], about: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body, **_read(about)}


def _refusals() -> dict[str, Any]:
    return {status: {"description": about} for status, about in _REFUSALS.items()}
