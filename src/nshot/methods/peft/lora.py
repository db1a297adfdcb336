"""LoRA: a product of two thin matrices beside every big one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import OF_LABELS, WRITTEN, Kind, Shots, Task
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.parts.adapter import Adapter
from nshot.training.recipe import Part


class LowRank(BaseModel):
    """LoRA's settings, which are those of every method that trains it.

    Args:
        rank: rank of the update.
        alpha: its scale.
        dropout: share of A's inputs that are dropped in training.
        targets: which matrices get one: ``attention`` (queries and values, as in the paper) or
            every linear layer of the blocks. Where queries, keys and values are one matrix
            (GPT-2), ``attention`` is that matrix.
        use_rslora: scale by alpha / sqrt(rank) instead (https://arxiv.org/abs/2312.03732).
        use_dora: also train the length of each row of W (https://arxiv.org/abs/2402.09353).
    """

    name: ClassVar[str]
    version: ClassVar[int] = 4
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-3, 5e-4, 2e-3)}

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["attention", "all-linear"] = "all-linear"
    use_rslora: bool = False
    use_dora: bool = False
    learning_rate: float = Field(default=1e-3, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """The matrices A and B, which PEFT puts on and keeps."""
        return Adapter(self.name, self.config)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; raises `CannotAdapt` where attention goes by unknown names."""
        from peft import LoraConfig

        from nshot.nets.blocks import unfit

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=_attention(lent) if self.targets == "attention" else self.targets,
            exclude_modules=unfit(lent.module) if self.targets == "all-linear" else None,
            use_rslora=self.use_rslora,
            use_dora=self.use_dora,
        )


class LoRA(LowRank, Trained):
    """Low-rank adaptation.

    Edward J. Hu, Yelong Shen, Phillip Wallis, Zeyuan Allen-Zhu, Yuanzhi Li, Shean Wang, Lu Wang,
    Weizhu Chen. "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    https://arxiv.org/abs/2106.09685

    A frozen weight W (out, in) answers with W x + (alpha / rank) B A x, where A (rank, in) starts
    random and B (out, rank) at zero (equation 3), so that training begins at the base model.
    rank * (in + out) parameters a matrix are trained.

    The settings are those of `LowRank` and of `Trained`.
    """

    name: ClassVar[str] = "lora"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS | WRITTEN
    about: ClassVar[str] = "low-rank matrices beside the frozen weights"


def _attention(lent: Lent) -> Sequence[str]:
    """What names the modules that make queries and values."""
    from nshot.nets.blocks import blocks, endings

    names = [name for part in blocks(lent.module) for name in (*part.queries, *part.values)]
    if not names:
        kind = lent.module.config.model_type
        raise CannotAdapt(
            f"where a {kind} keeps queries and values is not known to lora; "
            "targets=all-linear needs no names"
        )
    return endings(lent.module, names)
