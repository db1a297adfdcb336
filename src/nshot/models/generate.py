"""Continuations of prompts: greedy or sampled, in batches by length.

What all prompts begin with (the demonstrations) is read once. A row that has ended leaves its
batch. Sampling draws from a stream of its own for each prompt, so that a text does not depend on
what else was asked for at the same time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch

from nshot.models.base import Completion, Decoding
from nshot.models.cache import CachedPrefix, kinds, read, to_cache
from nshot.models.score import CHUNK, PADDED, WORTH, batches
from nshot.models.tokens import Tokens, shared
from nshot.types import digest


@dataclass
class Text:
    """A continuation as it grows. `rng` draws its tokens when they are sampled."""

    prompt: Tokens
    rng: random.Random
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finished: bool = False

    def add(self, token: int, tokenizer: Any, ends: frozenset[int], how: Decoding) -> bool:
        """Take one more token; whether the text goes on."""
        if token in ends:
            self.finished = True
            return False
        self.tokens.append(token)
        self.text = tokenizer.decode(self.tokens, skip_special_tokens=True)
        if found := [at for stop in how.stop if stop and (at := self.text.find(stop)) >= 0]:
            self.text = self.text[: min(found)]
            self.finished = True
        return not self.finished and len(self.tokens) < how.max_tokens


def generate(
    module: Any,
    tokenizer: Any,
    prompts: Sequence[Tokens],
    prefix: CachedPrefix,
    how: Decoding,
) -> list[Completion]:
    """A continuation of each prompt, without its stop string and end token.

    `prefix` stands before every prompt. `finished` is False where `how.max_tokens` ended the text.
    """
    if how.max_tokens < 1:
        return [Completion("", len(prompt), 0, False) for prompt in prompts]
    texts = [Text(p, random.Random(digest(str(how.seed), str(p)))) for p in prompts]
    with torch.no_grad():
        start = _common_start(module, prompts)
        before = read(module, prompts[0][:start], prefix, CHUNK) if start else prefix
        order = sorted(range(len(texts)), key=lambda i: len(texts[i].prompt))
        lengths = [len(texts[i].prompt) - start + how.max_tokens for i in order]
        # Padding behind a soft prompt would shift a sliding window: then only equals share a batch.
        apart = before.length > 0 and kinds(module.config) != {"full_attention"}
        for batch in batches(lengths, PADDED):
            for _, some in groupby(batch, key=lambda i: lengths[i] if apart else 0):
                _continue(module, tokenizer, [texts[order[i]] for i in some], start, before, how)
    return [Completion(t.text, len(t.prompt), len(t.tokens), t.finished) for t in texts]


def _common_start(module: Any, prompts: Sequence[Tokens]) -> int:
    """Tokens with which all prompts begin, where reading them apart is right and pays.

    A sliding window counts positions in the cache, and padding between the start and the rest
    would shift it: there each prompt is read whole.
    """
    if len(prompts) < 2 or kinds(module.config) != {"full_attention"}:
        return 0
    first, last = min(prompts), max(prompts)
    start = min(shared(first, last), min(map(len, prompts)) - 1)
    return start if start >= WORTH else 0


def _continue(
    module: Any,
    tokenizer: Any,
    texts: Sequence[Text],
    start: int,
    before: CachedPrefix,
    how: Decoding,
) -> None:
    """Continue a batch of texts, of whose prompts the first `start` tokens are in `before`."""
    going = list(texts)
    ends = _ends(module, tokenizer)
    step = _first_step(module, [t.prompt[start:] for t in going], before)
    while going:
        tokens = _choose(module(**step, logits_to_keep=1).logits[:, -1], going, how)
        on = [
            i
            for i, (text, token) in enumerate(zip(going, tokens, strict=True))
            if text.add(token, tokenizer, ends, how)
        ]
        going = [going[i] for i in on]
        if going:
            step = _next_step(step, on, [tokens[i] for i in on])


def _first_step(module: Any, prompts: Sequence[Tokens], before: CachedPrefix) -> dict[str, Any]:
    """Arguments of the pass that reads left-padded prompts behind `before`."""
    from transformers import DynamicCache

    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    mask = torch.zeros(len(prompts), before.length + width, dtype=torch.long)
    mask[:, : before.length] = 1
    for i, tokens in enumerate(prompts):
        ids[i, width - len(tokens) :] = torch.tensor(tokens)
        mask[i, before.length + width - len(tokens) :] = 1
    at = (mask.cumsum(1) - 1).clamp(min=0)[:, before.length :]
    plain = DynamicCache(config=module.config)
    return {
        "input_ids": ids.to(module.device),
        "attention_mask": mask.to(module.device),
        "position_ids": at.to(module.device),
        "past_key_values": to_cache(before.layers, len(prompts)) if before.length else plain,
        "use_cache": True,
    }


def _next_step(step: dict[str, Any], on: Sequence[int], tokens: Sequence[int]) -> dict[str, Any]:
    """Arguments of the pass that reads one more token of each text that goes on."""
    device = step["input_ids"].device
    rows = torch.tensor(on, device=device)
    if len(on) < len(step["input_ids"]):
        step["past_key_values"].batch_select_indices(rows)
    mask = step["attention_mask"][rows]
    return {
        "input_ids": torch.tensor(tokens, device=device)[:, None],
        "attention_mask": torch.cat([mask, mask.new_ones(len(on), 1)], 1),
        "position_ids": step["position_ids"][rows, -1:] + 1,
        "past_key_values": step["past_key_values"],
        "use_cache": True,
    }


def _choose(logits: torch.Tensor, texts: Sequence[Text], how: Decoding) -> list[int]:
    """The next token of each text: the most likely, or one drawn at the temperature."""
    if how.temperature <= 0:
        return [int(token) for token in logits.argmax(-1)]
    odds = (logits.double() / how.temperature).softmax(-1).cpu().numpy().cumsum(-1)
    return [
        min(int(np.searchsorted(row, text.rng.random() * row[-1], "right")), len(row) - 1)
        for row, text in zip(odds, texts, strict=True)
    ]


def _ends(module: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text: the tokenizer's, and those of the model's generation settings."""
    said = getattr(module.generation_config, "eos_token_id", None)
    listed = said if isinstance(said, list) else [said]
    return frozenset(int(t) for t in [*listed, tokenizer.eos_token_id] if t is not None)
