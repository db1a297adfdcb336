"""Texts in pieces: the pieces are the text; who closes early stops it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import Client, head, serving, writer

from nshot.core.types import ModelRef
from nshot.use.serve.limits import Limits
from tiny import tiny_llama

SKY = [{"role": "user", "content": "how is the sky"}]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_llama(tmp_path_factory.mktemp("llama"), context=512)))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, llama: ModelRef) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("streams")
    folders = [head(root / "head"), writer(root / "writer"), writer(root / "llama", llama, 40)]
    with serving(folders) as one:
        yield one


def events(client: Client, path: str = "/v1/chat/completions", **body: Any) -> list[Any]:
    reply = client.post(path, stream=True, **body)
    assert (reply.status, reply.headers["content-type"][:17]) == (200, "text/event-stream")
    lines = reply.raw.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def text_of(chunks: list[Any]) -> str:
    return "".join(
        one["choices"][0]["delta"].get("content", "") for one in chunks if one["choices"]
    )


@pytest.mark.parametrize("model", ["head", "writer", "llama"])
@pytest.mark.parametrize("more", [{}, {"max_tokens": 7}, {"temperature": 1.0, "seed": 3}])
def test_the_pieces_are_the_text(client: Client, model: str, more: dict[str, Any]) -> None:
    whole = client.post("/v1/chat/completions", model=model, messages=SKY, **more).body
    chunks = events(client, model=model, messages=SKY, **more,
                    stream_options={"include_usage": True})  # fmt: skip
    (choice,) = whole["choices"]
    assert text_of(chunks) == choice["message"]["content"] != ""
    assert chunks[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    if model != "head":
        assert len(chunks) > 5


def test_completions_stream_too(client: Client) -> None:
    chunks = events(client, "/v1/completions", model="writer", prompt="how is the sky")
    text = "".join(one["choices"][0]["text"] for one in chunks)
    whole = client.post("/v1/completions", model="writer", prompt="how is the sky")
    assert text == whole.body["choices"][0]["text"]
    two = client.post("/v1/completions", model="writer", prompt=["a", "b"], stream=True)
    assert two.status == 400


def test_a_text_keeps_to_a_schema(client: Client) -> None:
    schema = {"type": "object", "properties": {"sky": {"enum": ["blue", "grey"]}},
              "required": ["sky"], "additionalProperties": False}  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "sky", "schema": schema}}
    ask = {"model": "llama", "messages": SKY, "response_format": form, "max_tokens": 64}
    content = client.post("/v1/chat/completions", **ask).body["choices"][0]["message"]["content"]
    assert json.loads(content)["sky"] in ("blue", "grey")
    assert text_of(events(client, **ask)) == content
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    reply = client.post("/v1/chat/completions", model="llama", messages=SKY, response_format=form)
    assert reply.status == 400, "a schema that cannot be read is the client's fault"
    reply = client.post("/v1/chat/completions", model="llama", messages=SKY, response_format=form,
                        stream=True)  # fmt: skip
    assert reply.status == 400, "said before the stream begins"


def test_who_closes_early_stops_it(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=20)
    body = {"model": "llama", "messages": SKY, "stream": True, "max_tokens": 400, "temperature": 2}
    connection.request(
        "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    assert response.read(10).startswith(b"data: ")
    assert "nshot_streams 1" in client.get("/metrics").raw.decode()
    response.close()
    connection.close()
    until = time.monotonic() + 5
    while "nshot_streams 0" not in client.get("/metrics").raw.decode():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_streams_are_limited_and_others_are_answered_between_their_tokens(
    tmp_path: Path, llama: ModelRef
) -> None:
    folders = [writer(tmp_path / "llama", llama), head(tmp_path / "head")]
    with serving(folders, limits=Limits(streams=1)) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.server.port, timeout=20)
        body = {"model": "llama", "messages": SKY, "stream": True, "max_tokens": 400,
                "temperature": 2}  # fmt: skip
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        response.read(10)
        assert client.classify("head", "money")[0]["label"] == "refund"
        reply = client.post("/v1/chat/completions", **body)
        assert reply.status in (200, 429)
        assert reply.status == 429 or b"[DONE]" in reply.raw
        response.close()
        connection.close()
