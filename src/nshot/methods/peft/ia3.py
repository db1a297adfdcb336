"""IA3: three vectors a block that make keys, values and the inner layer louder or quieter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Shots, Task
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.parts.adapter import Adapter, require_targets

_INNER = ("down_proj", "mlp.c_proj", "dense_4h_to_h", "fc_out", "fc2", "w2")
"""Names of the matrix after the inner layer, whose inputs are scaled rather than its outputs."""


class IA3(Trained):
    """Infused Adapter by Inhibiting and Amplifying Inner Activations.

    Haokun Liu, Derek Tam, Mohammed Muqeeth, Jay Mohta, Tenghao Huang, Mohit Bansal, Colin Raffel.
    "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
    2022. https://arxiv.org/abs/2205.05638

    Attention becomes softmax(Q (l_k * K)^T / sqrt(d)) (l_v * V) and the inner layer
    (l_ff * f(W1 x)) W2 (section 3.3). All three start at one: training begins at the base model.
    d_k + d_v + d_ff parameters a block are trained, d_k and d_v the widths of keys and values,
    which grouped queries make smaller than the model's.
    """

    name: ClassVar[str] = "ia3"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-3, 1e-3, 2e-2)}
    about: ClassVar[str] = "vectors that rescale keys, values and inner activations"

    learning_rate: float = Field(default=5e-3, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Adapter:
        """The three vectors of each block, ones at first."""
        return Adapter(self.name, self.config)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; raises `CannotAdapt` where the matrices go by unknown names."""
        from peft import IA3Config

        targets = _targets(lent)
        require_targets(lent, targets)
        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=list(targets),
            feedforward_modules=[name for name in targets if name in _INNER],
        )


def _targets(lent: Lent) -> Sequence[str]:
    """Keys, values and the matrix after the inner layer.

    PEFT's table gives some families (Gemma, Qwen) queries in place of keys. The paper scales keys,
    so the table is asked only where no module is called ``k_proj``.
    """
    from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

    last = {name.rpartition(".")[2] for name, _ in lent.module.named_modules()}
    if {"k_proj", "v_proj", "down_proj"} <= last:
        return ("k_proj", "v_proj", "down_proj")
    kind = lent.module.config.model_type
    if kind not in KNOWN:
        raise CannotAdapt(f"where a {kind} keeps keys and values is not known to ia3")
    return tuple(KNOWN[kind])
