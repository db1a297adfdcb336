"""A classification head on LoRA: the answer is read off the last token, not written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from nshot.core.machine import seeded
from nshot.core.types import LABELLED, Cost, Delta, Kind, ModelRef, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.peft.lora import LowRank
from nshot.methods.prompting import FORMAT_TOKENS
from nshot.methods.trained import Trained
from nshot.models.base import Ability, Lent
from nshot.predictors.base import Predictor
from nshot.predictors.label_head import trained_head
from nshot.training.parts.adapter import Adapter
from nshot.training.recipe import Data
from nshot.training.rows import Row


@dataclass(frozen=True)
class Head(Adapter):
    """A fresh linear head over `labels` labels, and the adapter in the body under it."""

    labels: int

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The family's sequence classifier around the lent body; PEFT trains the head with it."""
        from nshot.nets.label_head import LabelLogits, classifier

        with seeded(seed):
            shell = classifier(lent.module, self.labels)
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

    The settings are LoRA's.
    """

    name: ClassVar[str] = "lora_head"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    needs: ClassVar[frozenset[Ability]] = frozenset({"hidden", "train"})
    about: ClassVar[str] = "LoRA under a linear head over the labels"

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompt of every input, without the labels."""
        tokens = brief.test * (brief.tokens + FORMAT_TOKENS)
        return Cost(seconds=tokens / brief.rates.lm_tokens, tokens_in=round(tokens))

    def part(self, task: Task, shots: Shots, seed: int) -> Head:
        """LoRA's matrices and the head, one adapter to PEFT."""
        return Head(self.name, self.config, len(task.labels))

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Row]:
        """The prompts, each with the number of its label."""
        from nshot.training.data.labels import Labels

        return Labels(task, self.format, shots.labelled)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """The trained head on the states of the model with its LoRA."""
        return trained_head(task, bench.models, ref, self.format)
