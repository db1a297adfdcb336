"""Are they the right labels, where several may apply?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.core.label_sets import labels_of
from nshot.core.types import Example, Prediction
from nshot.metrics.labels import f1
from nshot.metrics.metric import Floats, Mean


class SubsetAccuracy(Mean):
    """1 where all labels are right and none is missing."""

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        return (float(set(example.targets) == set(labels_of(prediction.answer))),)


class MicroF1:
    """F1 of all pairs of a row and a label, as scikit-learn's ``f1_score(average="micro")``.

    2 right / (answered + occurring), over all labels together; 1 where no row has a label and none
    is answered.
    """

    mean = False

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """Right, answered and occurring labels."""
        right, answered = set(example.targets), set(labels_of(prediction.answer))
        return (float(len(right & answered)), float(len(answered)), float(len(right)))

    def value(self, total: Floats, count: int) -> float:
        """One number in [0, 1]."""
        hits, answered, occurring = np.asarray(total, dtype=np.float64)
        return float(2 * hits / (answered + occurring)) if answered + occurring else 1.0


class MacroF1OfSets:
    """Unweighted mean of F1 over the labels that occur or are answered.

    scikit-learn's ``f1_score(average="macro", zero_division=nan)``.
    """

    mean = False

    def __init__(self, labels: Sequence[str]) -> None:
        self._index = {label: i for i, label in enumerate(labels)}

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """True positives, answered and occurring, for each label: 3 x labels numbers."""
        right, answered = set(example.targets), set(labels_of(prediction.answer))
        row = np.zeros((3, len(self._index)))
        for place, names in enumerate((right & answered, answered, right)):
            row[place, [self._index[name] for name in names if name in self._index]] = 1
        return tuple(row.ravel().tolist())

    def value(self, total: Floats, count: int) -> float:
        """Mean of 2 tp / (answered + occurring); 0 where no label occurs."""
        return f1(total)
