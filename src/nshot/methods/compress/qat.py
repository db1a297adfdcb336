"""Quantisation-aware training: a task is learned with the weights as a small file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from nshot.core.types import Rung, Shots, Task, Trains
from nshot.methods.contract import Brief, Workbench
from nshot.methods.peft.lora import LoRA
from nshot.methods.trained import Trained
from nshot.models.llamacpp.write_gguf import GridBits
from nshot.predictors.base import Predictor
from nshot.training.parts.on_grid import OnGrid
from nshot.training.parts.weights import Body
from nshot.training.recipe import Part


class QAT(Trained):
    """Tuning with the weights of a quantised file in every forward pass.

    Benoit Jacob, Skirmantas Kligys, Bo Chen, Menglong Zhu, Matthew Tang, Andrew Howard, Hartwig
    Adam, Dmitry Kalenichenko. "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", 2017. https://arxiv.org/abs/1712.05877
    Zechun Liu, Barlas Oguz, Changsheng Zhao, Ernie Chang, Pierre Stock, Yashar Mehdad, Yangyang
    Shi, Raghuraman Krishnamoorthi, Vikas Chandra. "LLM-QAT: Data-Free Quantization Aware Training
    for Large Language Models", 2023. https://arxiv.org/abs/2305.17888

    The forward pass reads each matrix rounded to the blocks of a GGUF type; the gradient passes the
    rounding as if it were not there. What is delivered are the rounded numbers, so that
    ``nshot gguf DIR --bits Q4_0`` writes the model that was measured.

    Settings besides those of `Trained`:

    Args:
        bits: of the file that is to be written.
        learn: ``low_rank``, a product of two thin matrices that is added before rounding (LoRA);
            ``weights``, the matrices themselves, which wants a tenth of the rate.
        rank, alpha: of the low-rank product; see `nshot.methods.peft.lora.LowRank`.
    """

    name: ClassVar[str] = "qat"
    rung: ClassVar[Rung] = "compress"
    trains: ClassVar[Trains] = "weights"
    version: ClassVar[int] = 1
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-3, 5e-4)}
    about: ClassVar[str] = "weights tuned on the grid of the 4-bit file that they become"

    learning_rate: float = Field(default=1e-3, ge=0)
    bits: GridBits = "Q4_0"
    learn: Literal["low_rank", "weights"] = "low_rank"
    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """What learns, read through the grid."""
        adapter = LoRA(rank=self.rank, alpha=self.alpha).part(task, shots, seed)
        return OnGrid(Body() if self.learn == "weights" else adapter, self.bits)

    def why_not(self, brief: Brief) -> str | None:
        """Also where no file could be written of the language model."""
        if reason := super().why_not(brief):
            return reason
        if brief.architecture and brief.architecture != "llama":
            return f"its file is of the Llama family, and the model is a {brief.architecture}"
        return None

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """As `Trained`; the row says what the weights are."""
        predictor = super().adapt(task, shots, bench)
        file = f"nshot gguf DIR --bits {self.bits}"
        bench.note(f"its weights are those of a {self.bits} file: {file}")
        return predictor
