"""Hidden states of prompts: what a head on a frozen language model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.models.base import Tokens
from nshot.models.hf.cache import CachedPrefix, Prefixes
from nshot.models.hf.score import PADDED, batches, padded

Array = NDArray[np.float32]


def hidden(
    module: Any,
    prompts: Sequence[Tokens],
    prefix: Prefixes,
    layers: Sequence[int],
    slots: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    """States at the last token, and their mean over all tokens: (prompts, layers, width) each.

    In batches by length, without the vocabulary projection. `slots` is the view that each prompt is
    read under (`nshot.models.hf.side_by_side`); None: there is one.
    """
    views = slots or [0] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    width = int(module.config.get_text_config().hidden_size)
    last = np.zeros((len(prompts), len(layers), width), np.float32)
    mean = np.zeros_like(last)
    with torch.no_grad():
        for batch in batches([len(prompts[i]) for i in order], PADDED):
            where = [order[i] for i in batch]
            before = prefix.before([views[i] for i in where])
            pooled = _pooled(module, [prompts[i] for i in where], before, layers)
            last[where], mean[where] = pooled
    return last, mean


def _pooled(
    module: Any, batch: Sequence[Tokens], prefix: CachedPrefix, layers: Sequence[int]
) -> tuple[Array, Array]:
    given, mask = padded(module, batch, prefix)
    states = module.base_model(**given, output_hidden_states=True).hidden_states
    ends = mask.sum(1) - 1
    rows = torch.arange(len(batch), device=mask.device)
    lasts, means = [], []
    for layer in layers:
        state = states[layer].float()
        lasts.append(state[rows, ends])
        means.append((state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    return torch.stack(lasts, 1).cpu().numpy(), torch.stack(means, 1).cpu().numpy()
