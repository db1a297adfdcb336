"""The answer that the language model finds likeliest as a whole."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Cost, Kind, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.prompting import FORMAT_TOKENS, base_of
from nshot.models.base import Ability
from nshot.predictors.base import Predictor
from nshot.predictors.ranker import Ranker
from nshot.prompts.render import Format


class Likelihood(Method):
    """Prefers the answer to which the language model gives the greatest probability.

    Jason Wei et al. use it to answer with one of several texts: "Finetuned Language Models Are
    Zero-Shot Learners", 2021, section 2.4, "rank classification". https://arxiv.org/abs/2109.01652
    It is the sum over all tokens, which favours short answers; `zero_shot` divides by the length.
    A reward model that is no better has learned nothing that the model did not know.

    Args:
        format: how prompt and answer are put; see `nshot.prompts.render`.
    """

    name: ClassVar = "likelihood"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"rank"})
    needs: ClassVar[frozenset[Ability]] = frozenset({"score"})
    fast: ClassVar = False
    learns: ClassVar = False
    about: ClassVar = "the given answer that the language model finds likeliest"

    format: Format = "plain"

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompt and its answers, each about as long, are read."""
        tokens = brief.test * (3 * brief.tokens + FORMAT_TOKENS)
        return Cost(seconds=0.05 + tokens / brief.rates.lm_tokens, tokens_in=round(tokens))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Nothing is learned."""
        return Ranker(task, bench.models, base_of(bench), self.format, per_byte=False)
