"""What the methods share that train a language model: their settings, what they take, one way."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nshot.core.types import LABELLED, WRITTEN, Cost, Kind, ModelRef, Rung, Shots, Task, Trains
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.fewer_steps import with_fewer_steps
from nshot.methods.label_sets import brief_of_questions, by_questions
from nshot.methods.prompting import WRITTEN_TOKEN, base_of, prompted, written_tokens
from nshot.methods.teaching import teach
from nshot.methods.writing import Writing
from nshot.models.base import Ability
from nshot.predictors.base import Predictor
from nshot.prompts.render import Format
from nshot.training.data.answers import Answers
from nshot.training.learned import CHECKED_ROWS
from nshot.training.recipe import Data, Part, Recipe
from nshot.training.rows import Schedule

if TYPE_CHECKING:
    from nshot.training.loop import Objective

_PROMPT = 8
"""Tokens that field names and the answer's name add to an input in the plain format."""
_ANSWER = 3
"""Tokens of an answer."""


class Trained(Writing, Method):
    """A language model taught the answers of the shots; subclasses say which `part` learns.

    Settings of all:

    Args:
        learning_rate: AdamW's peak rate.
        epochs: passes over the shots.
        batch_size: rows an optimiser step.
        max_steps: cap on the steps, so that a refit on thousands of rows stays bounded.
        warmup: share of the steps in which the rate rises; afterwards it falls linearly to zero.
        format: how the task is put; see `nshot.prompts.render`.
    """

    rung: ClassVar[Rung] = "peft"
    kinds: ClassVar[frozenset[Kind]] = LABELLED | WRITTEN
    needs: ClassVar[frozenset[Ability]] = frozenset({"score", "train"})
    trains: ClassVar[Trains] = "adapter"
    fast: ClassVar[bool] = False
    search_folds: ClassVar[int] = 2
    version: ClassVar[int] = 2

    learning_rate: float = Field(ge=0)
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=4, ge=1)
    max_steps: int = Field(default=320, ge=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    format: Format = "plain"

    @abstractmethod
    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """What learns. Without shots it is asked only what it would cost."""

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """What is read: the shots with their answers."""
        return Answers(task, self.format, shots.labelled)

    def objective(self) -> Objective[Any, Any]:
        """What is minimised, of such data."""
        from nshot.training.objectives.nll import AnswerTokens

        return AnswerTokens()

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """What asks the trained model."""
        return prompted(task, shots, bench, ref, self.format, self.constrained)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Train on the shots and ask the model they made; see `Method.adapt`."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        return self.predictor(task, shots, bench, self.trained_model(task, shots, bench))

    def trained_model(self, task: Task, shots: Shots, bench: Workbench) -> ModelRef:
        """What the recipe makes of the base."""
        recipe = self.recipe(task, shots, bench.seed)
        return teach(recipe, self.stands_on(base_of(bench)), bench)

    def recipe(self, task: Task, shots: Shots, seed: int) -> Recipe[Any]:
        """The training of these shots."""
        part, data = self.part(task, shots, seed), self.data(task, shots, seed)
        return Recipe(part, data, self.objective(), self.schedule(seed))

    def schedule(self, seed: int) -> Schedule:
        """How long and how fast."""
        return Schedule(
            learning_rate=self.learning_rate,
            epochs=self.epochs,
            batch_size=self.batch_size,
            max_steps=self.max_steps,
            warmup=self.warmup,
            seed=seed,
        )

    def why_not(self, brief: Brief) -> str | None:
        """Also where a format is to be kept that cannot be."""
        return self.cannot_constrain(brief) or super().why_not(brief)

    def as_asked(self, brief: Brief) -> Brief:
        """What the model is taught and asked in place of the task: of sets a question a label."""
        return brief_of_questions(brief)

    def forecast(self, brief: Brief) -> Cost:
        """Training, and looking at the training rows before and after."""
        brief = self.as_asked(brief)
        part, rows = self.part(brief.task, Shots(), 0), brief.labelled
        steps = self.schedule(0).steps(rows)
        trained = min(steps * self.batch_size, self.epochs * rows)
        trained_tokens = trained * (brief.tokens + _PROMPT + _ANSWER)
        checked_tokens = 2 * min(rows, CHECKED_ROWS) * _tokens_to_ask(brief)
        share = part.share(brief.layers, self.epochs)
        seconds = share * trained_tokens / brief.rates.train_tokens
        seconds += checked_tokens / brief.rates.lm_tokens
        seconds += steps * part.positions_read / brief.rates.train_tokens
        return Cost(seconds=seconds, tokens_in=round(trained_tokens + checked_tokens))

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        """With fewer steps; see `nshot.methods.contract.Method`."""
        return with_fewer_steps(self, brief, seconds, self.schedule(0).steps(brief.labelled))

    def use_forecast(self, brief: Brief) -> Cost:
        """One prompt an input, with the labels to judge or a text about as long to write."""
        brief = self.as_asked(brief)
        read = brief.test * _tokens_to_ask(brief)
        written = brief.test * written_tokens(brief)
        seconds = (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(read), tokens_out=round(written))


def _tokens_to_ask(brief: Brief) -> float:
    """Tokens read when one input is asked with all its labels."""
    return brief.tokens + _PROMPT + _ANSWER * max(1, len(brief.task.labels))
