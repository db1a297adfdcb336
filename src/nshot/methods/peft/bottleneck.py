"""Bottleneck adapters: a narrow network behind each sublayer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nshot.core.files import content_hash
from nshot.core.machine import seeded
from nshot.core.types import Delta, Shots, Task
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.recipe import Part

if TYPE_CHECKING:
    from nshot.nets.bottleneck import Form


@dataclass(frozen=True)
class Networks(Part):
    """The narrow networks, kept in a folder of our own: PEFT has none of this kind."""

    form: Form

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The lent module with fresh adapters, seeded; `CannotAdapt` on an unknown architecture."""
        from nshot.nets.bottleneck import install

        with seeded(seed):
            install(lent.module, self.form)
        return lent.module

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """Their tensors, and their form as JSON."""
        from nshot.nets.bottleneck import save

        target = folder / "bottleneck"
        save(module, self.form, target)
        return Delta("bottleneck", str(target), content_hash(target))


class BottleneckAdapters(Trained):
    """Bottleneck adapters.

    Neil Houlsby, Andrei Giurgiu, Stanislaw Jastrzebski, Bruna Morrone, Quentin de Laroussilhe,
    Andrea Gesmundo, Mona Attariyan, Sylvain Gelly. "Parameter-Efficient Transfer Learning for
    NLP", 2019. https://arxiv.org/abs/1902.00751
    Jonas Pfeiffer, Aishwarya Kamath, Andreas Rücklé, Kyunghyun Cho, Iryna Gurevych.
    "AdapterFusion: Non-Destructive Task Composition for Transfer Learning", 2020.
    https://arxiv.org/abs/2005.00247

    What a sublayer gives goes through a narrow network of its own, which begins as the identity,
    before it is added to the stream. 2 * size * width + width + size parameters a place are
    trained, `size` being the model's width, and in Houlsby's placement the layer norms too
    (section 2.1), of which the base keeps its own.

    Args:
        placement: behind the attention and the feed-forward layer of each block (``houlsby``), or
            behind the feed-forward layer only (``pfeiffer``).
        width: numbers in the middle of the narrow network.
        layer_norms: whether the layer norms learn too; None is as in the placement's paper: with
            ``houlsby`` they do, with ``pfeiffer`` they do not.
    """

    name: ClassVar[str] = "bottleneck"
    version: ClassVar[int] = 3
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-3, 3e-4, 3e-3)}
    about: ClassVar[str] = "a narrow network behind each sublayer"

    placement: Literal["houlsby", "pfeiffer"] = "houlsby"
    width: int = Field(default=16, ge=1)
    layer_norms: bool | None = None
    learning_rate: float = Field(default=1e-3, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Networks:
        """The narrow networks, and the layer norms with them."""
        from nshot.nets.bottleneck import Form

        norms = self.placement == "houlsby" if self.layer_norms is None else self.layer_norms
        return Networks(Form(self.placement, self.width, norms))
