"""Requests in OpenAI's form answered without a server: as the server answers them."""

from __future__ import annotations

from pathlib import Path

import pytest

import nshot
from house import SCORER, fields
from nshot.core.types import Example, Label, Task
from nshot.models import open_models
from nshot.predictors.prompted import Prompted
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.direct import answer
from nshot.use.wire.refusal import Refusal

FILMS = Task("films", "classify", (Label("good"), Label("bad")))
DEMOS = (Example("a", fields(text="warm and funny"), ("good",)),
         Example("b", fields(text="dull and grey"), ("bad",)))  # fmt: skip


@pytest.fixture
def served(tmp_path: Path) -> dict[str, Answerer]:
    Prompted(FILMS, open_models(), SCORER, demos=DEMOS).save(tmp_path / "films")
    return {"films": Answerer.open("films", tmp_path / "films", open_models())}


def test_each_url_is_answered_as_predict_answers(
    served: dict[str, Answerer], tmp_path: Path
) -> None:
    (prediction,) = nshot.load(tmp_path / "films").predict(["a funny film"])
    chat = {"model": "films", "messages": [{"role": "user", "content": "a funny film"}]}
    content = answer("/v1/chat/completions", chat, served, "1")
    assert content["id"] == "chatcmpl-1"
    assert content["choices"][0]["message"]["content"] == prediction.answer == "good"
    content = answer("/v1/completions", {"model": "films", "prompt": "a funny film"}, served, "2")
    assert content["choices"][0]["text"] == "good"
    content = answer("/v1/classify", {"model": "films", "input": ["a funny film"]}, served, "3")
    assert content["data"][0]["label"] == "good"
    assert content["usage"]["prompt_tokens"] == prediction.tokens_in


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        ("/v1/responses", {}, 404),
        ("/v1/classify", {"model": "film", "input": "a"}, 404),
        ("/v1/classify", {"model": "films"}, 422),
        ("/v1/embeddings", {"model": "films", "input": "a"}, 400),
        ("/v1/classify", {"model": "films", "input": {"title": "a"}}, 400),
    ],
)
def test_a_refusal_has_a_status_and_a_body(
    served: dict[str, Answerer], url: str, body: dict[str, object], status: int
) -> None:
    with pytest.raises(Refusal) as refused:
        answer(url, body, served, "1")
    assert refused.value.status == status
    assert refused.value.body(url)["error"]["message"]
