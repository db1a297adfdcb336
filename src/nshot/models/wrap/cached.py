"""Models that are asked each thing once: for a search, whose candidates ask much alike.

Candidates that differ in calibration alone read the same prompts and only then differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models.base import (
    NO_ADAPTERS,
    AnswerScores,
    Completion,
    Decoding,
    Encoder,
    Hidden,
    LanguageModel,
    LentModel,
    ModelFacts,
    Models,
    PictureEncoder,
    PrefixState,
    Tokens,
)

Call: TypeAlias = tuple[ModelRef, tuple[Prompt, ...], tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class CachedModel(LanguageModel):
    """A language model whose `logprobs` of equal calls are worked out once.

    Whole calls are kept, not rows: a row's last digits depend on what it was packed with, so
    that an answer made of rows of two calls could differ from the answer to one.
    """

    model: LanguageModel
    cache: dict[Call, list[AnswerScores]]

    @property
    def facts(self) -> ModelFacts:
        """What is known of it."""
        return self.model.facts

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""
        return self.model.count(prompts)

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers; behind a `prefix` worked out every time."""
        if prefix is not None:
            return self.model.logprobs(prompts, answers, prefix)
        call = (self.facts.ref, tuple(prompts), tuple(map(tuple, answers)))
        if call not in self.cache:
            self.cache[call] = self.model.logprobs(prompts, answers)
        return list(self.cache[call])

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """What comes next; worked out every time."""
        return self.model.next_logits(prompts, positions)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        return self.model.generate(prompts, how)

    def stream(self, prompt: Prompt, how: Decoding) -> Iterator[str]:
        """The text of `generate`, piece by piece."""
        return self.model.stream(prompt, how)

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        return self.model.hidden(prompts, layers)


@dataclass(frozen=True)
class CachedModels(Models):
    """`Models` whose language models keep their scores as long as this lives."""

    models: Models
    _cache: dict[Call, list[AnswerScores]] = field(default_factory=dict)

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return CachedModel(self.models.open(ref), self._cache)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        return self.models.encoder(ref)

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        return self.models.pictures(ref)

    def lend(
        self,
        ref: ModelRef,
        *,
        free: Sequence[str] = (),
        adapters: Mapping[str, Delta] = NO_ADAPTERS,
    ) -> AbstractContextManager[LentModel]:
        """Lend the base of `ref` for training and take it back unchanged."""
        return self.models.lend(ref, free=free, adapters=adapters)

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory now."""
        return self.models.fingerprint(ref)

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by model name."""
        return self.models.resident_bytes()
