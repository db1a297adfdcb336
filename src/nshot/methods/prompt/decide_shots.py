"""A model that answers typed questions, shown solved examples before each text."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveInt

from nshot.core.types import Cost, Example, Shots
from nshot.methods.contract import Brief
from nshot.methods.prompt.decide import LABEL_TOKENS, Decide
from nshot.prompts.demonstrations import in_turn


class DecideShots(Decide):
    """Brown et al., "Language Models are Few-Shot Learners", NeurIPS 2020.

    https://arxiv.org/abs/2005.14165 - what `decide` asks, about a state that begins with `n` solved
    examples, the same before every text and their labels in turn. The formats of decision models
    have no place for examples: they are part of the text, and billed with each request.

    Args:
        n: how many examples are shown, of all labels together; all shots where there are fewer.
    """

    name: ClassVar = "decide_shots"
    learns: ClassVar[bool] = True
    learns_labels: ClassVar[bool] = True
    about: ClassVar[str] = "a decision endpoint, shown n solved examples before each text"

    n: PositiveInt = 8

    def use_forecast(self, brief: Brief) -> Cost:
        """Each request is longer by the examples."""
        shown = min(self.n, brief.labelled) * brief.tokens
        cost = super().use_forecast(brief)
        return cost.then(
            Cost(
                seconds=brief.test * shown / brief.rates.lm_tokens,
                tokens_in=int(brief.test * shown),
                money=brief.test * shown * self.price_in / 1e6,
            )
        )

    def why_not(self, brief: Brief) -> str | None:
        """Also where examples of a usual length and the longest text do not fit."""
        if reason := super().why_not(brief):
            return reason
        shown = min(self.n, brief.labelled)
        tokens = int(shown * brief.tokens + brief.longest) + LABEL_TOKENS * len(brief.task.labels)
        if tokens <= brief.context:
            return None
        return (
            f"asks with about {tokens} tokens, and the model takes {brief.context}: show fewer than"
            f" {shown} examples (--set decide_shots.n=2), or none (decide)"
        )

    def shown(self, shots: Shots, seed: int) -> tuple[Example, ...]:
        """Labels in turn, drawn. A row to which no label applies has no turn."""
        return in_turn([one for one in shots.labelled if one.targets], self.n, seed)
