"""What others ask with: the official openai client, curl, and schemathesis on the description."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import ENCODER, TOKEN, Client, head, prompt, serving, writer

from nshot.models import open_models


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("asked")
    folders = [head(root / "head"), prompt(root / "prompt"), writer(root / "writer")]
    with serving(folders, tokens=[TOKEN]) as one:
        yield one


@pytest.fixture(scope="module")
def openai(client: Client) -> Any:
    module = pytest.importorskip("openai")
    return module.OpenAI(base_url=f"{client.url}/v1", api_key=TOKEN, max_retries=0)


SKY: Any = [{"role": "user", "content": "how is the sky"}]


def test_the_openai_client_chats_whole_and_in_pieces(openai: Any) -> None:
    whole = openai.chat.completions.create(model="writer", messages=SKY)
    text = whole.choices[0].message.content
    assert text.startswith("blue as")
    assert whole.usage.completion_tokens > 0
    stream = openai.chat.completions.create(
        model="writer", messages=SKY, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [one.choices[0].delta.content or "" for one in chunks if one.choices]
    assert "".join(pieces) == text
    assert sum(bool(piece) for piece in pieces) > 1
    assert chunks[-1].usage == whole.usage


def test_the_openai_client_completes_embeds_and_lists(openai: Any) -> None:
    done = openai.completions.create(model="writer", prompt="how is the sky", max_tokens=2)
    assert (done.choices[0].text, done.choices[0].finish_reason) == ("blue as", "length")
    vectors = openai.embeddings.create(model="head", input=["a", "b"])  # in base64, by itself
    expected = open_models().encoder(ENCODER).encode(["a", "b"])
    assert np.array([one.embedding for one in vectors.data]) == pytest.approx(expected)
    assert [one.id for one in openai.models.list()] == ["head", "prompt", "writer"]


def test_the_openai_client_reads_refusals(openai: Any, client: Client) -> None:
    module = pytest.importorskip("openai")
    with pytest.raises(module.NotFoundError, match="no model 'nobody'"):
        openai.chat.completions.create(model="nobody", messages=SKY)
    with pytest.raises(module.BadRequestError, match="'n' is not supported"):
        openai.chat.completions.create(model="writer", messages=SKY, n=3)
    stranger = module.OpenAI(base_url=f"{client.url}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(module.AuthenticationError, match="a token is needed"):
        stranger.models.list()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl(client: Client) -> None:
    def curl(path: str, body: dict[str, Any]) -> str:
        words = ["curl", "-sS", "--fail-with-body", f"{client.url}{path}",
                 "-H", f"Authorization: Bearer {TOKEN}", "-H", "Content-Type: application/json",
                 "-d", json.dumps(body)]  # fmt: skip
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout

    line = json.loads(curl("/v1/classify", {"model": "head", "input": "money back"}))
    assert line["data"][0]["label"] == "refund"
    ask = {"model": "writer", "messages": SKY, "stream": True}
    assert curl("/v1/chat/completions", ask).rstrip().endswith("data: [DONE]")


def test_schemathesis_meets_no_error_of_the_server(client: Client, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    (tmp_path / "schemathesis.toml").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{client.url}/openapi.json",
         "-H", f"Authorization: Bearer {TOKEN}", "--checks", "not_a_server_error",
         "--max-examples", "3", "--phases", "examples,fuzzing", "--seed", "1", "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert client.classify("head", "money back")[0]["label"] == "refund", "it goes on"
