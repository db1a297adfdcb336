"""The model asked after some fixed examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import not_
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from nshot.core.errors import CannotAdapt
from nshot.core.types import OF_LABELS, WRITTEN, Cost, Example, Input, Kind, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.features import encoded, seconds_to_read
from nshot.methods.label_sets import brief_of_questions, by_questions
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    Prompting,
    base_of,
    calibrated,
    calibration_inputs,
    how_many_fit,
    no_example_fits,
    prompted,
)
from nshot.predictors.base import Predictor
from nshot.predictors.features import TfIdf
from nshot.predictors.nearest import unit
from nshot.predictors.prompted import Prompted, batch_offsets
from nshot.predictors.scores import log_softmax
from nshot.prompts.demonstrations import (
    CHOICES,
    ORDERINGS,
    Choice,
    Likeness,
    Order,
    at_random,
    diverse,
    entropy,
    grouped,
    hardest,
    in_turn,
    orders,
)

UNCERTAIN = 96
"""Labelled rows of which it is looked how sure the model is, at most."""
ORDERS = 8
"""Orders that are tried; the paper's 24 cost three times as much."""
PROBED = 16
"""Rows that are answered after each order."""


class FewShot(Prompting):
    """Brown et al., "Language Models are Few-Shot Learners", NeurIPS 2020.

    https://arxiv.org/abs/2005.14165 - the same `n` solved examples stand before every input, their
    labels in turn. They are read once and their keys and values kept, so that a request costs
    little more than without them; which examples they are can move the score by twenty points.

    Args:
        n: how many examples are shown, of all labels together; all shots where there are fewer.
        choice: which: ``balanced``, labels in turn, drawn; ``random``, drawn; ``diverse``, so that
            they cover the inputs; ``hard``, of which the model without examples is least sure. The
            last two take labels in turn, too (`nshot.prompts.demonstrations`).
        order: as they were chosen (``drawn``), ``grouped`` by label, or of `ORDERS` orders the one
            after which answers to `PROBED` rows without labels are spread most evenly over the
            labels (``entropy``: Lu et al. 2022, https://arxiv.org/abs/2104.08786).
        search_examples: choose `choice` and `order` on the folds too: five candidates more, each
            read anew.
    """

    name: ClassVar = "few_shot"
    version: ClassVar = 2
    kinds: ClassVar = OF_LABELS | WRITTEN
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "n": (8, 4, 16),
        "format": ("plain", "instruction", "chat"),
        "calibration": ("batch", "content_free", "none"),
    }
    about: ClassVar = "the language model after n fixed examples"

    n: PositiveInt = 8
    # Not written where they are the defaults: then the method is what it was before.
    choice: Choice = Field(default="balanced", exclude_if=lambda choice: choice == "balanced")
    order: Order = Field(default="drawn", exclude_if=lambda order: order == "drawn")
    search_examples: bool = Field(default=False, exclude_if=not_)

    @property
    def called(self) -> str:
        """With how its examples are chosen and ordered, unless that is searched: a run may hold
        several."""
        if self.search_examples:
            return super().called
        own = [self.choice] * (self.choice != "balanced") + [self.order] * (self.order != "drawn")
        return ":".join([super().called, *own])

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """With the examples' choice and order, where it may."""
        space = dict(super().searched(kind))
        if self.search_examples:
            space |= {"choice": CHOICES, "order": ORDERINGS}
            if kind not in OF_LABELS:
                space["choice"] = ("balanced", "diverse")
                del space["order"]
        return space

    def why_not(self, brief: Brief) -> str | None:
        """Also where no example fits, there is none, or labels must be scored and are not."""
        if reason := super().why_not(brief) or no_example_fits(brief):
            return reason
        scored = {"choice": "hard", "order": "entropy"}
        for name, value in scored.items():
            if getattr(self, name) != value:
                continue
            if brief.task.kind not in OF_LABELS or "score" not in brief.abilities:
                return f"{name}={value} asks for the probabilities of labels, and there are none"
        return None

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """All demonstrations are the same in every prompt."""
        return min(self.n, brief.labelled) * (brief.tokens + FORMAT_TOKENS), 0.0

    def forecast(self, brief: Brief) -> Cost:
        """Calibration as any prompt's, and what it takes to choose and to order."""
        cost = super().forecast(brief)
        if self.choice == "diverse" and brief.encoder is not None:
            cost = cost.then(Cost(seconds=seconds_to_read(brief.labelled, brief)))
        brief = brief_of_questions(brief)
        if self.choice == "hard":
            bare = self.model_copy(update={"n": 0})
            cost = cost.then(bare._reading(brief, min(UNCERTAIN, brief.labelled)))
        if self.order == "entropy":
            for _ in range(ORDERS):
                cost = cost.then(self._reading(brief, PROBED))
        return cost

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Choose the examples, as many as fit, and calibrate on other rows."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        bare = prompted(task, shots, bench, base_of(bench), self.format, self.constrained)
        demos = self._chosen(bare, shots, bench)
        count = how_many_fit(bare, demos, shots, bench)
        predictor = replace(bare, demos=self._ordered(bare, demos[:count], shots, bench))
        return calibrated(predictor, self.calibration, shots, predictor.demos, bench)

    def _chosen(self, bare: Prompted, shots: Shots, bench: Workbench) -> tuple[Example, ...]:
        """The examples, not yet in order."""
        rows = shots.labelled
        if self.choice == "random":
            return at_random(rows, self.n, bench.seed)
        if self.choice == "diverse":
            like = likeness([row.input for row in rows], bench)
            return diverse(rows, like, self.n, bench.seed, bare.task.has_labels)
        if self.choice == "hard":
            some = in_turn(rows, UNCERTAIN, bench.seed)
            return hardest(some, margins(bare, some), self.n, bench.seed)
        return in_turn(rows, self.n, bench.seed)

    def _ordered(
        self, bare: Prompted, demos: tuple[Example, ...], shots: Shots, bench: Workbench
    ) -> tuple[Example, ...]:
        """The examples as they are shown."""
        if self.order == "drawn" or not bare.task.has_labels:
            return demos
        if self.order == "grouped":
            return grouped(bare.task, demos)
        ids = {demo.id for demo in demos}
        inputs = calibration_inputs("batch", shots, ids, bench, PROBED)
        if not inputs:
            bench.note("in the order in which they were drawn: no row is left to order them by")
            return demos

        def spread(order: tuple[Example, ...]) -> float:
            answers = replace(bare, demos=order).predict(inputs)
            return entropy([one.answer for one in answers])

        return max(orders(demos, ORDERS, bench.seed), key=spread)


def likeness(inputs: Sequence[Input], bench: Workbench) -> Likeness:
    """How like the inputs are: by the encoder's vectors, else by counted words and characters."""
    if bench.encoder is not None:
        vectors = unit(encoded(bench, inputs))
        return lambda at: np.asarray(vectors @ vectors[at], dtype=np.float64)
    matrix: Any = TfIdf.fit_and_read([one.text for one in inputs])[1]
    # Words and characters have unit length each: a cosine twice.
    return lambda at: np.asarray((matrix @ matrix[at].T).toarray().ravel() / 2, dtype=np.float64)


def margins(bare: Prompted, rows: Sequence[Example]) -> list[float]:
    """Of each row how much likelier the best label is than the next, asked without examples.

    Batch calibration on the same rows takes the labels' own likeliness off. Raises `CannotAdapt`
    for a model that cannot score.
    """
    if not bare.task.has_labels or "score" not in bare.models.open(bare.ref).facts.can:
        raise CannotAdapt("choice=hard asks for the probabilities of labels, and there are none")
    answers = bare.predict([row.input for row in rows])
    scores = np.array([one.scores for one in answers])
    shares = np.sort(np.exp(log_softmax(scores - batch_offsets(scores))), axis=1)
    return (shares[:, -1] - shares[:, -2]).tolist() if shares.shape[1] > 1 else [0.0] * len(rows)
