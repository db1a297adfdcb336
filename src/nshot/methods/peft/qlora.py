"""QLoRA: LoRA on a base held in four bits."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from nshot.core.types import ModelRef
from nshot.methods.contract import Brief
from nshot.methods.peft.lora import LowRank
from nshot.methods.trained import Trained
from nshot.models.hf.quantised import missing_extra


class QLoRA(LowRank, Trained):
    """Low-rank adaptation of a quantised model.

    Tim Dettmers, Artidoro Pagnoni, Ari Holtzman, Luke Zettlemoyer. "QLoRA: Efficient Finetuning
    of Quantized LLMs", 2023. https://arxiv.org/abs/2305.14314

    Y = X doubleDequant(c1, c2, W in NF4) + X L1 L2 (equation 5): the frozen weights are 4-bit
    normal floats whose scales are quantised again, and are unpacked to the machine's dtype for
    each product. Every linear layer gets an adapter, which the paper found necessary to match
    16-bit training. Settings are those of `nshot.methods.peft.lora.LoRA`.

    The adapter answers for the 4-bit base it was trained on. Merge it into an unquantised base
    only: the sum does not fit into four bits.
    """

    name: ClassVar[str] = "qlora"
    about: ClassVar[str] = "lora on a base held in four bits"

    def why_not(self, brief: Brief) -> str | None:
        """Needs the package that packs weights."""
        return super().why_not(brief) or missing_extra()

    def stands_on(self, base: ModelRef) -> ModelRef:
        """The base in 4-bit normal floats."""
        return replace(base, quant="nf4")
