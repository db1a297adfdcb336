"""A language model with fewer layers, tuned by the answers or by a teacher's expectations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.files import content_hash, write_atomic, write_folder
from nshot.core.types import (
    Cost,
    Delta,
    Example,
    ModelRef,
    Rung,
    Shots,
    Task,
    Trains,
    digest,
)
from nshot.methods.contract import Brief, Workbench
from nshot.methods.prompting import answer_tokens, base_of
from nshot.methods.teaching import teach
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import render
from nshot.training.learned import fit
from nshot.training.parts.weights import WholeModel
from nshot.training.recipe import Recipe

LOOKED_AT = 24
"""Rows by whose loss layers are chosen, at most, evenly spaced."""
_KEPT = "kept_layers.json"
"""The numbers of the layers, in the folder of what a training begins as."""


class FewerLayers(Trained):
    """The language model without some of its layers, its weights tuned to make up for them.

    Hassan Sajjad, Fahim Dalvi, Nadir Durrani, Preslav Nakov. "On the Effect of Dropping Layers of
    Pre-trained Transformer Models", 2020. https://arxiv.org/abs/2004.03844
    Victor Sanh, Lysandre Debut, Julien Chaumond, Thomas Wolf. "DistilBERT, a distilled version of
    BERT: smaller, faster, cheaper and lighter", 2019. https://arxiv.org/abs/1910.01108

    Which layers stay is measured on training rows (`nshot.training.layers.kept_layers`): those
    without which the loss rises least go. Alone it learns the answers. As the student of `distil`
    under a teacher that is a language model on the same base, it begins as the teacher's own
    weights, and learns what the teacher expects at each token
    (`nshot.training.objectives.distillation`).

    Settings besides those of `Trained`:

    Args:
        layers: how many stay; None: half of them.
        beta: 0 for the forward Kullback-Leibler divergence from a teacher, 1 for the reverse one,
            between them a generalised Jensen-Shannon divergence.
        temperature: at which teacher and student are compared.
        top_k: the tokens that a teacher's expectation keeps; all others are one outcome.
        own_steps: steps more in which it learns, at the tokens of texts that it writes itself, what
            the teacher expects there (on-policy); of tasks whose answers are written.
    """

    name: ClassVar[str] = "fewer_layers"
    rung: ClassVar[Rung] = "compress"
    trains: ClassVar[Trains] = "weights"
    about: ClassVar[str] = "the model with half its layers, tuned or taught by the whole one"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-4, 3e-4)}

    learning_rate: float = Field(default=1e-4, ge=0)
    layers: int | None = Field(default=None, ge=1)
    beta: float = Field(default=0.0, ge=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    top_k: int = Field(default=32, ge=1)
    own_steps: int = Field(default=0, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> WholeModel:
        """All weights but the embeddings."""
        return WholeModel()

    def why_not(self, brief: Brief) -> str | None:
        """Also where there are no layers to spare."""
        if reason := super().why_not(brief):
            return reason
        least = 2 if self.layers is None else self.layers + 1
        if brief.layers and brief.layers < least:
            return f"keeps {least - 1} layers, and the language model has {brief.layers}"
        if self.own_steps and not brief.task.is_written:
            return "learns from its own texts (own_steps) where answers are written, not labels"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The training of what is left, and as many readings of a few rows as layers are tried."""
        share = self._share(brief.layers)
        whole = super().forecast(brief)
        looked_at = min(LOOKED_AT, brief.labelled) * brief.tokens * brief.layers
        seconds = whole.seconds * share + looked_at / brief.rates.lm_tokens
        return replace(whole, seconds=seconds)

    def use_forecast(self, brief: Brief) -> Cost:
        """That of the whole model, by the share of its layers."""
        whole = super().use_forecast(brief)
        return replace(whole, seconds=whole.seconds * self._share(brief.layers))

    def _share(self, layers: int) -> float:
        return self._count(layers) / layers if layers else 1.0

    def _count(self, layers: int) -> int:
        return max(1, layers // 2) if self.layers is None else self.layers

    def trained_model(self, task: Task, shots: Shots, bench: Workbench) -> ModelRef:
        """The base with fewer layers, taught the answers."""
        base = base_of(bench)
        return self._taught(self.recipe(task, shots, bench.seed), base, base, bench)

    def adapt_to_model(
        self,
        task: Task,
        labelled: Sequence[Example],
        answered: Sequence[Example],
        teacher: Prompted,
        hard: float,
        bench: Workbench,
    ) -> Predictor:
        """See `nshot.methods.contract.LearnsExpectations`."""
        from nshot.models.hf.merged import unmergeable
        from nshot.training.data.taught import TaughtAnswers, require_alike
        from nshot.training.objectives.distillation import Distillation

        base = base_of(bench)
        require_alike(teacher.ref, base)
        rows = (*labelled, *answered)
        self._warn(task, labelled or answered, teacher, bench)
        data = TaughtAnswers(
            task, teacher.format, rows, teacher.ref, self.top_k, self.temperature, hard,
            frozenset(row.id for row in answered), models=bench.models, cache=bench.folder,
            note=bench.note,
            progress=lambda done, total: bench.progress(done, total, "rows read by the teacher"),
        )  # fmt: skip
        recipe: Recipe[Any] = Recipe(
            WholeModel(), data, Distillation(self.temperature, self.beta), self.schedule(bench.seed)
        )
        is_same = teacher.ref.base == base and teacher.ref.effective == teacher.ref
        start = teacher.ref if is_same and unmergeable(teacher.ref) is None else base
        ref = self._taught(recipe, start, base, bench)
        if self.own_steps and task.is_written:
            ref = self._on_its_own(ref, task, rows, teacher, bench)
        student = self.model_copy(update={"format": teacher.format})
        return student.predictor(task, Shots(tuple(labelled)), bench, ref)

    def _on_its_own(
        self,
        ref: ModelRef,
        task: Task,
        rows: Sequence[Example],
        teacher: Prompted,
        bench: Workbench,
    ) -> ModelRef:
        """The student after steps on texts of its own, which its teacher reads."""
        from nshot.models.base import Decoding
        from nshot.training.checkpoints import Checkpoints
        from nshot.training.data.taught import weights_of
        from nshot.training.forward import reader
        from nshot.training.loop import Stage, optimise_stages
        from nshot.training.objectives.distillation import Distillation
        from nshot.training.own_texts import OwnTexts
        from nshot.training.rollouts import probe

        part, schedule = WholeModel(), self.schedule(bench.seed)
        prompts = [render(task, teacher.format, row.input) for row in rows]
        tokens = answer_tokens(task, Shots(tuple(rows)), bench)
        how = Decoding(max_tokens=tokens, temperature=1.0, seed=bench.seed)
        source = weights_of(bench.models, teacher.ref)
        model = bench.models.open(teacher.ref)
        checkpoints = Checkpoints(bench.folder / "own-checkpoint")
        free = part.free(bench.models.open(ref).facts)
        with bench.models.lend(ref, free=free) as lent:
            texts = OwnTexts(
                lent, prompts, model, how, self.batch_size, self.own_steps, self.top_k,
                self.temperature, source,
            )  # fmt: skip
            stage = Stage(
                lent.module,
                lambda: reader(lent.module, probe(lent, prompts), None, lent.device),
                texts,
                Distillation(self.temperature, self.beta),
                schedule,
            )
            optimise_stages(
                [stage],
                device=lent.device,
                identity=repr(ref),
                checkpoints=checkpoints,
                note=bench.note,
                progress=lambda done, total: bench.progress(done, total, "learning on its own"),
            )
            delta = part.save(lent, lent.module, bench.folder / "own")
        checkpoints.forget()
        return replace(ref, deltas=(delta,))

    def _taught(
        self, recipe: Recipe[Any], start: ModelRef, base: ModelRef, bench: Workbench
    ) -> ModelRef:
        """What the recipe makes of `start` with fewer layers: a whole model of its own."""
        begun = self._begun(recipe, start, base, bench)
        ref = teach(recipe, replace(base, deltas=(begun,)), bench)
        return replace(ref, deltas=ref.deltas[-1:])

    def _begun(
        self, recipe: Recipe[Any], start: ModelRef, base: ModelRef, bench: Workbench
    ) -> Delta:
        """The weights of `start` in fewer layers, as a folder; that of a killed job is taken up."""
        folder = bench.folder / "begun"
        count = self._count(bench.models.open(base).facts.layers)
        identity = digest(repr(start), repr(recipe.data), repr(recipe.objective), str(count))
        if _kept(folder).get("identity") != identity:
            write_folder(folder, partial(self._begin, recipe, start, base, bench, identity))
        kept = _kept(folder)
        bench.note(f"of {kept['of']} layers these stay: {', '.join(map(str, kept['layers']))}")
        return Delta("model", str(folder), content_hash(folder))

    def _begin(
        self,
        recipe: Recipe[Any],
        start: ModelRef,
        base: ModelRef,
        bench: Workbench,
        identity: str,
        folder: Path,
    ) -> None:
        from nshot.core import machine
        from nshot.models.hf.merged import merged
        from nshot.training.layers import kept_layers, save_with_layers

        facts = bench.models.open(base).facts
        module, tokenizer = merged(start)
        lesson = recipe.data.lesson(Lent(base, module, tokenizer, "cpu"), facts.context)
        rows = lesson.rows[:: max(1, -(-len(lesson.rows) // LOOKED_AT))]
        kept = kept_layers(
            module.to(machine.device()), rows, recipe.objective, self._count(facts.layers),
            lambda done, total: bench.progress(done, total, "layers dropped"),
        )  # fmt: skip
        save_with_layers(module.cpu(), tokenizer, kept, folder)
        record = {"of": facts.layers, "layers": kept, "identity": identity}
        write_atomic(folder / _KEPT, json.dumps(record))

    def _warn(
        self, task: Task, rows: Sequence[Example], teacher: Prompted, bench: Workbench
    ) -> None:
        """Say so where the teacher does worse than what the student begins as."""
        own = base_of(bench)
        if not rows or teacher.ref == own:
            return
        taught, bare = (
            fit(bench.models.open(ref), task, teacher.format, rows) for ref in (teacher.ref, own)
        )
        if (taught.accuracy or 0.0, -taught.nll) < (bare.accuracy or 0.0, -bare.nll):
            bench.note(
                f"the teacher's {taught} on the labelled rows is worse than the untaught"
                f" language model's {bare}: it has little to teach"
            )


def _kept(folder: Path) -> dict[str, Any]:
    """What `FewerLayers` wrote of the layers in a folder; nothing where it did not come so far."""
    path = folder / _KEPT
    record: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return record
