"""Shots as prompts and what a head is to answer after them: a label, several, a number."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nshot.core.types import Example, ModelRef, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import cut_left, encode_prompts
from nshot.predictors.label_head import trained_head
from nshot.predictors.label_sets import trained_label_sets
from nshot.predictors.numbers import Spread, trained_number
from nshot.prompts.render import Format, render
from nshot.training.data.answers import cut_note, supervised
from nshot.training.learned import (
    Fit,
    answered,
    answered_numbers,
    answered_sets,
    at_the_mean,
    chance,
)
from nshot.training.recipe import Data, Lesson
from nshot.training.rows import Row, Valued

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Headed(Data[R]):
    """Examples put in `format`, answered at the prompt's last token; subclasses say what."""

    task: Task
    format: Format
    examples: tuple[Example, ...]

    def lesson(self, lent: Lent, room: int) -> Lesson[R]:
        """Prompts of at most `room` tokens, and what is to be answered at their last one."""
        tokenizer = lent.tokenizer
        prompts = [render(self.task, self.format, example.input) for example in self.examples]
        coded = encode_prompts(tokenizer, prompts)
        fitting = [cut_left(tokens, room, tokenizer.bos_token_id) for tokens in coded]
        pairs = zip(self.examples, fitting, strict=True)
        rows = [self.row(example, tokens) for example, (tokens, _) in pairs]
        return Lesson(rows, notes=cut_note(sum(cut for _, cut in fitting), room))

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """How the trained head does; a model without one is as `untrained`."""
        from nshot.nets.label_head import is_label_head

        if not ref.deltas or not is_label_head(Path(ref.deltas[-1].folder)):
            return self.untrained()
        return self.trained(models, ref)

    @abstractmethod
    def row(self, example: Example, tokens: tuple[int, ...]) -> R:
        """The prompt `tokens` with the example's answer."""

    @abstractmethod
    def untrained(self) -> Fit:
        """How one does on the examples who knows nothing."""

    @abstractmethod
    def trained(self, models: Models, ref: ModelRef) -> Fit:
        """How the head in the last delta of `ref` does on the examples."""


@dataclass(frozen=True)
class Labels(Headed[Row]):
    """A label a row, by its number."""

    def row(self, example: Example, tokens: tuple[int, ...]) -> Row:
        """The target is the label's place in the task."""
        return supervised(example.id, tokens, (self.task.label_names.index(example.label),))

    def untrained(self) -> Fit:
        """All labels are equally likely."""
        return chance(self.task)

    def trained(self, models: Models, ref: ModelRef) -> Fit:
        """The likelihood of the labels, and how many are the likeliest."""
        return answered(trained_head(self.task, models, ref, self.format), self.examples)


@dataclass(frozen=True)
class LabelSets(Headed[Valued]):
    """Several labels a row: 1 or 0 for each of the task's."""

    def row(self, example: Example, tokens: tuple[int, ...]) -> Valued:
        """One value a label."""
        applies = tuple(float(name in example.targets) for name in self.task.label_names)
        return Valued(example.id, tokens, (len(tokens) - 1,), (), values=applies)

    def untrained(self) -> Fit:
        """Every label is as likely to apply as not."""
        return chance(self.task)

    def trained(self, models: Models, ref: ModelRef) -> Fit:
        """The likelihood of every pair of a row and a label, and how many are right."""
        predictor = trained_label_sets(self.task, models, ref, self.format)
        return answered_sets(predictor, self.examples)


@dataclass(frozen=True)
class Numbers(Headed[Valued]):
    """A number a row, in standard deviations from the mean of `spread`."""

    spread: Spread

    def row(self, example: Example, tokens: tuple[int, ...]) -> Valued:
        """One value."""
        distance = float(example.targets[0]) - self.spread.mean
        value = (distance / self.spread.deviation,)
        return Valued(example.id, tokens, (len(tokens) - 1,), (), values=value)

    def untrained(self) -> Fit:
        """The answer is the mean."""
        return at_the_mean(self.examples, self.spread)

    def trained(self, models: Models, ref: ModelRef) -> Fit:
        """Huber's loss."""
        predictor = trained_number(self.task, models, ref, self.format, self.spread)
        return answered_numbers(predictor, self.examples, self.spread)
