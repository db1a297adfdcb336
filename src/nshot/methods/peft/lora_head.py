"""A head on LoRA: the answer is read off the last token, not written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nshot.core.machine import seeded
from nshot.core.types import OF_LABELS, Cost, Delta, Kind, ModelRef, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.label_sets import kept_back, thresholds
from nshot.methods.peft.lora import LowRank
from nshot.methods.prompting import FORMAT_TOKENS
from nshot.methods.trained import Trained
from nshot.models.base import Ability, Lent
from nshot.predictors.base import Predictor
from nshot.predictors.label_head import trained_head
from nshot.predictors.label_sets import trained_label_sets
from nshot.predictors.numbers import Spread, trained_number
from nshot.training.parts.adapter import Adapter
from nshot.training.recipe import Data, Recipe


@dataclass(frozen=True)
class Head(Adapter):
    """A fresh linear head of `outputs` values, and the adapter in the body under it.

    Args:
        outputs: labels, or 1 number.
        at_zero: whether the head begins at zero, so that its first answer is 0 whatever it reads.
    """

    outputs: int
    at_zero: bool = False

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The family's sequence classifier around the lent body; PEFT trains the head with it."""
        from torch import nn

        from nshot.nets.label_head import LabelLogits, classifier

        with seeded(seed):
            shell = classifier(lent.module, self.outputs)
        if self.at_zero:
            nn.init.zeros_(shell.score.weight)
        config = replace(self.config(lent), task_type="SEQ_CLS")
        return LabelLogits(self.wrap(shell, config, seed))

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """PEFT's own folder of a sequence classifier."""
        return super().save(lent, module.adapted, folder)


class LoRAHead(LowRank, Trained):
    """A linear head on the last token's state, and LoRA under it.

    Alec Radford, Karthik Narasimhan, Tim Salimans, Ilya Sutskever. "Improving Language
    Understanding by Generative Pre-Training", 2018, section 3.2.
    https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf
    Hu et al., "LoRA", 2021, for what is trained under the head. https://arxiv.org/abs/2106.09685

    P(label | x) = softmax(W h), h being the last block's state at the last token of the prompt
    (equation 3), W (labels, width) fresh and without a bias. A request reads the prompt once,
    however many labels there are. labels * width parameters are trained beside LoRA's.

    In a task of kind multilabel each label has a probability of its own, sigmoid(W h), taught by
    binary cross-entropy; from which on it applies is chosen on rows that are kept back
    (`nshot.methods.label_sets.kept_back`). Of kind number W has one row, and W h is the answer in
    standard deviations from the mean of the shots, taught by Huber's loss
    (`nshot.training.objectives.heads`); no answer leaves the range of the shots.

    The settings are LoRA's.
    """

    name: ClassVar[str] = "lora_head"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS | {"number"}
    needs: ClassVar[frozenset[Ability]] = frozenset({"hidden", "train"})
    about: ClassVar[str] = "LoRA under a linear head of labels or of a number"

    def as_asked(self, brief: Brief) -> Brief:
        """The task itself: one prompt a row, however many labels it can have."""
        return brief

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompt of every input, without the labels."""
        tokens = brief.test * (brief.tokens + FORMAT_TOKENS)
        return Cost(seconds=tokens / brief.rates.lm_tokens, tokens_in=round(tokens))

    def part(self, task: Task, shots: Shots, seed: int) -> Head:
        """LoRA's matrices and the head, one adapter to PEFT."""
        number = task.kind == "number"
        return Head(self.name, self.config, 1 if number else len(task.labels), at_zero=number)

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """The prompts, each with what the head is to answer."""
        from nshot.training.data.labels import Labels, LabelSets, Numbers

        if task.kind == "number":
            spread = Spread.of(shots.labelled)
            return Numbers(task, self.format, shots.labelled, spread)
        rows = LabelSets if task.kind == "multilabel" else Labels
        return rows(task, self.format, shots.labelled)

    def recipe(self, task: Task, shots: Shots, seed: int) -> Recipe[Any]:
        """Of several labels the cross-entropy of each is minimised, of a number Huber's loss."""
        from nshot.training.objectives.heads import EachLabel, Huber

        recipe = super().recipe(task, shots, seed)
        if task.kind == "multilabel":
            return recipe._replace(objective=EachLabel())
        return recipe._replace(objective=Huber()) if task.kind == "number" else recipe

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """The trained head on the states of the model with its LoRA."""
        if task.kind == "number":
            return trained_number(task, bench.models, ref, self.format, Spread.of(shots.labelled))
        return trained_head(task, bench.models, ref, self.format)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Train on the shots; of several labels a row, choose the threshold on rows kept back."""
        if task.kind != "multilabel":
            return super().adapt(task, shots, bench)
        kept, held = kept_back(shots.labelled, bench.seed)
        ref = self.trained_model(task, replace(shots, labelled=kept), bench)
        predictor = trained_label_sets(task, bench.models, ref, self.format)
        if not held:
            return predictor
        answers = predictor.predict([example.input for example in held])
        probabilities = np.exp([answer.scores for answer in answers])
        return replace(predictor, thresholds=thresholds(task, probabilities, held))
