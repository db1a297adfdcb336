"""`Models` and a model around others: what a wrapper does not change goes through."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

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
    Reply,
    Tokens,
    TypedRequest,
)


@dataclass(frozen=True)
class Around(Models):
    """As `models`; a subclass says what it answers itself."""

    models: Models

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return self.models.open(ref)

    def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
        """A model for prompts of one base, each with its ref's deltas."""
        return self.models.open_rows(refs)

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


@dataclass(frozen=True)
class AroundModel(LanguageModel):
    """As `model`; a subclass says what it answers itself."""

    model: LanguageModel

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
        """Log-likelihood of each of a prompt's answers."""
        return self.model.logprobs(prompts, answers, prefix)

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """What comes next."""
        return self.model.next_logits(prompts, positions)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        return self.model.generate(prompts, how)

    def completions(
        self, prompts: Sequence[Prompt], how: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """(index, completion) as they come."""
        return self.model.completions(prompts, how)

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion | None]:
        """The text of `generate`, piece by piece."""
        return self.model.stream(prompt, how)

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        return self.model.hidden(prompts, layers)

    def replies(
        self, requests: Sequence[TypedRequest], again: int = 0
    ) -> Iterator[tuple[int, Reply]]:
        """(index, reply) as they come."""
        return self.model.replies(requests, again)
