"""One number read off a language model's state: what a reward model answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nshot.nets.label_head import LabelLogits

HEAD = "reward_head.safetensors"


class RewardLogits(LabelLogits):
    """Reads like a causal language model whose vocabulary is one number.

    The adapter stays one of a causal model, so that it can stand beside others on the same base;
    the head (1, width), without a bias since only differences of rewards count, is held apart.
    It begins at zero: all answers are equally good.

    Args:
        adapted: a causal language model, or PEFT's wrapper of one.
    """

    def __init__(self, adapted: Any) -> None:
        super().__init__(adapted)
        output = self._causal.get_output_embeddings()
        width = int(adapted.config.get_text_config().hidden_size)
        head = nn.Linear(width, 1, bias=False, device=output.weight.device)
        nn.init.zeros_(head.weight)
        self.head = head.to(self.dtype)

    @property
    def _causal(self) -> Any:
        """The language model under PEFT's wrapper, if it has one."""
        wrapped = getattr(self.adapted, "get_base_model", None)
        return self.adapted if wrapped is None else wrapped()

    @property
    def base_model(self) -> Any:
        """The body."""
        return self._causal.base_model

    def get_output_embeddings(self) -> Any:
        """The head."""
        return self.head


def save_head(module: RewardLogits, folder: Path) -> None:
    """Write the head's weight, (1, width) float32."""
    from safetensors.torch import save_file

    weight = module.head.weight.detach().float().contiguous().cpu()
    save_file({"head": weight}, folder / HEAD)


def load_head(folder: Path) -> Tensor:
    """What `save_head` wrote: (1, width)."""
    from safetensors.torch import load_file

    weight: Tensor = load_file(folder / HEAD)["head"]
    return weight.to(torch.float32)
