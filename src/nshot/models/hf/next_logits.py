"""What a model expects after given tokens: for distillation, and for calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.models.base import Tokens
from nshot.models.hf.cache import CachedPrefix
from nshot.models.hf.score import PADDED, batches, padded


def next_logits(
    module: Any,
    prompts: Sequence[Tokens],
    positions: Sequence[Sequence[int]],
    prefix: CachedPrefix,
) -> NDArray[np.float32]:
    """Logits (positions of all prompts, vocabulary), prompt by prompt in the order given.

    In right-padded batches by length; the vocabulary is projected to where it is wanted alone.
    """
    whole = [
        [at % len(tokens) for at in some] for tokens, some in zip(prompts, positions, strict=True)
    ]
    indices = [i for i, some in enumerate(whole) if some]
    order = sorted(indices, key=lambda i: len(prompts[i]))
    rows: dict[int, NDArray[np.float32]] = {}
    with torch.no_grad():
        for batch in batches([len(prompts[i]) for i in order], PADDED):
            where = [order[i] for i in batch]
            given, _ = padded(module, [prompts[i] for i in where], prefix)
            kept = sorted({at for i in where for at in whole[i]})
            keep = torch.tensor(kept, device=module.device)
            logits = module(**given, logits_to_keep=keep).logits.float().cpu().numpy()
            for row, i in enumerate(where):
                rows[i] = logits[row, [kept.index(at) for at in whole[i]]]
    if not indices:
        return np.zeros((0, int(module.config.get_text_config().vocab_size)), np.float32)
    return np.concatenate([rows[i] for i in indices])
