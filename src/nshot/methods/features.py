"""What the methods on frozen features share: features of the shots, and targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Task, digest
from nshot.methods.contract import Workbench
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
