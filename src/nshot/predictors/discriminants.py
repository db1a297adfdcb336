"""By several linear discriminants, each on its own features of a picture, that answer together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models, View
from nshot.predictors.features import averaged
from nshot.predictors.folder import Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.nearest import extended, unit
from nshot.predictors.scores import classified, log_softmax

Covariance: TypeAlias = Literal["within", "total"]
Parts: TypeAlias = Mapping[str, NDArray[np.floating]]
Singles: TypeAlias = NDArray[np.float32]

ABSENT = -30.0
"""Logit of a label without any example."""
DIRECTIONS = 256
"""Most directions of a covariance that are kept; the others count as having none."""


@dataclass(frozen=True)
class Pictured:
    """What an image network sees in each input's picture, averaged over `views`."""

    models: Models
    ref: ModelRef
    views: tuple[View, ...]

    def read(self, inputs: Sequence[Input]) -> dict[str, NDArray[np.float32]]:
        """(inputs, width of the part) by part; pictures of one input count as their mean.

        A part that not every view has is averaged over those that do.
        """
        network = self.models.pictures(self.ref)
        images = [image for one in inputs for image in one.images]
        seen = [network.features(images, view) for view in self.views]
        names = dict.fromkeys(name for view in seen for name in view)
        return {
            name: averaged(np.mean([v[name] for v in seen if name in v], axis=0), inputs)
            for name in names
        }


@dataclass(frozen=True)
class Family:
    """Features that are read together: parts of what the network sees, and a power.

    The signed power evens out channels that are mostly silent: Hu, Gripon and Pateux, "Leveraging
    the Feature Distribution in Transfer-based Few-Shot Learning", 2021, section 3.1.
    """

    parts: tuple[str, ...]
    power: float = 1.0

    def rows(self, seen: Parts) -> Floats:
        """(inputs, width): each part at unit length, side by side, all of unit length."""
        blocks = []
        for name in self.parts:
            values = seen[name].astype(np.float64)
            blocks.append(unit(np.sign(values) * np.abs(values) ** self.power))
        return np.asarray(np.concatenate(blocks, axis=1) / len(blocks) ** 0.5)


@dataclass(frozen=True)
class Spread:
    """Means and covariance of labelled rows, before any shrinkage.

    `prototypes` (labels, width), a row of zeros for a label without examples; `mean` (width,);
    `directions` (r, width) at unit length with their `variances` (r,); `level` is the mean variance
    of a feature.
    """

    prototypes: Floats
    mean: Floats
    directions: Floats
    variances: Floats
    level: float

    @classmethod
    def of(
        cls, rows: Floats, targets: NDArray[np.int64], count: int, covariance: Covariance
    ) -> Spread:
        """`rows` (n, width) with `targets` (n,), indices below `count`.

        The covariance around each label's mean (``within``), or around the mean of all
        (``total``: ridge regression on the labels' indicators gives the same directions).
        """
        members = [rows[targets == label] for label in range(count)]
        zeros = np.zeros(rows.shape[1])
        prototypes = np.stack([m.mean(axis=0) if len(m) else zeros for m in members])
        mean = rows.mean(axis=0)
        around = rows - (prototypes[targets] if covariance == "within" else mean)
        lost = len(np.unique(targets)) if covariance == "within" else 1
        variances, directions = _directions(around, max(len(rows) - lost, 1))
        level = float(variances.sum() / rows.shape[1])
        kept = slice(None, DIRECTIONS)
        return cls(prototypes, mean, directions[kept], variances[kept], level or 1.0)

    def shrunken(self, shrinkage: float) -> tuple[Floats, float]:
        """How much of each direction is taken away, (r,), and the variance that all keep.

        The covariance is (1 - shrinkage) S + shrinkage level I; its inverse takes x to
        (x - sum of gain (direction . x) direction) / floor. At 1 the nearest mean decides.
        """
        floor = shrinkage * self.level
        kept = (1 - shrinkage) * self.variances
        return kept / (kept + floor), floor

    def logits(self, rows: Floats, shrinkages: Sequence[float]) -> Floats:
        """(shrinkages, inputs, labels): what the `Discriminant` of each would say of `rows`.

        The rows are laid along the directions once for all of them.
        """
        away, queries = self.prototypes - self.mean, rows - self.mean
        flat, square = queries @ away.T, (away**2).sum(axis=1)
        theirs, along = away @ self.directions.T, queries @ self.directions.T
        logprobs = []
        for gains, floor in map(self.shrunken, shrinkages):
            inner = flat - (along * gains) @ theirs.T
            own = square - (theirs**2) @ gains
            logprobs.append((inner - 0.5 * own) / floor)
        return np.where(self.prototypes.any(axis=1), np.stack(logprobs), ABSENT)


def _directions(around: Floats, freedom: int) -> tuple[Floats, Floats]:
    """Variances, largest first, and directions (r, width) of centred rows, from their products."""
    values, vectors = np.linalg.eigh(around @ around.T / freedom)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > 1e-9 * max(float(values[0]), 1e-12)
    values, vectors = values[real], vectors[:, real]
    return values, (vectors / np.sqrt(values * freedom)).T @ around


@dataclass(frozen=True)
class Discriminant:
    """Gaussians of one covariance: logits are linear in a row of the family's features.

    Fisher's linear discriminant with a shrunken covariance (Friedman, "Regularized Discriminant
    Analysis", 1989, eq. 18). Arrays as in `Spread`, in float32; `gains` and `floor` as `shrunken`
    gives them; `temperature` multiplies the logits. Among others it has `weight`.
    """

    family: Family
    floor: float
    temperature: float
    weight: float
    prototypes: Singles
    mean: Singles
    directions: Singles
    gains: Singles

    @classmethod
    def of(
        cls,
        family: Family,
        spread: Spread,
        shrinkage: float,
        temperature: float = 1.0,
        weight: float = 1.0,
    ) -> Discriminant:
        """From the spread of the shots."""
        gains, floor = spread.shrunken(shrinkage)
        arrays = (spread.prototypes, spread.mean, spread.directions, gains)
        return cls(family, floor, temperature, weight, *(a.astype(np.float32) for a in arrays))

    def logits(self, rows: Floats) -> Floats:
        """(inputs, labels) of (inputs, width)."""
        weights, bias = self._head
        logits = self.temperature * ((rows - self.mean) @ weights + bias)
        return np.where(self.prototypes.any(axis=1), logits, ABSENT)

    @cached_property
    def _head(self) -> tuple[Floats, Floats]:
        """(width, labels) and (labels,)."""
        away = self.prototypes.astype(np.float64) - self.mean
        along = (away @ self.directions.T) * self.gains
        weights = (away - along @ self.directions) / self.floor
        return weights.T, -0.5 * (weights * away).sum(axis=1)


@dataclass(frozen=True)
class Discriminants:
    """The label of the highest weighted sum of log-probabilities under all `members`.

    A logarithmic opinion pool: Geoffrey Hinton, "Products of Experts", 1999, eq. 1.
    """

    task: Task
    source: Pictured
    members: tuple[Discriminant, ...]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log-probabilities."""
        if not inputs:
            return []
        scores = together(self.members, self.source.read(inputs))
        return classified(self.task, scores, (0,) * len(inputs))

    def extend(self, examples: Sequence[Example]) -> Discriminants:
        """Also knows the examples' labels; what it had of the others are the same bytes."""
        task, fresh = extended(self.task, examples)
        names = [label.name for label in fresh]
        targets = np.array([names.index(example.label) for example in examples])
        seen = self.source.read([example.input for example in examples])
        members = tuple(_with(m, m.family.rows(seen), targets, len(names)) for m in self.members)
        return replace(self, task=task, members=members)

    def save(self, folder: Path) -> None:
        """Prototypes and covariances as safetensors, the rest as JSON."""
        settings = {
            "ref": ref_to_json(self.source.ref, folder),
            "views": list(self.source.views),
            "members": [_to_json(member) for member in self.members],
        }
        arrays = {
            f"{i}.{name}": getattr(member, name)
            for i, member in enumerate(self.members)
            for name in _ARRAYS
        }
        write(folder, "discriminants", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Discriminants:
        """The predictor that `save` wrote."""
        settings = saved.settings
        ref = ref_from_json(settings["ref"], saved.folder)
        members = tuple(
            Discriminant(
                Family(tuple(one["parts"]), one["power"]),
                one["floor"],
                one["temperature"],
                one["weight"],
                *(array(saved, f"{i}.{name}") for name in _ARRAYS),
            )
            for i, one in enumerate(settings["members"])
        )
        return cls(saved.task, Pictured(models, ref, tuple(settings["views"])), members)


_ARRAYS = ("prototypes", "mean", "directions", "gains")


def together(members: Sequence[Discriminant], seen: Parts) -> Floats:
    """(inputs, labels) log-probabilities: the members' weighted sum, normalised again."""
    logprobs = [m.weight * log_softmax(m.logits(m.family.rows(seen))) for m in members]
    return log_softmax(np.sum(logprobs, axis=0))


def _with(
    member: Discriminant, rows: Floats, targets: NDArray[np.intp], count: int
) -> Discriminant:
    fresh = np.stack([rows[targets == label].mean(axis=0) for label in range(count)])
    prototypes = np.concatenate([member.prototypes, fresh.astype(np.float32)])
    return replace(member, prototypes=prototypes)


def _to_json(member: Discriminant) -> dict[str, Any]:
    return {
        "parts": list(member.family.parts),
        "power": member.family.power,
        "floor": member.floor,
        "temperature": member.temperature,
        "weight": member.weight,
    }
