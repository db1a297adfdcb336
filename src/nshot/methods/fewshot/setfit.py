"""A sentence encoder tuned on pairs of the shots, and logistic regression on its vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from nshot.core.errors import CannotAdapt
from nshot.core.files import content_hash
from nshot.core.types import Cost, Delta, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import OnFeatures, encoded, encoder_of, seconds_to_read, targets
from nshot.methods.logistic import Design, logistic
from nshot.models.base import LendsCopy, Lent
from nshot.predictors.base import Predictor
from nshot.predictors.features import Encoded
from nshot.predictors.label_head import LabelHead

if TYPE_CHECKING:
    from nshot.training.data.pairs import Pair
    from nshot.training.learned import Fit
    from nshot.training.rows import Schedule

_STEP = 0.05
"""Seconds of the optimiser, whatever is read."""
_TRIAL_ITERATIONS = 5
"""Iterations of a trial: a quarter of the pairs, which is a quarter of the minutes."""
_SHORT_STEPS = 6
"""Steps of the trial before that."""
_TEXTS = 512
"""Shots whose likeness is looked at before and after, at most, evenly spaced."""


class SetFit(OnFeatures):
    """Lewis Tunstall, Nils Reimers, Unso Eun Seo Jung, Luke Bates, Daniel Korat, Moshe Wasserblat,
    Oren Pereg. "Efficient Few-Shot Learning Without Prompts", 2022.

    https://arxiv.org/abs/2209.11055 - section 3: the shots are made into pairs, y = 1 where both
    texts have one label and 0 where not, and the whole sentence encoder is tuned towards
    cos(u, v) = y by the squared error. Then a logistic regression is fitted on the tuned vectors.
    n shots per label make n^2 pairs, which is how little can teach 22 million parameters.

    Args:
        learning_rate: AdamW's peak rate; it rises over a tenth of the steps and falls to zero.
        iterations: R of the paper: for each shot, R pairs of one label and R of two, drawn from
            all there are as the setfit package draws them. 0 leaves the encoder as it is.
        batch_size: pairs an optimiser step.
        max_steps: cap on the steps, so that a refit on thousands of rows stays bounded.
        C: inverse of the head's L2 penalty; the vectors have unit length.
    """

    name: ClassVar = "setfit"
    takes: ClassVar = frozenset({"text"})
    fast: ClassVar = False
    trains: ClassVar = "weights"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "learning_rate": (2e-5, 1e-4),
        "iterations": (20, 0),
    }
    search_folds: ClassVar = 2
    version: ClassVar = 3
    about: ClassVar = "the sentence encoder tuned on pairs of shots, logistic regression on it"

    learning_rate: float = Field(default=2e-5, ge=0)
    iterations: int = Field(default=20, ge=0)
    batch_size: int = Field(default=16, ge=1)
    max_steps: int = Field(default=320, ge=1)
    C: PositiveFloat = 1.0

    @property
    def for_trial(self) -> SetFit:
        """With fewer pairs: they come of few rows, again and again."""
        return self.model_copy(update={"iterations": min(self.iterations, _TRIAL_ITERATIONS)})

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        """With `_SHORT_STEPS`: of large vocabularies a step's cost is the optimiser's."""
        trial = self.for_trial
        if trial.steps(brief.labelled) < 2 * _SHORT_STEPS:
            return None
        return trial.model_copy(update={"max_steps": _SHORT_STEPS})

    def steps(self, rows: int) -> int:
        """Optimiser steps on this many rows."""
        return min(math.ceil(2 * self.iterations * rows / self.batch_size), self.max_steps)

    def forecast(self, brief: Brief) -> Cost:
        """Forward and backward through the texts of every batch; three times a forward pass."""
        rows = max(brief.labelled, 1)
        steps = self.steps(rows)
        # A text that several pairs of a batch share is read once.
        texts = rows * (1 - (1 - 1 / rows) ** (2 * self.batch_size))
        reading = seconds_to_read(2 * rows + 3 * steps * texts, brief)
        return Cost(seconds=0.05 + reading + _STEP * steps)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Tune a copy of the encoder and fit the head on its vectors.

        Raises `CannotAdapt` for an encoder without weights and for shots of a single label,
        `DidNotLearn` when the tuned encoder tells the labels no better apart than before.
        """
        source, parameters = encoder_of(bench), 0
        numbers = targets(task, shots.labelled)
        vectors = encoded(bench, [example.input for example in shots.labelled])
        if self.iterations:
            source, parameters = self._tune(shots, bench, source)
            tuned = source.read([example.input for example in shots.labelled]).matrix
            _require_learned(vectors, tuned, numbers)
            vectors = tuned
        else:
            bench.note("the encoder stayed as it is: no iterations")
        weights, bias = logistic(Design.of(vectors), numbers, len(task.labels), self.C)
        bench.trained(parameters + weights.size + bias.size)
        return LabelHead(task, source, weights, bias)

    def _tune(self, shots: Shots, bench: Workbench, source: Encoded) -> tuple[Encoded, int]:
        """The tuned encoder as a source, and how many parameters were trained."""
        from nshot.training.checkpoints import Checkpoints
        from nshot.training.data.pairs import Sentences
        from nshot.training.loop import optimise
        from nshot.training.objectives.contrastive import CosineSimilarity

        encoder = bench.models.encoder(source.ref)
        if not isinstance(encoder, LendsCopy):
            raise CannotAdapt(f"{source.ref.name} has no weights to train")
        lent = encoder.lend()
        checkpoints = Checkpoints(bench.folder / "checkpoint")
        trace = optimise(
            lent.module,
            lambda: Sentences(lent.module, lent.device),
            self._pairs(shots, bench, lent),
            CosineSimilarity(),
            self._schedule(bench.seed),
            device=lent.device,
            checkpoints=checkpoints,
            note=bench.note,
            progress=lambda done, total: bench.progress(done, total, "training"),
        )
        bench.learned(trace.losses, trace.validation)
        delta = _keep(lent, bench)
        checkpoints.forget()
        return replace(source, ref=replace(source.ref, deltas=(delta,))), trace.parameters

    def _schedule(self, seed: int) -> Schedule:
        from nshot.training.rows import Schedule

        return Schedule(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_steps=self.max_steps,
            seed=seed,
        )

    def _pairs(self, shots: Shots, bench: Workbench, lent: Lent) -> list[Pair]:
        """What is trained on; no more pairs are made than `max_steps` will take."""
        from nshot.models.hf.encoder import lengths
        from nshot.training.data.pairs import pairs

        texts = [example.input.text for example in shots.labelled]
        labels = [example.label for example in shots.labelled]
        if len(set(labels)) < 2:
            raise CannotAdapt("all shots have one label: there is nothing to tell apart")
        counts = lengths(lent.module, texts)
        limit = lent.module.max_seq_length or max(counts)
        if cut := sum(count > limit for count in counts):
            bench.note(f"{cut} training texts longer than {limit} tokens lost their end")
        each = min(self.iterations * len(texts), math.ceil(self.max_steps * self.batch_size / 2))
        return pairs(texts, labels, [min(n, limit) for n in counts], each, bench.seed)


def _keep(lent: Lent, bench: Workbench) -> Delta:
    """Save the whole encoder: sentence-transformers opens the folder."""
    target = bench.folder / "encoder"
    lent.module.save(str(target), create_model_card=False)
    return Delta("encoder", str(target), content_hash(target))


def _require_learned(
    before: NDArray[np.float32], after: NDArray[np.float32], numbers: NDArray[np.int64]
) -> None:
    from nshot.training.learned import require_learned

    require_learned(_fit(before, numbers), _fit(after, numbers))


def _fit(vectors: NDArray[np.float32], numbers: NDArray[np.int64]) -> Fit:
    """The loss over all pairs of shots, those of one label weighing as much as the others."""
    from nshot.training.learned import Fit

    some = slice(None, None, -(-len(numbers) // _TEXTS))
    rows, labels = vectors[some].astype(np.float64), numbers[some]
    alike = labels[:, None] == labels
    errors = (rows @ rows.T - alike) ** 2
    return Fit(float((_mean(errors[alike]) + _mean(errors[~alike])) / 2), None)


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
