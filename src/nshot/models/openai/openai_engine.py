"""The engine of models behind endpoints: they are opened, and that is all."""

from __future__ import annotations

import threading

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef
from nshot.models.base import LanguageModel, Models
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.endpoint import check, limits


class RemoteModels(Models):
    """`Models` over endpoints. The first opening of a model asks whether its endpoint is there."""

    def __init__(self) -> None:
        self._open: dict[ModelRef, RemoteLanguageModel] = {}
        self._opening = threading.Lock()

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model behind an endpoint; raises as `check` does."""
        if ref.deltas or ref.quant:
            raise CannotAdapt("an endpoint's model cannot be changed from here")
        with self._opening:
            if ref not in self._open:
                check(ref)
                self._open[ref] = RemoteLanguageModel(ref, limits())
            return self._open[ref]
