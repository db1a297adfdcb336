"""A running training, on disk: one safetensors file, replaced in one step.

Tensors are the parameters being trained, the optimiser's moments and the random state; the JSON in
the file's header holds the rest. The order of the data is a pure function of the schedule's seed,
so the step number is its position. Whoever is killed finds the old checkpoint or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from nshot.core.files import replacing

_FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Position:
    """How far a training has come. `identity` names all that its outcome depends on."""

    identity: str
    step: int
    micro_batch: int
    losses: tuple[float, ...]
    validation: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is kept while it runs, and every how many steps."""

    folder: Path
    every: int = 50

    def due(self, step: int, steps: int) -> bool:
        """Whether to save after `step` of `steps`; the last step's result is the caller's."""
        return step % self.every == 0 and step < steps

    def save(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Replace the checkpoint: written beside it, on the disk, then renamed."""
        from safetensors.torch import save_file

        with replacing(self.folder / _FILE) as draft:
            save_file(
                {name: tensor.contiguous() for name, tensor in tensors.items()},
                draft,
                metadata={"position": json.dumps(asdict(position))},
            )

    def load(self, identity: str) -> tuple[Position, dict[str, Tensor]] | None:
        """The checkpoint of this very training, or None; leftovers of killed writes go."""
        from safetensors import safe_open

        for leftover in self.folder.glob(f".{_FILE}.*.tmp"):
            leftover.unlink()
        path = self.folder / _FILE
        if not path.exists():
            return None
        with safe_open(path, framework="pt") as file:
            position = json.loads(file.metadata()["position"])
            if position["identity"] != identity:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        lists = {
            "losses": tuple(position["losses"]),
            "validation": tuple((step, value) for step, value in position["validation"]),
        }
        return Position(**{**position, **lists}), tensors

    def forget(self) -> None:
        """Remove the checkpoint: the training is done."""
        (self.folder / _FILE).unlink(missing_ok=True)
