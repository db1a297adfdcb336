"""A vote of the nearest labelled examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from nshot.core.types import OF_LABELS, Kind, Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, numbers, targets
from nshot.methods.label_sets import fold_thresholds, indicators
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.label_sets import NeighbourShares
from nshot.predictors.nearest import Vote, cosines, neighbours
from nshot.predictors.numbers import NeighbourMean


class KNN(OnFeatures):
    """Cover and Hart, "Nearest Neighbor Pattern Classification", 1967.

    https://doi.org/10.1109/TIT.1967.1053964 - a text takes the label that most of its k nearest
    shots have, by the encoder's cosine; equal votes go to the label of the nearest shot. With one
    shot per label it is the nearest shot. In a task of kind number: their mean number; of kind
    multilabel: the labels whose share among them reaches a threshold.

    Args:
        k: how many shots vote.
    """

    name: ClassVar = "knn"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS | {"number"}
    trains: ClassVar = "nothing"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"k": (5, 1, 3, 9)}
    about: ClassVar = "vote of the k nearest shots by the encoder's cosine"

    k: PositiveInt = 5

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and keep them."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        if task.kind == "number":
            values = numbers(shots.labelled)
            return NeighbourMean(task, encoder_of(bench), vectors, values, self.k)
        if task.kind == "multilabel":
            return self._shares(task, shots, bench, vectors)
        return Vote(task, encoder_of(bench), vectors, targets(task, shots.labelled), self.k)

    def _shares(
        self, task: Task, shots: Shots, bench: Workbench, vectors: NDArray[np.float32]
    ) -> Predictor:
        applies = indicators(task, shots.labelled)

        def fitted(learned: NDArray[np.intp], held_out: NDArray[np.intp]) -> Floats:
            chosen = neighbours(cosines(vectors[held_out], vectors[learned]), self.k)
            return np.asarray(applies[learned][chosen].mean(axis=1))

        thresholds = fold_thresholds(task, shots, bench.seed, fitted)
        return NeighbourShares(task, encoder_of(bench), vectors, applies, thresholds, self.k)
