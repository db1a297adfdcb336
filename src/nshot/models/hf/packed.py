"""Texts of any lengths in one pass of a BERT, each as if it were read alone: no padding.

The tokens of all texts lie behind one another in one row, so that every matrix is multiplied once
for all of them. Attention alone needs to know where a text ends: it is computed for the texts of
one length together, each among its own tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling
from transformers import AttentionInterface
from transformers.models.bert.modeling_bert import BertModel

TOKENS = 1024
"""Tokens that are read at once, where no text alone has more."""
LEAST = 16
"""Tokens that are read at least: of fewer rows a matrix product is summed up in another order."""
CUT = 256
"""Texts that are cut into tokens at once: as a table, each takes the room of the longest."""
_NAME = "nshot_packed"


class Block(NamedTuple):
    """Texts of `length` tokens, which lie from `start` on."""

    start: int
    texts: int
    length: int

    @property
    def place(self) -> slice:
        """Where their tokens lie."""
        return slice(self.start, self.start + self.texts * self.length)


def packs(module: Any) -> bool:
    """Whether a sentence-transformers model can be asked by `encode`.

    A BERT, whose positions are looked up and can so begin anew with every text, and behind it what
    looks at the vectors of one text at a time.
    """
    inner: Any = getattr(module[0], "auto_model", None)
    rest = list(module)[1:]
    return (
        type(inner) is BertModel
        and not inner.config.is_decoder
        and module.truncate_dim is None
        and all(type(one) in (Pooling, Normalize, Dense) for one in rest)
        and all(one.include_prompt for one in rest if isinstance(one, Pooling))
    )


def encode(module: Any, texts: Sequence[str], prompt: str) -> NDArray[np.float32]:
    """(texts, width), unit length rows; `packs` must be true of the module."""
    tokens = _tokens(module, texts, prompt)
    order = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
    width = int(module.get_embedding_dimension() or 0)
    vectors = np.zeros((len(texts), width), np.float32)
    with torch.inference_mode(), _packed_attention(module[0].auto_model.config):
        for places in _parts(order, tokens):
            vectors[places] = _read(module, [tokens[i] for i in places])
    return vectors


def _tokens(module: Any, texts: Sequence[str], prompt: str) -> list[torch.Tensor]:
    """Of each text, cut at the model's limit."""
    tokens: list[torch.Tensor] = []
    for start in range(0, len(texts), CUT):
        features = module.preprocess(list(texts[start : start + CUT]), prompt=prompt)
        read = features["attention_mask"].bool()
        tokens += [ids[some] for ids, some in zip(features["input_ids"], read, strict=True)]
    return tokens


def _parts(order: Sequence[int], tokens: Sequence[torch.Tensor]) -> Iterator[list[int]]:
    """Texts that are read at once, in `order`."""
    part: list[int] = []
    count = 0
    for i in order:
        if part and count + len(tokens[i]) > TOKENS:
            yield part
            part, count = [], 0
        part.append(i)
        count += len(tokens[i])
    if part:
        yield part


def _read(module: Any, tokens: Sequence[torch.Tensor]) -> NDArray[np.float32]:
    """Vectors of texts that are sorted by their length."""
    inner = module[0].auto_model
    lengths = [len(one) for one in tokens]
    blocks = _blocks(lengths)
    # A text of its own, which nobody asked for.
    filler = max(0, LEAST - sum(lengths))
    rows = [*tokens, tokens[0][:1].expand(filler)]
    ids = torch.cat(rows)[None].to(inner.device)
    positions = torch.cat([torch.arange(len(one)) for one in rows])[None].to(inner.device)
    states = inner(
        input_ids=ids,
        position_ids=positions,
        token_type_ids=torch.zeros_like(ids),
        blocks=[*blocks, Block(sum(lengths), 1, filler)] if filler else blocks,
    ).last_hidden_state[0]
    return np.concatenate([_pooled(module, states[one.place], one) for one in blocks])


def _blocks(lengths: Sequence[int]) -> list[Block]:
    blocks, start = [], 0
    for length, same in groupby(lengths):
        blocks.append(Block(start, len(list(same)), length))
        start += blocks[-1].texts * length
    return blocks


def _pooled(module: Any, states: torch.Tensor, block: Block) -> NDArray[np.float32]:
    """What the modules behind the BERT make of a block's tokens."""
    mask = torch.ones(block.texts, block.length, dtype=torch.long, device=states.device)
    states = states.reshape(block.texts, block.length, -1)
    features: dict[str, Any] = {"token_embeddings": states, "attention_mask": mask}
    for one in list(module)[1:]:
        features = one(features)
    vectors = torch.nn.functional.normalize(features["sentence_embedding"], dim=1)
    return vectors.cpu().numpy()


@contextmanager
def _packed_attention(config: Any) -> Iterator[None]:
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    scaling: float,
    blocks: Sequence[Block],
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, size) each; (1, tokens, heads, size): every text among its own tokens."""
    out = torch.empty_like(query.transpose(1, 2))
    for block in blocks:
        q, k, v = (_texts(one[0, :, block.place], block) for one in (query, key, value))
        read = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scaling)
        out[0, block.place] = read.transpose(1, 2).flatten(0, 1)
    return out, None


def _texts(states: torch.Tensor, block: Block) -> torch.Tensor:
    """(heads, tokens, size) as (texts, heads, length, size)."""
    heads, _, size = states.shape
    return states.reshape(heads, block.texts, block.length, size).transpose(0, 1)


AttentionInterface.register(_NAME, _attention)
