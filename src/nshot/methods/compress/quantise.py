"""A tuned or prompted language model in fewer bits a weight, answered by llama.cpp."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any, ClassVar

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.files import content_hash, folder_bytes
from nshot.core.types import LABELLED, WRITTEN, Cost, Delta, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.compress.of_inner import OfInner
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.table import Nested
from nshot.models.base import Ability
from nshot.models.llamacpp.llama_api import EXTRA, missing_runtime
from nshot.models.llamacpp.write_gguf import Bits, require_llama, write_gguf
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.prompted import Prompted

_WRITING = 30.0
"""Seconds to write a file, about: the quantiser is numpy's."""
_ALIKE = 50
"""Rows whose prompts both tokenizers read."""


class Quantise(Method):
    """Tim Dettmers, Mike Lewis, Younes Belkada, Luke Zettlemoyer, "LLM.int8(): 8-bit Matrix
    Multiplication for Transformers at Scale", 2022, https://arxiv.org/abs/2208.07339 - weights
    after training become whole numbers of few bits, with a scale for each block of them.

    The method in `of` is adapted; what it learned is merged into its base; the sum is written as
    one GGUF file (`nshot.models.llamacpp.write_gguf`), in blocks of 32 weights with one scale. The
    file answers through llama.cpp. What is measured is the saved file, loaded in a new process.

    Args:
        of: the method whose language model becomes smaller; one that asks it with a prompt.
        bits: ``Q8_0``, ``Q5_0``, ``Q4_0``, or ``F16``: the runtime alone, with nothing rounded to
            fewer bits.
    """

    name: ClassVar = "quantise"
    rung: ClassVar[Rung] = "compress"
    kinds: ClassVar[frozenset[Kind]] = LABELLED | WRITTEN
    needs: ClassVar[frozenset[Ability]] = frozenset({"score"})
    trains: ClassVar[Any] = OfInner("of", "trains", "adapter")
    learns: ClassVar[Any] = OfInner("of", "learns", True)
    learns_labels: ClassVar[Any] = OfInner("of", "learns_labels", True)
    knows_rows: ClassVar[Any] = OfInner("of", "knows_rows", False)
    fast: ClassVar[bool] = False
    afresh: ClassVar[bool] = True
    about: ClassVar[str] = "a language model in fewer bits a weight, as llama.cpp answers with it"

    of: Nested
    bits: Bits = "Q8_0"

    @property
    def called(self) -> str:
        """With its bits and what is quantised."""
        return f"{self.name}:{self.bits}:{self.of.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where the model cannot be written or asked, or the method in it cannot work."""
        if reason := super().why_not(brief):
            return reason
        if brief.base is not None and brief.base.engine != "hf":
            return f"needs the weights of a model on this disk, not {brief.base.engine}'s"
        if brief.architecture not in ("", "llama"):
            return f"writes models of the family llama, not {brief.architecture}"
        if missing_runtime() is not None or importlib.util.find_spec("gguf") is None:
            return f"needs xllamacpp and gguf: {EXTRA}"
        if reason := self.of.why_not(brief):
            return f"its method {self.of.called} {reason}"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The method in it, and writing the file."""
        return self.of.forecast(brief).then(Cost(seconds=_WRITING))

    def use_forecast(self, brief: Brief) -> Cost:
        """As of the method in it: llama.cpp reads about as fast."""
        return self.of.use_forecast(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Adapt the method in it, and let the quantised file take its model's place.

        Raises `CannotAdapt` for what is no prompted language model, or cannot be a GGUF file.
        """
        if self.of.learns:
            predictor = bench.adapt("model", self.of, task, shots)
        else:
            predictor = self.of.adapt(task, shots, bench)
        return self._quantised(predictor, shots, bench)

    def _quantised(self, predictor: Predictor, shots: Shots, bench: Workbench) -> Predictor:
        """The same predictor on the file; its scores stay calibrated as they were."""
        if isinstance(predictor, Calibrated):
            inside = self._quantised(predictor.predictor, shots, bench)
            return Calibrated(inside, predictor.calibration)
        if not isinstance(predictor, Prompted):
            kind = type(predictor).__name__
            raise CannotAdapt(f"{self.of.called} answers with {kind}, not by asking a model")
        quantised = replace(
            predictor,
            models=bench.models,
            ref=self._written(predictor.ref, bench),
            tuned=bool(predictor.ref.deltas) if predictor.tuned is None else predictor.tuned,
        )
        _require_alike(predictor, quantised, shots)
        return quantised

    def _written(self, ref: ModelRef, bench: Workbench) -> ModelRef:
        """The model in its file."""
        from nshot.models.hf.merged import merged
        from nshot.models.llamacpp.llamacpp_engine import FILE

        folder = bench.folder / "gguf"
        bench.progress(0, 1, "writing the GGUF file")
        try:
            require_llama(ref)
            module, tokenizer = merged(ref)
            write_gguf(module, tokenizer, self.bits, folder / FILE, ref.name)
        except InputError as error:
            raise CannotAdapt(str(error)) from error
        size, before = folder_bytes(folder), 4 * sum(p.numel() for p in module.parameters())
        bench.note(f"{size / 1e6:.0f} MB as {self.bits}, {before / 1e6:.0f} MB in float32")
        delta = Delta("gguf", str(folder), content_hash(folder))
        return ModelRef("llamacpp", ref.name, ref.revision, self.bits, (delta,))


def _require_alike(before: Prompted, after: Prompted, shots: Shots) -> None:
    """Refuse a file whose tokenizer reads the rows as other tokens than the model's own does."""
    inputs = [row.input for row in (*shots.labelled, *shots.unlabelled)[:_ALIKE]]
    prompts = before.prompts(inputs)
    counts = [one.models.open(one.ref).count(prompts) for one in (before, after)]
    wrong = [i for i, (a, b) in enumerate(zip(*counts, strict=True)) if a != b]
    if wrong:
        text = inputs[wrong[0]].text
        raise CannotAdapt(f"llama.cpp reads {text[:60]!r} as other tokens than the model's own")
