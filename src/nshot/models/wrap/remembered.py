"""Models that are asked each thing once: for a search, whose candidates ask much alike.

Candidates that differ in calibration alone read the same prompts and only then differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    Ability,
    Completion,
    Decoding,
    Encoder,
    Hidden,
    LanguageModel,
    Models,
    PictureEncoder,
    PrefixState,
    Scores,
    Trainable,
)

Asked: TypeAlias = tuple[ModelRef, tuple[Prompt, ...], tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class RememberedModel:
    """A language model whose `logprobs` of equal calls are worked out once.

    Whole calls are remembered, not rows: a row's last digits depend on what it was packed with, so
    that an answer made of rows of two calls could differ from the answer to one.
    """

    model: LanguageModel
    known: dict[Asked, list[Scores]]

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self.model.ref

    @property
    def can(self) -> frozenset[Ability]:
        """What it can be asked."""
        return self.model.can

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return self.model.context

    @property
    def layers(self) -> int:
        """Number of transformer blocks."""
        return self.model.layers

    @property
    def architecture(self) -> str:
        """How its family calls itself."""
        return self.model.architecture

    @property
    def parameters(self) -> int:
        """How many weights the base has."""
        return self.model.parameters

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the base's parameters by name."""
        return self.model.shapes

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""
        return self.model.count(prompts)

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[Scores]:
        """Log-likelihood of each of a prompt's answers; behind a `prefix` worked out every time."""
        if prefix is not None:
            return self.model.logprobs(prompts, answers, prefix)
        asked = (self.ref, tuple(prompts), tuple(map(tuple, answers)))
        if asked not in self.known:
            self.known[asked] = self.model.logprobs(prompts, answers)
        return list(self.known[asked])

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt."""
        return self.model.generate(prompts, how)

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        return self.model.hidden(prompts, layers)


@dataclass(frozen=True)
class Remembering:
    """`Models` whose language models remember what they were asked, as long as this lives."""

    models: Models
    _known: dict[Asked, list[Scores]] = field(default_factory=dict)

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return RememberedModel(self.models.open(ref), self._known)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        return self.models.encoder(ref)

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        return self.models.pictures(ref)

    def train(self, ref: ModelRef, names: Sequence[str] = ()) -> AbstractContextManager[Trainable]:
        """Lend the base of `ref` for training and take it back unchanged."""
        return self.models.train(ref, names)

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory now."""
        return self.models.fingerprint(ref)

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by model name."""
        return self.models.resident_bytes()
