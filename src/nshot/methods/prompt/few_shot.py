"""The model asked after some fixed examples."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import PositiveInt

from nshot.core.types import OF_LABELS, WRITTEN, Example, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.label_sets import by_questions
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    Prompting,
    base_of,
    calibrated,
    how_many_fit,
    no_example_fits,
    prompted,
)
from nshot.predictors.base import Predictor


class FewShot(Prompting):
    """Brown et al., "Language Models are Few-Shot Learners", NeurIPS 2020.

    https://arxiv.org/abs/2005.14165 - the same `n` solved examples stand before every input, their
    labels in turn. They are read once and their keys and values kept, so that a request costs
    little more than without them; which examples they are can move the score by twenty points.

    Args:
        n: how many examples are shown, of all labels together; all shots where there are fewer.
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

    def why_not(self, brief: Brief) -> str | None:
        """Also where no example fits, or there is none."""
        return super().why_not(brief) or no_example_fits(brief)

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """All demonstrations are the same in every prompt."""
        return min(self.n, brief.labelled) * (brief.tokens + FORMAT_TOKENS), 0.0

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Choose the examples, as many as fit, and calibrate on other rows."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        bare = prompted(task, shots, bench, base_of(bench), self.format, self.constrained)
        demos = in_turn(shots.labelled, self.n, bench.seed)
        count = how_many_fit(bare, demos, shots, bench)
        predictor = replace(bare, demos=demos[:count])
        return calibrated(predictor, self.calibration, shots, predictor.demos, bench)


def in_turn(examples: Sequence[Example], n: int, seed: int) -> tuple[Example, ...]:
    """`n` examples, label after label in turn, labels and examples in a seeded order.

    Does not depend on the order of `examples`. Every reference of a generate task is a label here.
    """
    rng = random.Random(f"demonstrations:{seed}")
    queues: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda example: example.id):
        queues.setdefault(example.label, []).append(example)
    order = list(queues.values())
    for queue in order:
        rng.shuffle(queue)
    rng.shuffle(order)
    longest = max(map(len, order), default=0)
    return tuple(queue[i] for i in range(longest) for queue in order if i < len(queue))[:n]
