"""What the methods on frozen features share: what they cost, features of the shots, targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, Example, Input, Rung, Task, digest
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.models.base import Floats
from nshot.predictors.features import Encoded

ABSENT = -30.0
"""Bias of a label without any example: its probability is nothing, but not log 0."""


class OnFeatures(Method):
    """A method on the vectors of an encoder that stays as it is: what it costs is to read."""

    rung: ClassVar[Rung] = "fewshot"
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    needs_encoder: ClassVar[bool] = True

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot."""
        return Cost(seconds=0.01 + seconds_to_read(brief.labelled, brief))

    def use_forecast(self, brief: Brief) -> Cost:
        """The encoder reads every test row."""
        return Cost(seconds=seconds_to_read(brief.test, brief))


def seconds_to_read(rows: float, brief: Brief) -> float:
    """What the encoder takes for so many rows."""
    return rows * brief.tokens / brief.rates.encoder_tokens


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


def one_hot(task: Task, examples: Sequence[Example]) -> Floats:
    """(examples, labels): 1 for each one's label, else 0."""
    return np.eye(len(task.labels))[targets(task, examples)]


def numbers(examples: Sequence[Example]) -> Floats:
    """(examples,) the number of each, in a task of kind number."""
    return np.array([float(example.targets[0]) for example in examples])
