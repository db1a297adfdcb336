"""``/v1/embeddings``: the vectors of the sentence encoder under a folder."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nshot.models.base import Encoder
from nshot.use.wire.bodies import EmbeddingBody
from nshot.use.wire.refusal import Refusal


class Vector(NamedTuple):
    """A text's vector of unit length, and the tokens that were read of it."""

    vector: list[float]
    tokens: int


def texts_of(body: EmbeddingBody) -> list[str]:
    """What is to be encoded."""
    return body.input if isinstance(body.input, list) else [body.input]


def encoded(encoder: Encoder, texts: Sequence[str]) -> list[Vector]:
    """A vector for each text."""
    vectors, counts = encoder.encode(texts), encoder.count(texts)
    return [Vector(one.tolist(), n) for one, n in zip(vectors, counts, strict=True)]


def embeddings(body: EmbeddingBody, vectors: Sequence[Vector]) -> dict[str, Any]:
    """The answer. Raises `Refusal` where another number of dimensions is asked for."""
    width = len(vectors[0].vector)
    if body.dimensions not in (None, width):
        raise Refusal(400, f"vectors here have {width} dimensions, no other number")
    data = [
        {"object": "embedding", "index": i, "embedding": _written(one.vector, body.encoding_format)}
        for i, one in enumerate(vectors)
    ]
    tokens = sum(one.tokens for one in vectors)
    took = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body.model, "data": data, "usage": took}


def _written(vector: list[float], form: str) -> Any:
    """Numbers, or the bytes of little-endian float32 in base64."""
    if form == "float":
        return vector
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
