"""LoRA: a product of two thin matrices beside every big one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from nshot.method import Trains
from nshot.methods.supervised import SupervisedTuning, content_hash
from nshot.models.base import Trainable
from nshot.types import Delta, Rung


class LoRA(SupervisedTuning):
    """Low-rank adaptation.

    Edward J. Hu, Yelong Shen, Phillip Wallis, Zeyuan Allen-Zhu, Yuanzhi Li, Shean Wang, Lu Wang,
    Weizhu Chen. "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    https://arxiv.org/abs/2106.09685

    A frozen weight W (out, in) answers with W x + (alpha / rank) B A x, where A (rank, in) starts
    random and B (out, rank) at zero (equation 3), so that training begins at the base model.
    rank * (in + out) parameters a matrix are trained.

    Args:
        rank: rank of the update.
        alpha: its scale.
        dropout: share of A's inputs that are dropped in training.
        targets: which matrices get one: ``attention`` (queries and values, as in the paper) or
            every linear layer of the blocks.
        use_rslora: scale by alpha / sqrt(rank) instead (https://arxiv.org/abs/2312.03732).
        use_dora: also train the length of each row of W (https://arxiv.org/abs/2402.09353).
    """

    name: ClassVar[str] = "lora"
    rung: ClassVar[Rung] = "peft"
    trains: ClassVar[Trains] = "adapter"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-4, 2e-4, 1e-3)}
    about: ClassVar[str] = "low-rank matrices beside the frozen weights"

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: Literal["attention", "all-linear"] = "all-linear"
    use_rslora: bool = False
    use_dora: bool = False
    learning_rate: float = Field(default=5e-4, ge=0)

    def install(self, lent: Trainable, seed: int) -> Any:
        """The lent module with a fresh adapter, seeded."""
        import torch
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=["q_proj", "v_proj"] if self.targets == "attention" else self.targets,
            use_rslora=self.use_rslora,
            use_dora=self.use_dora,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return get_peft_model(lent.module, config)

    def keep(self, lent: Trainable, module: Any, folder: Path) -> Delta:
        """PEFT's own folder, which any PEFT program can load."""
        target = folder / "adapter"
        base = Path(lent.ref.name)
        # A path of this machine would mean nothing on the next; a Hub id stays as it is.
        name = base.name if base.is_absolute() else lent.ref.name
        module.peft_config["default"].base_model_name_or_path = name
        # No embedding is trained, and PEFT need not ask a hub whether the vocabulary grew.
        module.save_pretrained(target, save_embedding_layers=False)
        (target / "README.md").unlink(missing_ok=True)
        return Delta("peft", str(target), content_hash(target))
