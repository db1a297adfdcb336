"""What the methods that tune a language model on its answers have in common."""

from __future__ import annotations

import hashlib
import math
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt, Diverged
from nshot.core.types import Cost, Delta, Kind, ModelRef, Shots, Task, digest
from nshot.methods.contract import Brief, Workbench
from nshot.methods.prompting import WRITTEN_TOKEN, answer_tokens
from nshot.methods.writing import Writing
from nshot.models.base import Ability, LanguageModel, Lent
from nshot.prompts.render import Format

if TYPE_CHECKING:
    from nshot.predictors.base import Predictor
    from nshot.training.learned import Fit
    from nshot.training.rows import Row, Schedule

_PROMPT = 8
"""Tokens that field names and the answer's name add to an input in the plain format."""
_ANSWER = 3
"""Tokens of an answer."""
_LOOKED_AT = 64
"""Training rows that are looked at before and after; see `nshot.training.learned`."""


class SupervisedTuning(Writing):
    """A language model taught the answers of the shots; subclasses say which parameters learn.

    Settings of all:

    Args:
        learning_rate: AdamW's peak rate.
        epochs: passes over the shots.
        batch_size: rows an optimiser step.
        max_steps: cap on the steps, so that a refit on thousands of rows stays bounded.
        warmup: share of the steps in which the rate rises; afterwards it falls linearly to zero.
        format: how the task is put; see `nshot.prompts.render`.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"classify", "generate"})
    needs: ClassVar[frozenset[Ability]] = frozenset({"score", "train"})
    search_folds: ClassVar[int] = 2
    version: ClassVar[int] = 2

    learning_rate: float = Field(ge=0)
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=4, ge=1)
    max_steps: int = Field(default=320, ge=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    format: Format = "plain"

    @abstractmethod
    def install(self, lent: Lent, seed: int) -> Any:
        """The module to train: the lent one, or one with an adapter put on it."""

    def prepare(self, task: Task, shots: Shots, bench: Workbench, lent: Lent) -> Any:
        """The module to train; for methods whose beginning depends on the task or the shots."""
        return self.install(lent, bench.seed)

    @abstractmethod
    def keep(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """Save what was trained into `folder`."""

    def parted(self, shots: Shots, bench: Workbench) -> tuple[Shots, Shots]:
        """The shots to learn from, and those of which only the loss is watched: none."""
        return shots, Shots()

    def packs(self) -> bool:
        """Whether several rows are read in one sequence; see `nshot.training.forward.Packed`."""
        return False

    def free(self, model: LanguageModel) -> tuple[str, ...]:
        """Patterns of the base's parameters to set free."""
        return ()

    def free_blocks(self) -> int | None:
        """How many upper blocks hold everything that is trained; None when there is no such cut."""
        return None

    def forecast(self, brief: Brief) -> Cost:
        """Training, and looking at the training rows before and after."""
        tokens = brief.tokens + _PROMPT + _ANSWER
        steps = min(self.epochs * math.ceil(brief.labelled / self.batch_size), self.max_steps)
        trained = min(steps * self.batch_size, self.epochs * brief.labelled) * tokens
        looked = 2 * min(brief.labelled, _LOOKED_AT) * _asked(brief)
        seconds = self.share(brief.layers) * trained / brief.rates.train_tokens
        return Cost(
            seconds=seconds + looked / brief.rates.lm_tokens, tokens_in=round(trained + looked)
        )

    def share(self, layers: int) -> float:
        """What a token of training costs, of one that is trained through the whole depth."""
        return 1.0

    def use_forecast(self, brief: Brief) -> Cost:
        """One prompt an input, with the labels to judge or a text about as long to write."""
        read = brief.test * _asked(brief)
        written = brief.test * brief.tokens if brief.task.kind == "generate" else 0.0
        seconds = (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(read), tokens_out=round(written))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Train on the shots and ask the model they made; see `Method.adapt`."""
        from nshot.training.learned import require_learned

        base = self.stands_on(_base(bench))
        taught, watched = self.parted(shots, bench)
        before = self._start(task, taught, bench, base)
        delta = self._train(task, taught, watched, bench, base)
        ref = replace(base, deltas=(*base.deltas, delta))
        after = self._fit(task, taught, bench, ref)
        if not math.isfinite(after.nll):
            raise Diverged(f"the trained model's loss is {after.nll}")
        require_learned(before, after)
        return self.answering(task, shots, bench, ref)

    def answering(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """What asks the trained model; its texts may get a quarter longer than the shots'."""
        from nshot.predictors.prompted import Prompted

        tokens = answer_tokens(task, shots, bench)
        return Prompted(
            task,
            bench.models,
            ref,
            self.format,
            max_tokens=tokens,
            constrained=self.constrained,
        )

    def _train(
        self, task: Task, shots: Shots, watched: Shots, bench: Workbench, base: ModelRef
    ) -> Delta:
        from nshot.training.checkpoints import Checkpoints
        from nshot.training.loop import train
        from nshot.training.sft import AnswerTokens

        model = bench.models.open(base)
        context, patterns = model.facts.context, self.free(model)
        checkpoints = Checkpoints(bench.folder / "checkpoint")
        with bench.models.lend(base, free=patterns) as lent:
            rows = self._rows(task, shots, bench, lent, context)
            module = self.prepare(task, shots, bench, lent)
            trace = train(
                module,
                rows,
                AnswerTokens(),
                self._schedule(bench.seed),
                device=lent.device,
                free_blocks=self.free_blocks(),
                packing=self.packs(),
                watched=self.encode(task, watched, lent, context)[0],
                checkpoints=checkpoints,
                note=bench.note,
                progress=lambda done, total: bench.progress(done, total, "training"),
            )
            bench.trained(trace.parameters)
            bench.learned(trace.losses, trace.watched)
            delta = self.keep(lent, module, bench.folder)
        checkpoints.forget()
        return delta

    def _rows(
        self, task: Task, shots: Shots, bench: Workbench, lent: Lent, context: int
    ) -> list[Row]:
        rows, cut = self.encode(task, shots, lent, context)
        if cut:
            bench.note(f"{cut} training texts longer than {context} tokens lost their beginning")
        return rows

    def encode(self, task: Task, shots: Shots, lent: Lent, context: int) -> tuple[list[Row], int]:
        """The shots as rows of at most `context` tokens, and how many were cut to fit."""
        from nshot.training.sft import encode

        return encode(task, self.format, shots.labelled, lent.tokenizer, context)

    def _schedule(self, seed: int) -> Schedule:
        from nshot.training.rows import Schedule

        return Schedule(
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            max_steps=self.max_steps,
            warmup=self.warmup,
            seed=seed,
        )

    def _start(self, task: Task, shots: Shots, bench: Workbench, base: ModelRef) -> Fit:
        """The untrained model on the shots: the same for every setting that trains it."""
        key = digest(repr(base), repr(task), self.format, repr(shots.labelled))
        return bench.shared(f"fit-{key}", lambda: self._fit(task, shots, bench, base))

    def _fit(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Fit:
        from nshot.training.learned import fit

        return fit(bench.models.open(ref), task, self.format, shots.labelled)


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files: what names a delta's content."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def keep_weights(lent: Lent, module: Any, folder: Path) -> Delta:
    """Save the parameters that `Models.lend` set free, under their names in the model."""
    from safetensors.torch import save_file

    target = folder / "weights"
    target.mkdir(parents=True, exist_ok=True)
    freed = set(lent.trained)
    changed = {
        name: p.detach().contiguous().cpu()
        for name, p in module.named_parameters()
        if name in freed
    }
    save_file(changed, target / "weights.safetensors")
    return Delta("weights", str(target), content_hash(target))


def _asked(brief: Brief) -> float:
    """Tokens read when one input is asked with all its labels."""
    return brief.tokens + _PROMPT + _ANSWER * max(1, len(brief.task.labels))


def _base(bench: Workbench) -> ModelRef:
    if bench.base is None:
        raise CannotAdapt("needs a language model, and none was given")
    return bench.base
