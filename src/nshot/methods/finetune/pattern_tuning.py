"""Prompt-based fine-tuning: several patterns, demonstrations, labels against each other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import LABELLED, Cost, Example, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import one_hot
from nshot.methods.fewer_steps import with_fewer_steps
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    LABEL_TOKENS,
    base_of,
    how_many_fit,
    no_example_fits,
)
from nshot.methods.teaching import teach
from nshot.methods.trained import Trained
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.pattern_vote import PatternVote, probabilities
from nshot.predictors.prompted import Prompted
from nshot.prompts.demonstrations import in_turn
from nshot.prompts.parts import instruction
from nshot.prompts.patterns import Pattern, View
from nshot.training.learned import CHECKED_ROWS
from nshot.training.recipe import Data, Recipe
from nshot.training.rows import Schedule

if TYPE_CHECKING:
    from nshot.training.loop import Objective

TEMPERATURE = 2.0
"""At which the patterns' probabilities of unlabelled rows are taught (PET, section 4)."""


class PatternTuning(AnyPart, Trained):
    """Prompt-based fine-tuning: the model learns to answer the patterns by which it is asked.

    Timo Schick, Hinrich Schütze. "Exploiting Cloze Questions for Few Shot Text Classification and
    Natural Language Inference" (PET), 2020. https://arxiv.org/abs/2001.07676
    Derek Tam, Rakesh R Menon, Mohit Bansal, Shashank Srivastava, Colin Raffel. "Improving and
    Simplifying Pattern Exploiting Training" (ADAPET), 2021. https://arxiv.org/abs/2103.11955
    Tianyu Gao, Adam Fisch, Danqi Chen. "Making Pre-trained Language Models Better Few-shot
    Learners" (LM-BFF), 2020. https://arxiv.org/abs/2012.15723

    Each pass over the shots puts a row by the next of the `patterns`, behind other demonstrations;
    the loss is that of the right label among all labels, each with all its tokens. At use every
    pattern is asked, and their probabilities are averaged. PET's second loss, of masked words, has
    no place in a model that reads from left to right, and none is here.

    Args:
        patterns: by which the task is put, see `nshot.prompts.patterns`; one without a format has
            that of `format`.
        demonstrations: examples of each label before every row, in training and at use.
        together: one model learns all patterns; else each has a model of its own, as in PET.
        unlabelled: so many unlabelled rows are answered by the patterns, and one model learns from
            these answers and the labelled rows by the first pattern alone, without demonstrations.

    The others are those of `AnyPart` and of `Trained`.
    """

    name: ClassVar[str] = "pattern_tuning"
    rung: ClassVar[Rung] = "finetune"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    version: ClassVar[int] = 1
    about: ClassVar[str] = "fine-tuned by several patterns of the prompt, which then vote"

    patterns: tuple[Pattern, ...] = Field(
        default=(Pattern(), Pattern(format="instruction")), min_length=1
    )
    demonstrations: int = Field(default=0, ge=0)
    together: bool = True
    unlabelled: int = Field(default=0, ge=0)

    def why_not(self, brief: Brief) -> str | None:
        """Also where a pattern's words do not fit the labels, or no example could be shown."""
        if reason := super().why_not(brief) or self._unfit(brief.task):
            return reason
        if self.demonstrations and brief.per_label < 2:
            return "needs two labelled rows of each label to show one before another"
        return no_example_fits(brief) if self.demonstrations else None

    def _unfit(self, task: Task) -> str | None:
        return next((why for p in self.patterns if (why := p.why_not(task))), None)

    def views(self, task: Task) -> tuple[View, ...]:
        """The task by each pattern."""
        return tuple(pattern.view(task, self.format) for pattern in self.patterns)

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """The shots, each pass by the next pattern."""
        return self._rows(task, self.views(task), shots.labelled, one_hot(task, shots.labelled),
                          self.demonstrations, seed)  # fmt: skip

    def _rows(
        self,
        task: Task,
        views: tuple[View, ...],
        examples: tuple[Example, ...],
        shares: Floats,
        demonstrations: int,
        seed: int,
    ) -> Data[Any]:
        from nshot.training.data.patterns import PatternRows

        each = tuple(tuple(row) for row in shares.tolist())
        pool = examples if demonstrations else ()
        return PatternRows(task, views, examples, each, pool, demonstrations, self.epochs, seed)

    def objective(self) -> Objective[Any, Any]:
        """The right label among all."""
        from nshot.training.objectives.competition import LabelCompetition

        return LabelCompetition()

    def schedule(self, seed: int) -> Schedule:
        """The passes are different rows, and so one epoch."""
        return replace(super().schedule(seed), epochs=1)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """Every pattern asked of one model."""
        return voted(task, self._members(task, shots, bench, ref))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Train on the patterns, together or apart; then on their answers to unlabelled rows.

        Raises `CannotAdapt` where a pattern's words do not fit the labels, `DidNotLearn`,
        `Diverged`.
        """
        if reason := self._unfit(task):
            raise CannotAdapt(reason)
        if self.unlabelled and shots.unlabelled:
            return self._of_soft_labels(task, shots, bench)
        if self.unlabelled:
            bench.note("no unlabelled rows to teach the patterns' answers on (--unlabelled FILE)")
        if self.together or len(self.patterns) == 1:
            return self.predictor(task, shots, bench, self.trained_model(task, shots, bench))
        return voted(task, self._apart(task, shots, bench))

    def _members(
        self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef
    ) -> tuple[Prompted, ...]:
        """One a pattern, each with demonstrations of its own."""
        count, members = self.demonstrations * len(task.labels), []
        for i, view in enumerate(self.views(task)):
            bare = Prompted(view.task, bench.models, ref, view.format)
            drawn = in_turn(shots.labelled, count, bench.seed + i)
            demos = tuple(view.example(task, one) for one in drawn)
            fitting = how_many_fit(bare, demos, shots, bench) if demos else 0
            members.append(replace(bare, demos=demos[:fitting]))
        return tuple(members)

    def _apart(self, task: Task, shots: Shots, bench: Workbench) -> tuple[Prompted, ...]:
        """A model a pattern, all of its passes by that one."""
        members: list[Prompted] = []
        for i, pattern in enumerate(self.patterns):
            alone = self.model_copy(update={"patterns": (pattern,), "unlabelled": 0})
            members += _members_of(
                bench.adapt(f"pattern {i + 1}", alone, task, replace(shots, unlabelled=()))
            )
        return tuple(members)

    def _of_soft_labels(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """One model of the labelled rows and of what the patterns say of unlabelled ones."""
        inner = self.model_copy(update={"unlabelled": 0})
        vote = bench.adapt("patterns", inner, task, replace(shots, unlabelled=()))
        order = sorted(shots.unlabelled, key=lambda row: row.id)
        count = min(self.unlabelled, len(order))
        rows = random.Random(f"unlabelled:{bench.seed}").sample(order, count)
        bench.progress(0, count, "unlabelled rows answered by the patterns")
        taught = softened(probabilities(task, vote.predict([row.input for row in rows])))
        bench.note(f"{count} unlabelled rows taught by what the patterns answer to them")
        shares = np.concatenate([one_hot(task, shots.labelled), taught])
        first = self.views(task)[:1]
        data = self._rows(task, first, (*shots.labelled, *rows), shares, 0, bench.seed)
        part, schedule = self.part(task, shots, bench.seed), self.schedule(bench.seed)
        recipe = Recipe(part, data, self.objective(), schedule)
        ref = teach(recipe, self.stands_on(base_of(bench)), bench)
        (view,) = first
        return voted(task, (Prompted(view.task, bench.models, ref, view.format),))

    def forecast(self, brief: Brief) -> Cost:
        """The patterns' training, once or apart; with unlabelled rows one more on their answers."""
        models = 1 if self.together else len(self.patterns)
        shown = self.demonstrations * len(brief.task.labels)
        cost = self._training(brief, brief.labelled, shown)
        cost = replace(cost, seconds=models * cost.seconds, tokens_in=models * cost.tokens_in)
        count = min(self.unlabelled, brief.unlabelled)
        if not count:
            return cost
        answers = self._asking(brief, count, len(self.patterns), shown)
        return cost.then(answers).then(self._training(brief, brief.labelled + count, 0))

    def _training(self, brief: Brief, rows: int, shown: int) -> Cost:
        part, row = self.part(brief.task, Shots(), 0), self._tokens(brief, shown)
        steps = self.schedule(0).steps(self.epochs * rows)
        trained = min(steps * self.batch_size, self.epochs * rows) * row
        checked = 2 * min(rows, CHECKED_ROWS) * row
        seconds = part.share(brief.layers, 1) * trained / brief.rates.train_tokens
        seconds += checked / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(trained + checked))

    def _tokens(self, brief: Brief, shown: int) -> float:
        """Tokens of a row with its demonstrations and all labels, on average over the patterns."""
        formats = [pattern.format or self.format for pattern in self.patterns]
        share = sum(one != "plain" for one in formats) / len(formats)
        row = (brief.tokens + FORMAT_TOKENS) * (1 + shown) + LABEL_TOKENS * len(brief.task.labels)
        return row + share * len(instruction(brief.task)) / 4

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        """With fewer steps; see `nshot.methods.contract.Method`."""
        steps = self.schedule(0).steps(self.epochs * brief.labelled)
        return with_fewer_steps(self, brief, seconds, steps)

    def use_forecast(self, brief: Brief) -> Cost:
        """Every pattern reads every row; what all rows have before them is read once."""
        count = 1 if self.unlabelled else len(self.patterns)
        shown = 0 if self.unlabelled else self.demonstrations * len(brief.task.labels)
        return self._asking(brief, brief.test, count, shown)

    def _asking(self, brief: Brief, rows: int, patterns: int, shown: int) -> Cost:
        once = self._tokens(brief, shown) - self._tokens(brief, 0)
        read = patterns * (rows * self._tokens(brief, 0) + once)
        return Cost(seconds=0.05 + read / brief.rates.lm_tokens, tokens_in=round(read))


def voted(task: Task, members: Sequence[Prompted]) -> Predictor:
    """The members' vote; one that puts the task as it is answers by itself."""
    if len(members) == 1 and members[0].task == task:
        return members[0]
    return PatternVote(task, tuple(members))


def _members_of(predictor: Predictor) -> Sequence[Prompted]:
    if isinstance(predictor, PatternVote):
        return predictor.members
    if isinstance(predictor, Prompted):
        return (predictor,)
    raise TypeError(f"a pattern is answered by a {type(predictor).__name__}")


def softened(shares: Floats) -> Floats:
    """(rows, labels) probabilities at the temperature `TEMPERATURE`: surer ones count less."""
    warm = shares ** (1 / TEMPERATURE)
    return np.asarray(warm / warm.sum(axis=1, keepdims=True))
