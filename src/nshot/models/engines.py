"""One `Models` over all engines: each reference goes to the engine that it names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import Delta, ModelRef
from nshot.models.base import (
    NO_ADAPTERS,
    Encoder,
    LanguageModel,
    LentModel,
    Models,
    PictureEncoder,
)


def _hf() -> Models:
    from nshot.models.hf.hf_engine import HFModels

    return HFModels()


def _fake() -> Models:
    from nshot.models.fake.fake_engine import FakeModels

    return FakeModels()


def _openai() -> Models:
    from nshot.models.openai.openai_engine import RemoteModels

    return RemoteModels()


def _decisions() -> Models:
    from nshot.models.decisions.decisions_engine import engine

    return engine()


def _systemone() -> Models:
    from nshot.models.systemone.systemone_engine import engine

    return engine()


def _llamacpp() -> Models:
    from nshot.models.llamacpp.llamacpp_engine import LlamaCppModels

    return LlamaCppModels()


ENGINES: Mapping[str, Callable[[], Models]] = {
    "hf": _hf,
    "fake": _fake,
    "openai": _openai,
    "llamacpp": _llamacpp,
    "systemone": _systemone,
    "decisions": _decisions,
}
DECIDING = frozenset({"systemone", "decisions"})
"""Engines whose models answer typed questions and do nothing else."""
ENDPOINTS = DECIDING | {"openai"}
"""Engines whose models are named ``ENGINE:MODEL@ADDRESS``."""
CONTINUOUS = frozenset({"hf"})
"""Engines that write streams together which are open at once, each a token at a time."""


class Engines(Models):
    """Loads an engine when a model of it is first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, Models] = {}
        self._starting = threading.Lock()

    def _of(self, ref: ModelRef) -> Models:
        if ref.engine not in ENGINES:
            raise InputError(
                Fault(f"unknown engine '{ref.engine}'", do=nearest(ref.engine, ENGINES))
            )
        with self._starting:
            if ref.engine not in self._running:
                self._running[ref.engine] = ENGINES[ref.engine]()
            return self._running[ref.engine]

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return self._of(ref).open(ref)

    def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
        """A model for prompts of one base, each with its ref's deltas."""
        return self._of(refs[0]).open_rows(refs)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        return self._of(ref).encoder(ref)

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        return self._of(ref).pictures(ref)

    def lend(
        self,
        ref: ModelRef,
        *,
        free: Sequence[str] = (),
        adapters: Mapping[str, Delta] = NO_ADAPTERS,
    ) -> AbstractContextManager[LentModel]:
        """Lend the base of `ref` for training and take it back unchanged."""
        return self._of(ref).lend(ref, free=free, adapters=adapters)

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory now."""
        return self._of(ref).fingerprint(ref)

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by model name."""
        held: dict[str, int] = {}
        for models in self._running.values():
            held |= models.resident_bytes()
        return held
