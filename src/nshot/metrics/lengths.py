"""How much of a preference is a preference for length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nshot.core.types import Example, Prediction


@dataclass(frozen=True)
class LengthBias:
    """What scores of given answers have to do with their lengths, in characters.

    `correlation` is Pearson's, of score and length, each less its mean over the answers to the
    same input: so it is 1 for a judge that counts characters, -1 for one that likes them few, and
    None where one of the two never differs. `chosen` is the share of inputs whose longest answer is
    scored highest, `preferred` the share whose longest answer is graded highest; None where the
    answers of no input differ in length.
    """

    correlation: float | None
    chosen: float | None
    preferred: float | None


def length_bias(examples: Sequence[Example], predictions: Sequence[Prediction]) -> LengthBias:
    """Of the predictions of kind rank for these examples."""
    lengths, scores, chosen, preferred = [], [], [], []
    for example, prediction in zip(examples, predictions, strict=True):
        own = np.array([len(answer) for answer in example.input.answers], dtype=np.float64)
        if len(own) < 2 or len(prediction.scores) != len(own):
            continue
        given = np.array(prediction.scores)
        lengths.append(own - own.mean())
        scores.append(given - given.mean())
        longest = own == own.max()
        if longest.sum() == 1:
            best = np.array(example.grades)
            chosen.append(float(given[longest][0] >= given.max()))
            preferred.append(float(best[longest][0] >= best.max()))
    return LengthBias(_correlation(lengths, scores), _mean(chosen), _mean(preferred))


def _correlation(
    lengths: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]],
    scores: Sequence[np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> float | None:
    if not lengths:
        return None
    x, y = np.concatenate(lengths), np.concatenate(scores)
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
