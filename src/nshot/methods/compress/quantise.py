"""A tuned or prompted language model in fewer bits a weight, answered by llama.cpp."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.files import content_hash, folder_bytes
from nshot.core.types import LABELLED, WRITTEN, Cost, Delta, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.compress import mixed
from nshot.methods.compress.of_inner import OfInner
from nshot.methods.compress.small_head import small_head
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.table import Nested
from nshot.models.hf.quantised import PACKINGS, Packing, missing_extra
from nshot.models.llamacpp.llama_api import EXTRA, missing_runtime
from nshot.models.llamacpp.write_gguf import ALIKE, BITS, Bits, Kinds, require_llama, write_gguf
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.eight_bits import InEightBits
from nshot.predictors.prompted import Prompted

Form: TypeAlias = Bits | Packing | Literal["mixed"]
FORMS: tuple[Form, ...] = (*BITS, "mixed", *PACKINGS)
_WRITING = 30.0
"""Seconds to write a file, about: the quantiser is numpy's."""
_READINGS = 12
"""How often the rows that mixed bits are chosen on are read, about: a gradient and the rounding for
it are worth eight readings, and each form that is measured is one."""
_ALIKE = 50
"""Rows whose prompts both tokenizers read."""


class Quantise(Method):
    """Tim Dettmers, Mike Lewis, Younes Belkada, Luke Zettlemoyer, "LLM.int8(): 8-bit Matrix
    Multiplication for Transformers at Scale", 2022, https://arxiv.org/abs/2208.07339 - weights
    after training become whole numbers of few bits, with a scale for each block of them.

    The method in `of` is adapted; what it learned is merged into its base; the sum is written as
    one GGUF file (`nshot.models.llamacpp.write_gguf`), in blocks of 32 weights with one scale. The
    file answers through llama.cpp. What is measured is the saved file, loaded in a new process.

    Of a head the encoder becomes the file, and the head whole numbers of 8 bits
    (`nshot.methods.compress.small_head`).

    Args:
        of: the method whose model becomes smaller: one that asks a language model with a prompt, or
            a head on a sentence encoder; with ``int8`` any head.
        bits: ``Q8_0``, ``Q5_0``, ``Q4_0``, or ``F16``: the runtime alone, with nothing rounded to
            fewer bits; ``mixed``: each matrix in the one of 8, 5, 4 bits that the loss of labelled
            rows asks for (`nshot.methods.compress.mixed`); ``int8`` and ``nf4``: a transformers
            folder packed by bitsandbytes, which torch answers with, any family (on a CPU too);
            ``int8`` of a head: its weights or vectors alone.
        megabytes: the most that the file may have where bits are mixed; a megabyte is 10^6 bytes.
    """

    name: ClassVar = "quantise"
    rung: ClassVar[Rung] = "compress"
    kinds: ClassVar[frozenset[Kind]] = LABELLED | WRITTEN | {"multilabel"}
    needs: ClassVar[Any] = OfInner("of", "needs", frozenset({"score"}))
    needs_encoder: ClassVar[Any] = OfInner("of", "needs_encoder", False)
    trains: ClassVar[Any] = OfInner("of", "trains", "adapter")
    learns: ClassVar[Any] = OfInner("of", "learns", True)
    learns_labels: ClassVar[Any] = OfInner("of", "learns_labels", True)
    knows_rows: ClassVar[Any] = OfInner("of", "knows_rows", False)
    fast: ClassVar[bool] = False
    afresh: ClassVar[bool] = True
    about: ClassVar[str] = "a language model in fewer bits a weight, as llama.cpp answers with it"

    of: Nested
    bits: Form = "Q8_0"
    megabytes: float | None = Field(default=None, gt=0, exclude_if=lambda limit: limit is None)

    @model_validator(mode="after")
    def _limited(self) -> Self:
        """A limit belongs to mixed bits, and they to a limit."""
        if (self.bits == "mixed") != (self.megabytes is not None):
            raise ValueError(
                "mixed bits fill a size: give bits=mixed and megabytes=N, the most that the file"
                " may have; or neither"
            )
        return self

    @property
    def form(self) -> str:
        """Its bits, and of mixed ones the limit."""
        return self.bits if self.megabytes is None else f"{self.bits}-{self.megabytes:g}MB"

    @property
    def called(self) -> str:
        """With its bits and what is quantised."""
        return f"{self.name}:{self.form}:{self.of.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where the model cannot be written or asked, or the method in it cannot work."""
        if reason := super().why_not(brief):
            return reason
        if self.of.needs and (reason := self._no_language_model(brief)):
            return reason
        if self.bits in PACKINGS and self.of.needs and (missing := missing_extra()):
            return missing
        is_there = missing_runtime() is None and importlib.util.find_spec("gguf") is not None
        if self.bits not in PACKINGS and not is_there:
            return f"needs xllamacpp and gguf: {EXTRA}"
        if reason := self.of.why_not(brief):
            return f"its method {self.of.called} {reason}"
        return None

    def _no_language_model(self, brief: Brief) -> str | None:
        """Why the language model cannot become a file."""
        if brief.base is not None and brief.base.engine != "hf":
            return f"needs the weights of a model on this disk, not {brief.base.engine}'s"
        if self.bits not in PACKINGS and brief.architecture not in ("", "llama"):
            return f"writes models of the family llama, not {brief.architecture}"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The method in it and writing the file; of mixed bits the folds that choose them too."""
        cost = self.of.forecast(brief).then(Cost(seconds=_WRITING))
        if self.megabytes is None:
            return cost
        if self.of.learns:
            share = brief.labelled * (mixed.FOLDS - 1) // mixed.FOLDS
            fold = self.of.forecast(replace(brief, labelled=share))
            for _ in range(mixed.FOLDS):
                cost = cost.then(fold)
        looked_at = _READINGS * min(mixed.LOOKED_AT, brief.labelled) * brief.tokens
        return cost.then(Cost(seconds=looked_at / brief.rates.lm_tokens))

    def use_forecast(self, brief: Brief) -> Cost:
        """As of the method in it: llama.cpp reads about as fast."""
        return self.of.use_forecast(brief)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Adapt the method in it, and let what is quantised take its model's place.

        Raises `CannotAdapt` for what is neither a prompted language model nor a head, or cannot be
        a GGUF file.
        """
        if self.of.learns:
            predictor = bench.adapt("model", self.of, task, shots)
        else:
            predictor = self.of.adapt(task, shots, bench)
        return self._quantised(predictor, task, shots, bench)

    def _quantised(
        self, predictor: Predictor, task: Task, shots: Shots, bench: Workbench
    ) -> Predictor:
        """The same predictor on the file; its scores stay calibrated as they were."""
        if isinstance(predictor, Calibrated):
            inside = self._quantised(predictor.predictor, task, shots, bench)
            return Calibrated(inside, predictor.calibration)
        if isinstance(predictor, InEightBits) and self.bits != "mixed":
            return small_head(predictor, self.bits, bench)
        if not isinstance(predictor, Prompted):
            kind = type(predictor).__name__
            raise CannotAdapt(f"{self.of.called} answers with {kind}, not by asking a model")
        quantised = replace(
            predictor,
            models=bench.models,
            ref=self._written(predictor, task, shots, bench),
            tuned=bool(predictor.ref.deltas) if predictor.tuned is None else predictor.tuned,
        )
        _require_alike(predictor, quantised, shots)
        return quantised

    def _written(self, predictor: Prompted, task: Task, shots: Shots, bench: Workbench) -> ModelRef:
        """The model in its file."""
        from nshot.models.hf.merged import merged
        from nshot.models.llamacpp.llamacpp_engine import FILE

        if self.bits == "int8" or self.bits == "nf4":
            return packed_model(predictor.ref, self.bits, bench)
        ref, folder = predictor.ref, bench.folder / "gguf"
        try:
            require_llama(ref)
            module, tokenizer = merged(ref)
            bits, kinds = self._kinds(self.bits, predictor, module, tokenizer, task, shots, bench)
            bench.progress(0, 1, "writing the GGUF file")
            write_gguf(module, tokenizer, bits, folder / FILE, ref.name, kinds)
        except InputError as error:
            raise CannotAdapt(str(error)) from error
        note_bytes(folder, module, self.form, bench)
        delta = Delta("gguf", str(folder), content_hash(folder))
        return ModelRef("llamacpp", ref.name, ref.revision, self.form, (delta,))

    def _kinds(
        self,
        bits: Bits | Literal["mixed"],
        predictor: Prompted,
        module: Any,
        tokenizer: Any,
        task: Task,
        shots: Shots,
        bench: Workbench,
    ) -> tuple[Bits, Kinds]:
        """The file's bits, and the matrices that are kept in others."""
        if bits != "mixed":
            return bits, ALIKE
        limit = round(1e6 * (self.megabytes or 0))
        room = mixed.room_in(module, tokenizer, predictor.ref.name, limit)
        if room.size(room.plain("Q8_0")) <= room.limit:
            bench.note(f"{self.megabytes:g} MB are enough for Q8_0: every matrix is kept in it")
            return "Q8_0", ALIKE

        def taught(number: int, part: Shots) -> Predictor:
            return bench.adapt(f"fold {number}", self.of, task, part)

        teach = taught if self.of.learns else None
        cases = mixed.cases(task, shots, predictor, teach, bench.seed)
        return "Q4_0", mixed.chosen(task, cases, room, bench.note, bench.progress)


def packed_model(ref: ModelRef, quant: Packing, bench: Workbench) -> ModelRef:
    """The model, what it learned merged into it, packed in a folder of its own.

    Raises `CannotAdapt` where bitsandbytes is missing, or what was learned cannot be merged.
    """
    from nshot.models.hf.merged import merged
    from nshot.models.hf.packed_folder import write_packed

    if missing := missing_extra():
        raise CannotAdapt(missing)
    folder = bench.folder / "packed"
    bench.progress(0, 1, "packing the weights")
    try:
        module, tokenizer = merged(ref)
    except InputError as error:
        raise CannotAdapt(str(error)) from error
    write_packed(module, tokenizer, quant, folder)
    note_bytes(folder, module, quant, bench)
    delta = Delta("model", str(folder), content_hash(folder))
    return ModelRef(ref.engine, ref.name, ref.revision, quant, (delta,))


def note_bytes(folder: Path, module: Any, form: str, bench: Workbench) -> None:
    """Say on the row how much smaller it has become."""
    size, before = folder_bytes(folder), 4 * sum(p.numel() for p in module.parameters())
    bench.note(f"{size / 1e6:.0f} MB as {form}, {before / 1e6:.0f} MB in float32")


def _require_alike(before: Prompted, after: Prompted, shots: Shots) -> None:
    """Refuse a file whose tokenizer reads the rows as other tokens than the model's own does."""
    inputs = [row.input for row in (*shots.labelled, *shots.unlabelled)[:_ALIKE]]
    prompts = before.prompts(inputs)
    counts = [one.models.open(one.ref).count(prompts) for one in (before, after)]
    wrong = [i for i, (a, b) in enumerate(zip(*counts, strict=True)) if a != b]
    if wrong:
        text = inputs[wrong[0]].text
        raise CannotAdapt(f"the file reads {text[:60]!r} as other tokens than the model does")
