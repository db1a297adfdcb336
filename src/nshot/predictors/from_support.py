"""A trained learner with a support set: what answers after learning to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Input, Prediction, Task
from nshot.data.fitted import fitted
from nshot.data.pictures import read_picture
from nshot.models.base import Floats, Models
from nshot.predictors.folder import Arrays, Saved, array, write
from nshot.predictors.nearest import extended
from nshot.predictors.scores import classified, log_softmax

LEARNER = "learner"
"""The folder of the learner's own files, beside the predictor's."""
ABSENT = -30.0
"""Log-probability of a label without any example, before the others are normalised."""


def items_of(inputs: Sequence[Input], shape: Sequence[int]) -> NDArray[np.uint8]:
    """The first picture of each input, (inputs, *shape)."""
    return np.stack([fitted(read_picture(input.images[0]), shape) for input in inputs])


def embedded(learner: Any, items: NDArray[Any]) -> NDArray[np.float32]:
    """(n, *features) of items (n, *shape), each by itself."""
    import torch

    from nshot.nets.learner import embed_all

    features = embed_all(learner, torch.from_numpy(items)).cpu().numpy()
    return np.asarray(features, dtype=np.float32)


@dataclass(frozen=True)
class FromSupport:
    """Answers as its learner does in an episode, with the labelled examples as the support set.

    `learner` is a `nshot.nets.learner.Learner` (typed loosely: no torch at this height),
    `support` (examples, *features) as it embedded them, `targets` (examples,) labels' numbers.
    """

    task: Task
    learner: Any
    support: NDArray[np.float32]
    targets: NDArray[np.int64]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log-probabilities: the learner's logits, normalised."""
        if not inputs:
            return []
        features = embedded(self.learner, items_of(inputs, self.learner.shape))
        return classified(self.task, log_softmax(self._logits(features)), (0,) * len(inputs))

    def extend(self, examples: Sequence[Example]) -> FromSupport:
        """Also knows the examples' labels; the support it had is the same bytes."""
        task, _ = extended(self.task, examples)
        items = items_of([example.input for example in examples], self.learner.shape)
        targets = [task.label_names.index(example.label) for example in examples]
        return replace(
            self,
            task=task,
            support=np.concatenate([self.support, embedded(self.learner, items)]),
            targets=np.concatenate([self.targets, np.array(targets, dtype=np.int64)]),
        )

    def _logits(self, features: NDArray[np.float32]) -> Floats:
        """(inputs, labels): one episode, its classes the labels that have examples."""
        import torch

        from nshot.core import machine

        present, labels = np.unique(self.targets, return_inverse=True)
        arrays = (self.support, labels, features)
        support, numbers, queries = (torch.from_numpy(x).to(machine.device()) for x in arrays)
        with torch.no_grad():
            logits = self.learner.logits(support[None], numbers, queries[None], len(present))[0]
        logprobs = log_softmax(logits.cpu().numpy())
        whole = np.full((len(features), len(self.task.labels)), ABSENT)
        whole[:, present] = logprobs
        return whole

    def save(self, folder: Path) -> None:
        """The learner in a folder of its own, the support as safetensors."""
        from nshot.nets import learners

        learners.save(self.learner, folder / LEARNER)
        arrays: Arrays = {"support": self.support, "targets": self.targets}
        write(folder, "from_support", self.task, {}, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> FromSupport:
        """The predictor that `save` wrote."""
        from nshot.nets import learners

        learner = learners.load(saved.folder / LEARNER)
        return cls(saved.task, learner, array(saved, "support"), array(saved, "targets"))
