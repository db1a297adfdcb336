"""From numbers per label to predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Prediction, Task
from nshot.models.base import Floats


def log_softmax(scores: NDArray[np.floating]) -> Floats:
    """Log-probabilities over the last axis, float64."""
    high = np.asarray(scores, dtype=np.float64)
    shifted = high - high.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def classified(
    task: Task, logprobs: NDArray[np.floating], tokens_in: Sequence[int]
) -> list[Prediction]:
    """One prediction per row of (inputs, labels) log-probabilities; of equals the first label."""
    names = task.label_names
    return [
        Prediction(names[int(np.argmax(row))], tuple(row.tolist()), tokens_in=tokens)
        for row, tokens in zip(logprobs, tokens_in, strict=True)
    ]
