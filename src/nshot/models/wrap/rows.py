"""Prompts that are answered by several models, as if by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    Ability,
    AnswerScores,
    Completion,
    Decoding,
    Hidden,
    LanguageModel,
    ModelFacts,
    PrefixState,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Rows(LanguageModel):
    """Is asked a fixed number of prompts at a time: each model answers those at its places.

    Raises what any of the models raises.
    """

    parts: tuple[tuple[LanguageModel, tuple[int, ...]], ...]

    @classmethod
    def of(cls, open: Callable[[ModelRef], LanguageModel], refs: Sequence[ModelRef]) -> Rows:
        """Prompt i is answered by the model of ``refs[i]``."""
        places: dict[ModelRef, list[int]] = {}
        for place, ref in enumerate(refs):
            places.setdefault(ref, []).append(place)
        return cls(tuple((open(ref), tuple(mine)) for ref, mine in places.items()))

    @property
    def facts(self) -> ModelFacts:
        """Of the base, and what all of the models can."""
        facts = [model.facts for model, _ in self.parts]
        can = frozenset[Ability]({"score", "generate", "hidden", "constrain"})
        can = can.intersection(*(one.can for one in facts))
        return facts[0]._replace(ref=facts[0].ref.base, can=can)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""
        return self._by_model(lambda model, mine: model.count([prompts[i] for i in mine]))

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers."""
        return self._by_model(
            lambda model, mine: model.logprobs(
                [prompts[i] for i in mine], [answers[i] for i in mine], prefix
            )
        )

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        return self._by_model(lambda model, mine: model.generate([prompts[i] for i in mine], how))

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        rows = self._by_model(
            lambda model, mine: _each(model.hidden([prompts[i] for i in mine], layers))
        )
        return Hidden(
            np.concatenate([row.last for row in rows]),
            np.concatenate([row.mean for row in rows]),
            tuple(row.tokens_in[0] for row in rows),
        )

    def _by_model(self, ask: Callable[[LanguageModel, Sequence[int]], Sequence[T]]) -> list[T]:
        """What each model answers, in the order of the prompts."""
        answers: dict[int, T] = {}
        for model, mine in self.parts:
            answers |= zip(mine, ask(model, mine), strict=True)
        return [answers[i] for i in sorted(answers)]


def _each(states: Hidden) -> list[Hidden]:
    """The states of one prompt each."""
    return [
        Hidden(states.last[i : i + 1], states.mean[i : i + 1], (count,))
        for i, count in enumerate(states.tokens_in)
    ]
