"""What scores of given answers say of pairs: which is better, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Prediction, group_of
from nshot.metrics.metric import Floats


class Pairs(NamedTuple):
    """Of every two answers of a prompt with different grades: (pairs,) each.

    `ahead`: the score of the better answer less that of the other; `groups` tell the prompts apart.
    """

    ahead: Floats
    groups: NDArray[np.intp]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the better answer has more; equal scores are half a hit, see `hits`."""
        return self.ahead > 0

    @property
    def hits(self) -> Floats:
        """1 where the better answer has more, 1/2 of a tie."""
        return np.asarray((np.sign(self.ahead) + 1) / 2)

    @property
    def sureness(self) -> Floats:
        """The probability of whichever answer has more, by Bradley and Terry's model."""
        return np.asarray(1 / (1 + np.exp(-np.abs(self.ahead))))

    @property
    def errors(self) -> Floats:
        """Squared errors of the better answer's probability: 0.25 of who knows nothing."""
        return np.asarray((1 / (1 + np.exp(-np.clip(self.ahead, -700, 700))) - 1) ** 2)


def pairs(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Pairs:
    """All pairs of the predictions of kind rank for these examples."""
    ahead, names = [], []
    for example, prediction in zip(examples, predictions, strict=True):
        for a, b in combinations(range(len(example.grades)), 2):
            sign = np.sign(example.grades[a] - example.grades[b])
            if sign:
                ahead.append(float(sign) * (prediction.scores[a] - prediction.scores[b]))
                names.append(group_of(example))
    order = {name: k for k, name in enumerate(dict.fromkeys(names))}
    return Pairs(np.array(ahead), np.array([order[name] for name in names], dtype=np.intp))
