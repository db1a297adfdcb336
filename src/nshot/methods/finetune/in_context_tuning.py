"""MetaICL: tuned on many tasks to learn from the examples in its context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from nshot.core.errors import CannotAdapt
from nshot.core.types import LABELLED, Cost, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.fewer_steps import with_fewer_steps
from nshot.methods.prompting import (
    CALIBRATION_ROWS,
    FORMAT_TOKENS,
    LABEL_TOKENS,
    calibrated,
    how_many_fit,
    no_example_fits,
)
from nshot.methods.trained import Trained
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Calibration, Prompted
from nshot.prompts.demonstrations import in_turn
from nshot.training.learned import CHECKED_ROWS
from nshot.training.recipe import Data

_NO_TASKS = (
    "needs other tasks to learn from: data: {background: [other/task.yaml, ...]} in the task file"
)


class InContextTuning(AnyPart, Trained):
    """Tuning to learn in context: few_shot after a training on many other tasks.

    Sewon Min, Mike Lewis, Luke Zettlemoyer, Hannaneh Hajishirzi. "MetaICL: Learning to Learn In
    Context", 2021, section 3. https://arxiv.org/abs/2110.15943

    Each training row is an episode: a task of the background, `n` of its examples with their
    answers, and a query; the loss is that of the query's answer alone, over the whole vocabulary.
    Of a task with more labels than the one at hand, each episode takes as many as that has. What
    learns never sees the task itself; its shots are shown in the prompt, as few_shot shows them.

    Args:
        n: examples before a query, in training and at use.
        episodes: of the training.
        calibration: of the answers at use; see `nshot.methods.prompting.Prompting`.

    The others are those of `AnyPart` and of `Trained`; `epochs` are passes over the episodes.
    """

    name: ClassVar[str] = "in_context_tuning"
    rung: ClassVar[Rung] = "finetune"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    version: ClassVar[int] = 1
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    about: ClassVar[str] = "tuned on other tasks to learn from examples in the prompt"

    n: PositiveInt = 4
    episodes: PositiveInt = 240
    calibration: Calibration = "batch"
    epochs: int = Field(default=1, ge=1)

    def why_not(self, brief: Brief) -> str | None:
        """Also where there is no other task, or no example fits."""
        if reason := super().why_not(brief):
            return reason
        return no_example_fits(brief) if brief.background else _NO_TASKS

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """Episodes of the background's tasks; `CannotAdapt` where there is none."""
        from nshot.training.data.in_context import InContext, sources_of

        sources = sources_of(task, shots.background)
        if not sources:
            raise CannotAdapt(_NO_TASKS)
        way = len(task.labels)
        return InContext(sources, self.format, way, self.n, self.episodes, seed)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """The model after as many of the shots as fit, calibrated on other rows."""
        bare = Prompted(task, bench.models, ref, self.format)
        demos = in_turn(shots.labelled, self.n, bench.seed)
        count = how_many_fit(bare, demos, shots, bench)
        predictor = replace(bare, demos=demos[:count])
        return calibrated(predictor, self.calibration, shots, predictor.demos, bench)

    def forecast(self, brief: Brief) -> Cost:
        """The episodes, whose texts are taken for as long as the task's; then some rows."""
        part, row = self.part(brief.task, Shots(), 0), self._tokens(brief)
        steps = self.schedule(0).steps(self.episodes)
        trained = min(steps * self.batch_size, self.epochs * self.episodes) * row
        read = 2 * min(self.episodes, CHECKED_ROWS) * row + self._read(brief, CALIBRATION_ROWS)
        seconds = part.share(brief.layers, self.epochs) * trained / brief.rates.train_tokens
        seconds += read / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(trained + read))

    def _tokens(self, brief: Brief) -> float:
        return (brief.tokens + FORMAT_TOKENS) * (1 + self.n)

    def _read(self, brief: Brief, rows: int) -> float:
        """Tokens of answers to so many rows: the examples before them are read once."""
        row = brief.tokens + FORMAT_TOKENS + LABEL_TOKENS * len(brief.task.labels)
        return rows * row + self._tokens(brief)

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        """With fewer steps; see `nshot.methods.contract.Method`."""
        return with_fewer_steps(self, brief, seconds, self.schedule(0).steps(self.episodes))

    def use_forecast(self, brief: Brief) -> Cost:
        """As few_shot."""
        read = self._read(brief, brief.test)
        return Cost(seconds=0.05 + read / brief.rates.lm_tokens, tokens_in=round(read))
