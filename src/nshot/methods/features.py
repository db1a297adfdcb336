"""What the methods on frozen features share: features of the shots, targets, the linear fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Task, digest
from nshot.methods.contract import Workbench
from nshot.models.base import Floats
from nshot.predictors.features import Encoded

ABSENT = -30.0
"""Bias of a label without any example: its probability is nothing, but not log 0."""


def encoder_of(bench: Workbench) -> Encoded:
    """The bench's encoder as a source of features; `CannotAdapt` where it has none."""
    if bench.encoder is None:
        raise CannotAdapt("needs an encoder, and none was given")
    return Encoded(bench.models, bench.encoder)


def encoded(bench: Workbench, inputs: Sequence[Input]) -> NDArray[np.float32]:
    """(inputs, width) vectors of the bench's encoder.

    Those of texts are shared by the bench's models, text by text; pictures by the bench.
    """
    source = encoder_of(bench)

    def encode() -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = source.read(inputs).matrix
        return vectors

    if not any(input.images for input in inputs):
        return encode()
    contents = [f"{input.text}{[image.sha256 for image in input.images]}" for input in inputs]
    return bench.shared(digest("encoded", repr(source.ref), *contents), encode)


def targets(task: Task, examples: Sequence[Example]) -> NDArray[np.int64]:
    """(examples,) index of each one's label in the task's order."""
    index = {name: i for i, name in enumerate(task.label_names)}
    return np.array([index[example.label] for example in examples], dtype=np.int64)


def logistic(
    matrix: Any, targets: NDArray[np.int64], count: int, C: float
) -> tuple[Floats, Floats]:
    """Multinomial logistic regression with an L2 penalty of 1 / `C`: (width, count), (count,).

    `matrix` (rows, width) dense or CSR. A label that no row has is left out of the fit and all but
    excluded from the answers.
    """
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((matrix.shape[1], count)), np.full(count, ABSENT)
    present = np.unique(targets)
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    model = LogisticRegression(C=C, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Many classes for so few rows": that is few-shot.
        model.fit(matrix, targets)
    if len(present) == 2:  # scikit-learn keeps one row of weights for two labels.
        weights[:, present[1]] = model.coef_[0]
        bias[present] = (0.0, model.intercept_[0])
        return weights, bias
    weights[:, present], bias[present] = model.coef_.T, model.intercept_
    return weights, bias
