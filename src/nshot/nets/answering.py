"""Thousands of episodes as tensor operations: items embedded once, gathered, answered in chunks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nshot.data.episodes import EpisodeShape
from nshot.nets.learner import Learner

GATHERED = 1 << 20
"""Numbers gathered at once, about: 4 MB stay near a core."""


@dataclass(frozen=True)
class Accuracy:
    """Mean over episodes with its 95 % interval: `mean` +- `half`, shares of the queries.

    Of one episode there is no interval.
    """

    mean: float
    half: float | None
    episodes: int


@torch.no_grad()
def answer(
    learner: Learner,
    features: Tensor,
    drawn: NDArray[np.int64],
    shape: EpisodeShape,
    chunk: int | None = None,
) -> NDArray[np.int64]:
    """The class answered to each query, from 0 to way - 1: (episodes, way * queries).

    Args:
        features: of all items, as `embed_all` made them.
        drawn: rows of `features`, as `nshot.data.episodes.draw` gives them.
        chunk: episodes answered at once; None is as many as stay near the processor. The answers
            are the same.
    """
    learner.eval()
    support = torch.from_numpy(drawn[:, :, : shape.shot].reshape(len(drawn), -1))
    queries = torch.from_numpy(drawn[:, :, shape.shot :].reshape(len(drawn), -1))
    labels = torch.arange(shape.way, device=features.device).repeat_interleave(shape.shot)
    each = drawn[0].size * features[0].numel()
    size = chunk or learner.at_once or max(1, min(len(drawn), GATHERED // each))
    answers = []
    for start in range(0, len(drawn), size):
        part = slice(start, start + size)
        pair = (gathered(features, rows[part]) for rows in (support, queries))
        logits = learner.logits(next(pair), labels, next(pair), shape.way)
        answers.append(logits.argmax(dim=-1).cpu())
    return np.asarray(torch.cat(answers).numpy())


def gathered(features: Tensor, rows: Tensor) -> Tensor:
    """(episodes, n) row numbers -> (episodes, n, *features)."""
    picked = features.index_select(0, rows.reshape(-1).to(features.device))
    return picked.view(*rows.shape, *features.shape[1:])


def correct(answers: NDArray[np.int64], shape: EpisodeShape) -> NDArray[np.int64]:
    """(episodes,) how many queries got their class; queries lie class by class."""
    targets = np.repeat(np.arange(shape.way), shape.queries)
    return np.asarray((answers == targets).sum(axis=1))


def accuracy(right: NDArray[np.int64], shape: EpisodeShape) -> Accuracy:
    """Of the counts that `correct` gives: mean and 1.96 standard errors over episodes."""
    shares = right / (shape.way * shape.queries)
    half = None
    if len(shares) > 1:
        half = 1.96 * float(shares.std(ddof=1)) / math.sqrt(len(shares))
    return Accuracy(float(shares.mean()), half, len(shares))
