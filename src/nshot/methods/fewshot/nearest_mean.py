"""The label whose mean vector is nearest."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Shots, Task
from nshot.methods.contract import Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, targets
from nshot.predictors.base import Predictor
from nshot.predictors.nearest import Nearest, class_means


class NearestMean(OnFeatures):
    """Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017.

    https://arxiv.org/abs/1703.05175 - each label is the mean of its shots' vectors, and a text
    takes the nearest one, here by cosine and with the encoder as it is. A class can be added later
    from a few examples, without touching the others.
    """

    name: ClassVar = "nearest_mean"
    trains: ClassVar = "head"
    about: ClassVar = "mean vector of each label, nearest by cosine; classes can be added"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and take the means."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        prototypes = class_means(vectors, targets(task, shots.labelled), len(task.labels))
        bench.trained(prototypes.size)
        return Nearest(task, encoder_of(bench), prototypes)
