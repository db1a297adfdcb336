"""A request answered here and now, without a server: what lines of batch files need."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nshot.core.types import Image
from nshot.use.wire import plans, vectors
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.bodies import ChatBody, ClassifyBody, CompletionBody, EmbeddingBody, read
from nshot.use.wire.data_urls import write_picture
from nshot.use.wire.refusal import Refusal, refusal_of, unknown_model

URLS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/classify")
MAX_TOKENS = 4096


def answer(
    url: str, body: Mapping[str, Any], served: Mapping[str, Answerer], id: str
) -> dict[str, Any]:
    """The body of the answer to one request. Streams are answered whole.

    Raises `Refusal`, which has a status and a body, and nothing else.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="nshot-") as folder:
            return _answer(url, json.dumps(body).encode(), served, id, Path(folder))
    except Exception as error:  # each kind of error is a status, as on the server
        raise refusal_of(error) from error


def _answer(
    url: str, raw: bytes, served: Mapping[str, Answerer], id: str, folder: Path
) -> dict[str, Any]:
    def pictures(urls: Sequence[str]) -> list[Image]:
        return [write_picture(url, folder, str(i)) for i, url in enumerate(urls)]

    if url == "/v1/embeddings":
        wish = read(EmbeddingBody, raw)
        texts = vectors.texts_of(wish)
        encoder = _named(served, wish.model).encoder
        return vectors.embeddings(wish, vectors.encoded(encoder, texts))
    if url == "/v1/chat/completions":
        talk = read(ChatBody, raw)
        plan = plans.chat(talk, _named(served, talk.model), id, MAX_TOKENS, pictures)
    elif url == "/v1/completions":
        text = read(CompletionBody, raw)
        plan = plans.completions(text, _named(served, text.model), id, MAX_TOKENS)
    elif url == "/v1/classify":
        rows = read(ClassifyBody, raw)
        plan = plans.classify(rows, _named(served, rows.model), id, pictures)
    else:
        raise Refusal(404, f"no such url: one of {', '.join(URLS)}")
    return plan.finish(plan.answerer.answers(plan.inputs, plan.manner))


def _named(served: Mapping[str, Answerer], name: str) -> Answerer:
    if name not in served:
        raise unknown_model(name, served)
    return served[name]
