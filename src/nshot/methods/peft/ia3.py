"""IA3: three vectors a block that make keys, values and the inner layer louder or quieter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Shots, Task
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.parts.adapter import Adapter


class IA3(Trained):
    """Infused Adapter by Inhibiting and Amplifying Inner Activations.

    Haokun Liu, Derek Tam, Mohammed Muqeeth, Jay Mohta, Tenghao Huang, Mohit Bansal, Colin Raffel.
    "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
    2022. https://arxiv.org/abs/2205.05638

    Attention becomes softmax(Q (l_k * K)^T / sqrt(d)) (l_v * V) and the inner layer
    (l_ff * f(W1 x)) W2 (section 3.3). All three start at one: training begins at the base model.
    d_k + d_v + d_ff parameters a block are trained, d_k and d_v the widths of keys and values,
    which grouped queries make smaller than the model's. Where queries, keys and values are one
    matrix (GPT-2, BLOOM), all of its outputs are scaled: a scale on the queries does what the same
    scale on the keys would, so that nothing else can be learned, with d parameters a block more.
    """

    name: ClassVar[str] = "ia3"
    version: ClassVar[int] = 3
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-3, 1e-3, 2e-2)}
    after: ClassVar[str] = "lora"
    about: ClassVar[str] = "vectors that rescale keys, values and inner activations"

    learning_rate: float = Field(default=5e-3, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Adapter:
        """The three vectors of each block, ones at first."""
        return Adapter(self.name, self.config)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; raises `CannotAdapt` where keys, values or inner layer hide."""
        from peft import IA3Config

        from nshot.nets.blocks import blocks, endings

        parts = blocks(lent.module)
        kind = lent.module.config.model_type
        scaled = [name for part in parts for name in (*part.keys, *part.values)]
        inner = [name for part in parts for name in part.inner]
        if any(part.packed for part in parts):
            raise CannotAdapt(
                f"the experts of a {kind} are one tensor, and ia3 cannot scale what is inside it"
            )
        if not scaled or not inner:
            missing = "its inner layer" if scaled else "keys and values"
            raise CannotAdapt(f"where a {kind} keeps {missing} is not known to ia3")
        feedforward = endings(lent.module, inner)
        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=[*endings(lent.module, scaled), *feedforward],
            feedforward_modules=feedforward,
        )
