"""Ridge regression on a sentence encoder's vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveFloat

from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, numbers
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.numbers import NumberHead


class Ridge(OnFeatures):
    """Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", 1970.

    https://doi.org/10.1080/00401706.1970.10488634 - a linear function of the encoder's vectors with
    the least squared error plus `alpha` times its squared weights; no answer leaves the range of
    the labelled numbers.

    Args:
        alpha: the penalty; the vectors have unit length.
    """

    name: ClassVar = "ridge"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"number"})
    trains: ClassVar = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"alpha": (1.0, 0.1, 10.0)}
    about: ClassVar = "a linear function of the encoder's vectors"

    alpha: PositiveFloat = 1.0

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and solve."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        values = numbers(shots.labelled)
        weights, bias = ridge(vectors.astype(np.float64), values, self.alpha)
        bench.trained(weights.size + 1)
        low, high = float(values.min()), float(values.max())
        return NumberHead(task, encoder_of(bench), weights, bias, low, high)


def ridge(features: Floats, values: Floats, alpha: float) -> tuple[Floats, float]:
    """Weights (width,) and bias of (rows, width) features and (rows,) values.

    Minimises the squared errors plus alpha |w|^2, the bias free.
    """
    mean, middle = features.mean(axis=0), float(values.mean())
    centred = features - mean
    products = centred.T @ centred + alpha * np.eye(features.shape[1])
    weights = np.linalg.solve(products, centred.T @ (values - middle))
    return weights, middle - float(mean @ weights)
