"""Learning from background classes: from an untrained learner to what answers a task of one's own.

Which items a step sees is a pure function of the seed and the step's number, so that whoever is
killed and started again ends with the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Shots, Task, digest
from nshot.data.collections import SIDE, Collection
from nshot.data.episodes import EpisodeShape
from nshot.data.pictures import read_picture
from nshot.methods.contract import Workbench
from nshot.methods.features import targets
from nshot.methods.fewshot.episodic import STEPS, Episodic, Phase
from nshot.methods.spec import spec_hash
from nshot.nets import answering
from nshot.nets.learner import Learner, embed_all
from nshot.predictors.from_support import FromSupport, items_of
from nshot.training import loop
from nshot.training.checkpoints import Checkpoints
from nshot.training.data.episodes import BackgroundBatches
from nshot.training.loop import Stage, Trace
from nshot.training.objectives.episode import Learning
from nshot.training.rows import Schedule

WARM, TIMED = 2, 6
"""Steps that are not timed, and steps that are, when minutes are turned into steps."""
LOOKS = 12
"""How often the validation episodes are answered while training, about."""
_LEAST = 16
"""Pixels that four blocks of pooling leave one of."""


@dataclass(frozen=True)
class Validation:
    """Episodes of classes kept out of the training, to see how well new classes are told apart.

    `items` are those that occur, `drawn` numbers their rows as `nshot.data.episodes.draw` does.
    Nothing is chosen by it.
    """

    items: NDArray[Any]
    drawn: NDArray[np.int64]
    shape: EpisodeShape

    def share(self, learner: Learner) -> float:
        """Share of the queries that get their class."""
        features = embed_all(learner, torch.from_numpy(self.items))
        answers = answering.answer(learner, features, self.drawn, self.shape)
        return answering.accuracy(answering.correct(answers, self.shape), self.shape).mean

    def every(self, steps: int) -> loop.Validation[Learning]:
        """Its share, about `LOOKS` times in so many steps."""
        identity = digest(repr(self.shape), str(self.drawn.tolist()))
        every = max(1, steps // LOOKS)
        return loop.Validation(every, lambda model, _: self.share(model.learner), identity)


def fresh(method: Episodic, shape: tuple[int, ...], seed: int) -> Learner:
    """The untrained learner of a method: the same for the same seed."""
    with machine.seeded(seed):
        return method.learner(shape).to(machine.device())


def planned(method: Episodic, background: Collection, seconds: float, seed: int) -> list[int]:
    """How many steps of each phase `seconds` hold, measured on a learner that is thrown away.

    The timed steps lie all over the phase: a step may cost more in the beginning than at the end.
    """
    phases, steps = method.phases(background.shape), []
    whole = sum(phase.share for phase in phases)
    for phase in phases:
        learner = fresh(method, background.shape, seed)
        spent = 0.0
        for count in (WARM, TIMED):
            stage = _stage(method, phase, learner, background, count, seed)
            start = time.perf_counter()
            loop.optimise_stages([stage], device=machine.device())
            spent = time.perf_counter() - start
        steps.append(max(1, int(seconds * phase.share / whole / (spent / TIMED))))
    return steps


def train(
    method: Episodic,
    learner: Learner,
    background: Collection,
    steps: Sequence[int],
    *,
    seed: int,
    validation: Validation | None = None,
    checkpoints: Checkpoints | None = None,
    note: Callable[[str], None] = loop.quiet,
    progress: Callable[[int, int], None] = loop.still,
) -> Trace:
    """Train `learner` in place through the method's phases, `steps` of each.

    Raises `Diverged` for a loss or gradient that is not a finite number.
    """
    phases = method.phases(background.shape)
    stages = [
        _stage(method, phase, learner, background, count, seed * len(phases) + number)
        for number, (phase, count) in enumerate(zip(phases, steps, strict=False))
    ]
    trace = loop.optimise_stages(
        stages,
        device=machine.device(),
        identity=spec_hash(method),
        validation=validation.every(sum(steps)) if validation else None,
        checkpoints=checkpoints,
        note=note,
        progress=progress,
    )
    parameters = sum(p.numel() for p in learner.parameters() if p.requires_grad)
    return replace(trace, parameters=parameters)


def _stage(
    method: Episodic,
    phase: Phase,
    learner: Learner,
    background: Collection,
    steps: int,
    seed: int,
) -> Stage[Learning, Any]:
    """One phase as the loop knows it; what the phase needs beside the learner is made here."""
    with machine.seeded(seed):
        head = method.head(phase, learner, len(background.names))
    module = Learning(learner, head, background.items).to(machine.device())
    schedule = Schedule(
        phase.learning_rate,
        batch_size=phase.draws.at_once,
        warmup=phase.warmup,
        shape="cosine",
        weight_decay=phase.weight_decay,
        clip=phase.clip,
        seed=seed,
        fused=False,
    )
    batches = BackgroundBatches(phase.draws, background, steps, seed)
    return Stage(module, lambda: module, batches, method.objective(phase), schedule)


def adapt(method: Episodic, task: Task, shots: Shots, bench: Workbench) -> FromSupport:
    """See `Episodic.adapt`."""
    if not shots.background:
        raise CannotAdapt("needs background classes to learn from, and the task has none")
    background = collected(shots.background)
    learner = fresh(method, background.shape, bench.seed)
    checkpoints = Checkpoints(bench.folder / "checkpoint")
    trace = train(
        method,
        learner,
        background,
        method.steps or (STEPS,) * len(method.phases(background.shape)),
        seed=bench.seed,
        checkpoints=checkpoints,
        note=bench.note,
        progress=lambda done, total: bench.progress(done, total, "training"),
    )
    checkpoints.forget()
    bench.trained(trace.parameters)
    bench.learned(trace.losses, ())
    items = torch.from_numpy(items_of([e.input for e in shots.labelled], background.shape))
    support = embed_all(learner, items).cpu().numpy()
    return FromSupport(task, learner, support, targets(task, shots.labelled))


def collected(examples: Sequence[Example]) -> Collection:
    """Examples of pictures as a collection, their labels the classes."""
    names, number = np.unique([e.label for e in examples], return_inverse=True)
    order = np.argsort(number, kind="stable")
    items = items_of([examples[i].input for i in order], shape_of(examples))
    counts = np.bincount(number, minlength=len(names))
    return Collection(items, counts, tuple(names.tolist()), np.arange(len(names)))


def shape_of(examples: Sequence[Example]) -> tuple[int, int, int]:
    """Three channels, as large as the largest side of the pictures, `SIDE` pixels at most."""
    longest = max(max(read_picture(e.input.images[0]).shape[:2]) for e in examples)
    side = min(SIDE, max(_LEAST, longest))
    return (3, side, side)
