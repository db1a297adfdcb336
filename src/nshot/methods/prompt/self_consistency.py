"""Several drawn answers, and a vote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, PositiveFloat

from nshot.core.errors import CannotAdapt
from nshot.core.types import OF_LABELS, Cost, Kind, Rung, Shots, Task
from nshot.methods.compress.of_inner import OfInner
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.label_sets import by_questions
from nshot.methods.prompt.rationale import Rationale
from nshot.methods.table import Nested
from nshot.predictors.base import Predictor
from nshot.predictors.sampled_vote import SampledVote, Samples


class SelfConsistency(Method):
    """Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2023.

    https://arxiv.org/abs/2203.11171 - the method in `of` draws several answers to each input, and
    the commonest is the answer. The shares of the votes are the labels' probabilities; of texts and
    numbers those count as equal that differ in case, spaces or digits alone.

    Args:
        of: what draws the answers: by default a rationale, and the answer behind it.
        samples: how many are drawn. The paper's gain is mostly there with five to ten.
        temperature: at which they are drawn; the paper's are 0.5 to 0.7.
    """

    name: ClassVar = "self_consistency"
    rung: ClassVar[Rung] = "prompt"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS | {"number", "generate"}
    needs: ClassVar = frozenset({"generate"})
    trains: ClassVar[Any] = OfInner("of", "trains", "nothing")
    knows_rows: ClassVar[Any] = OfInner("of", "knows_rows", False)
    fast: ClassVar[bool] = False
    about: ClassVar[str] = "the commonest of several answers that the language model draws"

    of: Nested = Rationale()
    samples: int = Field(default=5, ge=2)
    temperature: PositiveFloat = 0.7

    @property
    def called(self) -> str:
        """With what draws, where that is not its default."""
        return self.name if self.of == Rationale() else f"{self.name}:{self.of.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where a vote would only estimate what the model says of itself."""
        if reason := super().why_not(brief):
            return reason
        if reason := self.of.why_not(brief):
            return f"its {self.of.called} {reason}"
        of_labels = brief.task.kind in OF_LABELS and "score" in brief.abilities
        if of_labels and not isinstance(self.of, Rationale):
            return (
                f"the model gives {self.of.called} the labels' probabilities themselves, which a"
                " vote of samples would only estimate: of=rationale draws what can differ"
            )
        return None

    def forecast(self, brief: Brief) -> Cost:
        """Nothing is built beside what draws."""
        return self.of.forecast(brief)

    def use_forecast(self, brief: Brief) -> Cost:
        """Every sample is an answer of its own."""
        one = self.of.use_forecast(brief)
        return replace(
            one,
            seconds=one.seconds * self.samples,
            tokens_in=one.tokens_in * self.samples,
            tokens_out=one.tokens_out * self.samples,
            money=one.money * self.samples,
        )

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Adapt what draws. Raises `CannotAdapt` for what cannot draw."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        predictor = bench.adapt("samples", self.of, task, shots)
        if not isinstance(predictor, Samples):
            kind = type(predictor).__name__
            raise CannotAdapt(f"{self.of.called} answers with {kind}, which draws no answers")
        return SampledVote(predictor, self.samples, self.temperature, bench.seed)
