"""A classification head on LoRA: the answer is read off the last token, not written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nshot.core.types import Cost, Delta, Kind, ModelRef, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.peft.lora import LoRA
from nshot.methods.prompting import FORMAT_TOKENS
from nshot.models.base import Ability, Lent

if TYPE_CHECKING:
    from nshot.predictors.base import Predictor
    from nshot.training.learned import Fit
    from nshot.training.rows import Row


class LoRAHead(LoRA):
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
    kinds: ClassVar[frozenset[Kind]] = frozenset({"classify"})
    needs: ClassVar[frozenset[Ability]] = frozenset({"hidden", "train"})
    about: ClassVar[str] = "LoRA under a linear head over the labels"

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompt of every input, without the labels."""
        tokens = brief.test * (brief.tokens + FORMAT_TOKENS)
        return Cost(seconds=tokens / brief.rates.lm_tokens, tokens_in=round(tokens))

    def config(self, lent: Lent) -> Any:
        """LoRA's, for a sequence classifier: PEFT then trains and saves the head with it."""
        return replace(super().config(lent), task_type="SEQ_CLS")

    def prepare(self, task: Task, shots: Shots, bench: Workbench, lent: Lent) -> Any:
        """The family's sequence classifier around the lent body, with LoRA in it, seeded."""
        import torch

        from nshot.nets.label_head import LabelLogits, classifier

        with torch.random.fork_rng():
            torch.manual_seed(bench.seed)
            shell = classifier(lent.module, len(task.labels))
        return LabelLogits(self.install(replace(lent, module=shell), bench.seed))

    def keep(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """PEFT's own folder of a sequence classifier."""
        return super().keep(lent, module.adapted, folder)

    def answering(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """The trained head on the states of the model with its LoRA."""
        from nshot.nets.label_head import head_weights
        from nshot.predictors.features import HiddenStates
        from nshot.predictors.label_head import LabelHead

        weights = head_weights(Path(ref.deltas[-1].folder)).double().numpy().T
        layers = bench.models.open(ref).facts.layers
        source = HiddenStates(task, bench.models, ref, layers, "last", self.format)
        return LabelHead(task, source, weights, 0 * weights[0])

    def encode(self, task: Task, shots: Shots, lent: Lent, context: int) -> tuple[list[Row], int]:
        """Prompts, at whose last token the label's number is to be said."""
        from nshot.training.sft import encode_labels

        return encode_labels(task, self.format, shots.labelled, lent.tokenizer, context)

    def _start(self, task: Task, shots: Shots, bench: Workbench, base: ModelRef) -> Fit:
        """A fresh head knows nothing: every label is as likely as the others."""
        from nshot.training.learned import chance

        return chance(task)

    def _fit(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Fit:
        from nshot.training.learned import answered

        return answered(self.answering(task, shots, bench, ref), shots.labelled)
