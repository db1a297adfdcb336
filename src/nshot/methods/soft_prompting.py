"""What the methods share that train a soft prompt: positions before every input, no words."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, ModelRef, Shots, Task, digest
from nshot.methods.adapting import AdapterTuning
from nshot.methods.contract import Brief, Workbench
from nshot.models.base import Lent

if TYPE_CHECKING:
    from nshot.training.learned import Fit
    from nshot.training.rows import Row

_LEAST = 16
"""Tokens that a text and its answer need, at least."""


class SoftPrompting(AdapterTuning):
    """A frozen language model taught through what stands before every input.

    Settings of all:

    Args:
        length: positions of the soft prompt.
    """

    length: int = Field(default=16, ge=2)

    @abstractmethod
    def begin(self, task: Task, shots: Shots, seed: int, lent: Lent) -> Any:
        """The lent module with the soft prompt as it is before the first step."""

    def positions(self, task: Task, shots: Shots, seed: int, lent: Lent) -> int:
        """How many positions stand before every input."""
        return self.length

    def reread(self) -> int:
        """Positions that go through the layers in every step of the training."""
        return self.length

    def taught(self, task: Task, shots: Shots, bench: Workbench, lent: Lent) -> Shots:
        """The shots to train on."""
        return shots

    def why_not(self, brief: Brief) -> str | None:
        """Also where the model keeps no keys and values, or the context leaves no room."""
        if reason := super().why_not(brief):
            return reason
        if "generate" not in brief.abilities:
            return "a soft prompt is kept as keys and values, which this model does not have"
        if brief.context and self.length + _LEAST > brief.context:
            return _no_room(self.length, brief.context)
        return None

    def forecast(self, brief: Brief) -> Cost:
        """A soft prompt of embeddings is read in every step, once for the whole batch."""
        read = self._schedule(0).steps(brief.labelled) * self.reread()
        cost = super().forecast(brief)
        return replace(cost, seconds=cost.seconds + read / brief.rates.train_tokens)

    def prepare(self, task: Task, shots: Shots, bench: Workbench, lent: Lent) -> Any:
        """The module to train; `CannotAdapt` where the soft prompt leaves no room."""
        length = self.positions(task, shots, bench.seed, lent)
        _require_room(length, bench.models.open(lent.ref).facts.context, lent.module.config)
        return self.begin(task, shots, bench.seed, lent)

    def _rows(
        self, task: Task, shots: Shots, bench: Workbench, lent: Lent, context: int
    ) -> list[Row]:
        room = context - self.positions(task, shots, bench.seed, lent)
        return super()._rows(task, self.taught(task, shots, bench, lent), bench, lent, room)

    def _start(self, task: Task, shots: Shots, bench: Workbench, base: ModelRef) -> Fit:
        """The model behind its untrained soft prompt: that, not the base, is where it begins."""
        bench.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=bench.folder) as folder:
            with bench.models.lend(base) as lent:
                module = self.prepare(task, shots, bench, lent)
                delta = self.keep(lent, module, Path(folder))
            ref = replace(base, deltas=(*base.deltas, delta))
            key = digest(repr(base), delta.sha256, repr(task), self.format, repr(shots.labelled))
            return bench.shared(f"fit-{key}", lambda: self._fit(task, shots, bench, ref))


def _require_room(length: int, context: int, config: Any) -> None:
    from nshot.models.hf.cache import kinds

    if length + _LEAST > context:
        raise CannotAdapt(_no_room(length, context))
    if "sliding_attention" in kinds(config):
        window = config.get_text_config().sliding_window
        if length >= window:
            raise CannotAdapt(
                f"a soft prompt of {length} tokens does not fit into the {window} tokens "
                "to which the model's sliding attention looks back"
            )


def _no_room(length: int, context: int) -> str:
    return (
        f"a soft prompt of {length} tokens leaves {max(0, context - length)} of the model's "
        f"{context} for the text and its answer"
    )
