"""By likeness: to the mean of each label, or to the nearest examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.eight_bits import as_kept, on_grid
from nshot.predictors.features import Source, TfIdf, source_from
from nshot.predictors.folder import Saved, array, in_eight_bits, write
from nshot.predictors.scores import classified, log_softmax

TEMPERATURE = 0.05
"""Cosines lie close together: divided by this they make usable probabilities (the scale of 20 that
sentence-transformers trains its cosines with). It changes no answer."""
EPSILON = 1e-2
"""Votes that a label without any neighbour is given, so that its log-probability is finite."""


def unit(matrix: NDArray[np.floating]) -> Floats:
    """Rows at unit length, float64; a row of zeros stays."""
    rows = np.asarray(matrix, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1))


def cosines(queries: NDArray[np.floating], known: NDArray[np.floating]) -> Floats:
    """(queries, known), rounded to 1e-6: the size of the batch must not part equals.

    A known row of zeros, a label without examples, is like nothing: -1.
    """
    likeness = np.round(unit(queries) @ unit(known).T, 6)
    return np.where(np.any(known, axis=1), likeness, -1.0)


def neighbours(likeness: Floats, k: int) -> NDArray[np.intp]:
    """(queries, k) indices of the likest, the likest first and the first of equals before."""
    return np.argsort(-likeness, axis=1, kind="stable")[:, :k]


def class_means(vectors: NDArray[np.floating], targets: NDArray[np.intp], count: int) -> Floats:
    """(count, width): the mean of each label's unit vectors; zeros for a label without any."""
    rows = unit(vectors)
    each = [rows[targets == label] for label in range(count)]
    return np.stack([members.sum(axis=0) / max(1, len(members)) for members in each])


@dataclass(frozen=True)
class Nearest:
    """The label whose prototype has the greatest cosine with the input.

    `prototypes` (labels, width). Prototypical Networks' rule with cosine for distance
    (Snell et al. 2017, eq. 1-2). `scale` multiplies the cosines: learned with the prototypes
    where these were trained, and part of no answer. With `eight_bits` a prototype is whole numbers
    and a scale (`nshot.predictors.eight_bits`), and kept so in the folder.
    """

    task: Task
    source: Source
    prototypes: Floats
    scale: float = 1 / TEMPERATURE
    eight_bits: bool = False

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log softmax(scale * cosine)."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        likeness = cosines(features.matrix, self.prototypes)
        return classified(self.task, log_softmax(likeness * self.scale), features.tokens_in)

    def extend(self, examples: Sequence[Example]) -> Nearest:
        """Also knows the examples' labels; the prototypes it had are the same bytes."""
        task, fresh = extended(self.task, examples)
        names = [label.name for label in fresh]
        vectors = self.source.read([example.input for example in examples]).matrix
        targets = np.array([names.index(example.label) for example in examples])
        prototypes = class_means(vectors, targets, len(fresh))
        prototypes = on_grid(prototypes, 1) if self.eight_bits else prototypes
        return replace(self, task=task, prototypes=np.concatenate([self.prototypes, prototypes]))

    def in_eight_bits(self) -> Nearest:
        """The same with its prototypes rounded."""
        return replace(self, prototypes=on_grid(self.prototypes, 1), eight_bits=True)

    def save(self, folder: Path) -> None:
        """Prototypes as safetensors, the rest as JSON."""
        settings = {"source": self.source.settings(folder), "scale": self.scale}
        prototypes = as_kept("prototypes", self.prototypes, 1, self.eight_bits)
        arrays = {**self.source.arrays(), **prototypes}
        write(folder, "nearest", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Nearest:
        """The predictor that `save` wrote."""
        source, prototypes = source_from(saved, models), array(saved, "prototypes")
        scale = saved.settings.get("scale", 1 / TEMPERATURE)  # folders of before have none
        return cls(saved.task, source, prototypes, scale, in_eight_bits(saved, "prototypes"))


@dataclass(frozen=True)
class Vote:
    """The label that most of the `k` nearest labelled examples have; the likest parts equals.

    `vectors` (examples, width) and `targets` (examples,), indices of labels. `eight_bits` as of
    `Nearest`.
    """

    task: Task
    source: Source
    vectors: NDArray[np.floating]
    targets: NDArray[np.int64]
    k: int
    eight_bits: bool = False

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are the logarithm of each label's share of the votes."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        votes = self._votes(cosines(features.matrix, self.vectors))
        shares = votes / votes.sum(axis=1, keepdims=True)
        return classified(self.task, np.log(shares), features.tokens_in)

    def extend(self, examples: Sequence[Example]) -> Vote:
        """Also knows the examples' labels; the vectors it had are the same bytes."""
        task, _ = extended(self.task, examples)
        vectors = self.source.read([example.input for example in examples]).matrix
        vectors = on_grid(vectors, 1) if self.eight_bits else vectors
        targets = np.array([task.label_names.index(e.label) for e in examples], dtype=np.int64)
        return replace(
            self,
            task=task,
            vectors=np.concatenate([self.vectors, vectors]),
            targets=np.concatenate([self.targets, targets]),
        )

    def _votes(self, likeness: Floats) -> Floats:
        """(inputs, labels): whole votes, and less than half a vote for the likest example."""
        votes = np.full((len(likeness), len(self.task.labels)), EPSILON)
        best = np.zeros_like(votes)
        chosen = neighbours(likeness, self.k)
        rows = np.arange(len(likeness))
        for place in chosen.T:
            labels = self.targets[place]
            votes[rows, labels] += 1
            best[rows, labels] = np.maximum(best[rows, labels], (1 + likeness[rows, place]) / 4.1)
        return np.asarray(votes + best)

    def in_eight_bits(self) -> Vote:
        """The same with its vectors rounded."""
        return replace(self, vectors=on_grid(self.vectors, 1), eight_bits=True)

    def save(self, folder: Path) -> None:
        """Vectors and targets as safetensors, the rest as JSON."""
        settings = {"source": self.source.settings(folder), "k": self.k}
        vectors = as_kept("vectors", self.vectors, 1, self.eight_bits)
        arrays = {**self.source.arrays(), **vectors, "targets": self.targets}
        write(folder, "vote", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Vote:
        """The predictor that `save` wrote."""
        source = source_from(saved, models)
        vectors, targets = array(saved, "vectors"), array(saved, "targets")
        eight_bits = in_eight_bits(saved, "vectors")
        return cls(saved.task, source, vectors, targets, saved.settings["k"], eight_bits)


@dataclass(frozen=True)
class NearestAnswer:
    """The answer of the example that is likest to the input; of equals the first.

    `inputs` and `answers` of the same length; `features` (examples, width) of the inputs, an array
    or, of counted terms, a CSR matrix.
    """

    task: Task
    source: Source
    inputs: tuple[Input, ...]
    answers: tuple[str, ...]
    features: Any

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are texts."""
        if not inputs:
            return []
        queries = self.source.read(inputs)
        likeness = self._likeness(queries.matrix)
        return [
            Prediction(self.answers[place], tokens_in=tokens)
            for place, tokens in zip(likeness.argmax(axis=1), queries.tokens_in, strict=True)
        ]

    def _likeness(self, matrix: Any) -> Floats:
        """(inputs, examples) cosines."""
        if isinstance(matrix, np.ndarray):
            return cosines(matrix, self.features)
        from sklearn.preprocessing import normalize  # late: only counted terms need it

        product = normalize(matrix) @ normalize(self.features).T
        return np.asarray(np.round(product.toarray(), 6), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """The vectors of an encoder as safetensors; terms are counted anew when it is loaded."""
        settings = {
            "source": self.source.settings(folder),
            "inputs": [to_data(input) for input in self.inputs],
            "answers": list(self.answers),
        }
        kept = {"features": self.features} if isinstance(self.features, np.ndarray) else {}
        write(folder, "nearest_answer", self.task, settings, {**self.source.arrays(), **kept})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> NearestAnswer:
        """The predictor that `save` wrote."""
        source = source_from(saved, models)
        inputs = tuple(from_data(Input, one) for one in saved.settings["inputs"])
        kept = "features" in saved.arrays or not isinstance(source, TfIdf)
        features = array(saved, "features") if kept else source.read(inputs).matrix
        return cls(saved.task, source, inputs, tuple(saved.settings["answers"]), features)


def extended(task: Task, examples: Sequence[Example]) -> tuple[Task, tuple[Label, ...]]:
    """The task with the examples' labels behind its own; `InputError` if it has one of them."""
    names = list(dict.fromkeys(example.label for example in examples))
    if known := [name for name in names if name in task.label_names]:
        raise InputError(
            [
                Fault(f"the label '{name}' is known already", do="add new labels only")
                for name in known
            ]
        )
    fresh = tuple(Label(name) for name in names)
    return replace(task, labels=task.labels + fresh), fresh
