"""`Models` around others: what a wrapper does not change goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from nshot.core.types import Delta, ModelRef
from nshot.models.base import NO_ADAPTERS, Encoder, LanguageModel, LentModel, Models, PictureEncoder


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
