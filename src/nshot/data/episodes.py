"""What an episode is, and which items are in it: a function of the seed and its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError

BLOCK = 64
"""Episodes drawn together, by one generator."""


@dataclass(frozen=True)
class EpisodeShape:
    """`way` classes, `shot` support items of each, `queries` items of each to be told."""

    way: int
    shot: int
    queries: int

    @property
    def name(self) -> str:
        """As papers say it: ``5-way 1-shot``."""
        return f"{self.way}-way {self.shot}-shot"


def draw(
    counts: NDArray[np.int64], shape: EpisodeShape, first: int, episodes: int, seed: int
) -> NDArray[np.int64]:
    """Items of the episodes `first` to ``first + episodes - 1``: (episodes, way, shot + queries).

    Items are numbered class by class (`Collection.items`); the first `shot` of a class are its
    support. Classes and items are drawn without repetition, each set of them as likely as any
    other, from the classes that have ``shot + queries`` items (`fitting`). A block of episodes has
    its own generator, so that an episode is the same however many are asked for around it.
    """
    fit = fitting(counts, shape)
    blocks = range(first // BLOCK, -(-(first + episodes) // BLOCK))
    drawn = np.concatenate([_block(counts, fit, shape, block, seed) for block in blocks])
    start = first - blocks.start * BLOCK
    return drawn[start : start + episodes]


def fitting(counts: NDArray[np.int64], shape: EpisodeShape) -> NDArray[np.int64]:
    """The classes with items enough; `InputError` where they are too few for an episode."""
    fit = np.flatnonzero(counts >= shape.shot + shape.queries)
    if len(fit) < shape.way:
        raise InputError(
            Fault(
                f"{len(fit)} of {len(counts)} classes have {shape.shot + shape.queries} items",
                expected=f"{shape.way} classes for {shape.name} with {shape.queries} queries each",
                do="fewer --way, --shot or --queries, or more items",
            )
        )
    return fit


def _block(
    counts: NDArray[np.int64],
    fit: NDArray[np.int64],
    shape: EpisodeShape,
    block: int,
    seed: int,
) -> NDArray[np.int64]:
    rng = np.random.default_rng([seed, block])
    classes = fit[_smallest(rng.random((BLOCK, len(fit))), shape.way)]
    size = counts[classes][:, :, None]
    keys = rng.random((BLOCK, shape.way, int(counts[fit].max())))
    keys[np.arange(keys.shape[2]) >= size] = 2.0  # what is not there comes last
    starts = (np.cumsum(counts) - counts)[classes]
    return starts[:, :, None] + _smallest(keys, shape.shot + shape.queries)


def _smallest(keys: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Places of the `k` smallest along the last axis, the smallest first: a random order."""
    near = np.argpartition(keys, min(k, keys.shape[-1] - 1), axis=-1)[..., :k]
    order = np.argsort(np.take_along_axis(keys, near, axis=-1), axis=-1)
    return np.take_along_axis(near, order, axis=-1)
