"""A method that learns from background classes, on a task of one's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Shots, Task
from nshot.data.collections import SIDE, Collection
from nshot.data.pictures import read_picture
from nshot.methods.contract import Workbench
from nshot.methods.episodes import learning
from nshot.methods.episodes.base import STEPS, Episodic
from nshot.nets.learner import embed_all
from nshot.predictors.from_support import FromSupport, items_of
from nshot.training.checkpoints import Checkpoints

_LEAST = 16
"""Pixels that four blocks of pooling leave one of."""


def adapt(method: Episodic, task: Task, shots: Shots, bench: Workbench) -> FromSupport:
    """See `Episodic.adapt`."""
    if not shots.background:
        raise CannotAdapt("needs background classes to learn from, and the task has none")
    background = collected(shots.background)
    learner = learning.fresh(method, background.shape, bench.seed)
    phases = method.phases(background.shape)
    checkpoints = Checkpoints(bench.folder / "checkpoint")
    trace = learning.train(
        method,
        learner,
        background,
        method.steps or (STEPS,) * len(phases),
        seed=bench.seed,
        checkpoints=checkpoints,
        progress=lambda done, total: bench.progress(done, total, "training"),
    )
    checkpoints.forget()
    bench.trained(trace.parameters)
    bench.learned(trace.losses, ())
    items = torch.from_numpy(items_of([e.input for e in shots.labelled], background.shape))
    support = embed_all(learner, items).cpu().numpy()
    numbers = {name: i for i, name in enumerate(task.label_names)}
    targets = np.array([numbers[e.label] for e in shots.labelled], dtype=np.int64)
    return FromSupport(task, learner, support, targets)


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
