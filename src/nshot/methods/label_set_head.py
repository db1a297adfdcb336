"""A head of independent labels on frozen features, with thresholds chosen on folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.label_sets import fold_thresholds, indicators
from nshot.methods.logistic import Design, independent
from nshot.models.base import Floats
from nshot.predictors.features import Source
from nshot.predictors.label_head import products
from nshot.predictors.label_sets import LabelSetHead, sigmoid


def label_set_head(
    task: Task, shots: Shots, bench: Workbench, source: Source, design: Design, C: float
) -> LabelSetHead:
    """A logistic regression a label on the design's features of the shots; `C` as in `logistic`.

    What the source learned from the texts (which terms count) is the same in every fold.
    """
    applies = indicators(task, shots.labelled)

    def fitted(learned: NDArray[np.intp], held_out: NDArray[np.intp]) -> Floats:
        part = Design.of(design.features[learned])
        weights, bias = independent(part, applies[learned], C)
        return sigmoid(products(design.features[held_out], weights) + bias)

    weights, bias = independent(design, applies, C)
    bench.trained(weights.size + bias.size)
    thresholds = fold_thresholds(task, shots, bench.seed, fitted)
    return LabelSetHead(task, source, weights, bias, thresholds)
