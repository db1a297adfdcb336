"""From a recipe to a model that has learned: one way for every method that trains one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nshot.core.errors import Diverged
from nshot.core.types import Delta, ModelRef, digest
from nshot.methods.contract import Workbench
from nshot.training.recipe import Recipe

if TYPE_CHECKING:
    from nshot.training.learned import Fit


def teach(recipe: Recipe[Any], base: ModelRef, bench: Workbench) -> ModelRef:
    """Carry out a recipe: the ref of what it made of `base`, and better than what it began as.

    Raises `CannotAdapt`, `Diverged`, and `DidNotLearn` with the figures before and after.
    """
    from nshot.training.learned import require_learned

    before = _start(recipe, base, bench)
    ref = _with(base, _carry_out(recipe, base, bench))
    after = recipe.data.fit(bench.models, ref)
    if not math.isfinite(after.nll):
        raise Diverged(f"the trained model's loss is {after.nll}")
    require_learned(before, after)
    return ref


def _carry_out(recipe: Recipe[Any], base: ModelRef, bench: Workbench) -> Delta:
    """What is learned; the checkpoint of a killed job is taken up."""
    from nshot.training.checkpoints import Checkpoints
    from nshot.training.loop import optimise

    part, data, objective, schedule = recipe
    facts = bench.models.open(base).facts
    checkpoints = Checkpoints(bench.folder / "checkpoint")
    with bench.models.lend(base, free=part.free(facts)) as lent:
        lesson = data.lesson(lent, part.room(lent, facts.context))
        for sentence in lesson.notes:
            bench.note(sentence)
        module = part.put_on(lent, schedule.seed)
        trace = optimise(
            module,
            lambda: data.reader(module, lesson, part, lent.device, bench.note),
            lesson.rows,
            objective,
            schedule,
            device=lent.device,
            validation=lesson.validation,
            checkpoints=checkpoints,
            note=bench.note,
            progress=lambda done, total: bench.progress(done, total, "training"),
        )
        bench.trained(trace.parameters)
        bench.learned(trace.losses, trace.validation)
        delta = part.save(lent, module, bench.folder)
    checkpoints.forget()
    return delta


def _start(recipe: Recipe[Any], base: ModelRef, bench: Workbench) -> Fit:
    """How the untrained model does: the base's figures serve every part that starts as the base."""
    part, data = recipe.part, recipe.data
    if part.starts_as_base:
        key = digest(repr(base), repr(data))
        return bench.shared(f"fit-{key}", lambda: data.begin(bench.models, base))
    bench.folder.mkdir(parents=True, exist_ok=True)
    facts = bench.models.open(base).facts
    with TemporaryDirectory(dir=bench.folder) as folder:
        with bench.models.lend(base, free=part.free(facts)) as lent:
            part.room(lent, facts.context)
            delta = part.save(lent, part.put_on(lent, recipe.schedule.seed), Path(folder))
        key = digest(repr(base), delta.sha256, repr(data))
        return bench.shared(f"fit-{key}", lambda: data.fit(bench.models, _with(base, delta)))


def _with(base: ModelRef, delta: Delta) -> ModelRef:
    return replace(base, deltas=(*base.deltas, delta))
