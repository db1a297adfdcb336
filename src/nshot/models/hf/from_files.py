"""What LoRA adapters do to a base, read from their files: PEFT need not put them on it.

To mount an adapter takes a second on a model of 135 million parameters, to read it some
milliseconds. Read is what is plain; whether it is what PEFT makes of the same files is looked at
once for each `Shape` of adapters (`nshot.models.hf.resident`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nshot.core.types import Delta
from nshot.models.hf.cache import NOTHING
from nshot.models.hf.peft_folder import CONFIG, TENSORS
from nshot.models.hf.side_by_side import Effects, LowRank

Shape: TypeAlias = tuple[tuple[str, str, str], ...]
"""Of each delta its kind, its settings, and names, types and sizes of its tensors."""

_ORIGIN = frozenset({"base_model_name_or_path", "revision", "peft_version"})
"""Settings that say where an adapter comes from, not what it does."""
_ELSE = (
    "use_dora", "modules_to_save", "rank_pattern", "alpha_pattern", "fan_in_fan_out",
    "layer_replication", "lora_bias", "target_parameters", "trainable_token_indices",
)  # fmt: skip
"""Settings of LoRA with which it does more than add a product of two thin matrices."""
_A, _B = ".lora_A.weight", ".lora_B.weight"
_PREFIX = "base_model.model."


def shape_of(deltas: Sequence[Delta]) -> Shape:
    """What the deltas are but for their numbers: two of one shape act at the same places alike."""
    return tuple((one.kind, _settings(Path(one.folder)), _tensors(one)) for one in deltas)


def _settings(folder: Path) -> str:
    files = {path.name: json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    plain = {
        name: {key: _in_order(value) for key, value in body.items() if key not in _ORIGIN}
        if isinstance(body, dict)
        else body
        for name, body in files.items()
    }
    return json.dumps(plain, sort_keys=True)


def _in_order(value: Any) -> Any:
    """PEFT writes sets as lists, in any order."""
    return sorted(value, key=str) if isinstance(value, list) else value


def _tensors(delta: Delta) -> str:
    from safetensors import safe_open

    tensors = []
    for path in sorted(Path(delta.folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                part = file.get_slice(name)
                tensors.append([name, part.get_dtype(), list(part.get_shape())])
    return json.dumps(tensors)


def read_low_rank(deltas: Sequence[Delta], device: torch.device) -> Effects | None:
    """The sum of the adapters at each matrix; None where one is no plain LoRA adapter."""
    parts: dict[str, list[LowRank]] = {}
    for delta in deltas:
        read = _one(Path(delta.folder), device) if delta.kind == "peft" else None
        if read is None:
            return None
        for name, part in read.items():
            parts.setdefault(name, []).append(part)
    return Effects({name: _sum(some) for name, some in parts.items()})


def _sum(parts: Sequence[LowRank]) -> LowRank:
    if len(parts) == 1:
        return parts[0]
    return LowRank(torch.cat([one.a for one in parts]), torch.cat([one.b for one in parts], 1))


def _one(folder: Path, device: torch.device) -> Mapping[str, LowRank] | None:
    from safetensors.torch import load_file

    config = json.loads((folder / CONFIG).read_bytes())
    if config["peft_type"] != "LORA" or config.get("bias") not in (None, "none"):
        return None
    if any(config.get(name) for name in _ELSE):
        return None
    tensors = {
        name.removeprefix(_PREFIX): _as_peft(tensor, device)
        for name, tensor in load_file(folder / TENSORS).items()
    }
    names = {name.removesuffix(_A) for name in tensors if name.endswith(_A)}
    if tensors.keys() != {name + end for name in names for end in (_A, _B)}:
        return None
    rank, alpha = config["r"], config["lora_alpha"]
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    return {name: LowRank(tensors[name + _A], tensors[name + _B] * scale) for name in sorted(names)}


def _as_peft(tensor: Tensor, device: torch.device) -> Tensor:
    """PEFT computes with adapters of half precision in float32."""
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.to(device, torch.float32 if half else tensor.dtype)


def are_same(one: Effects, other: Effects) -> bool:
    """Whether both are the same products at the same matrices, to the bit, and nothing else."""
    others = (one.inputs, one.outputs, one.narrow, one.norms)
    if any(others) or one.prefix is not NOTHING or one.low_rank.keys() != other.low_rank.keys():
        return False
    pairs = [(one.low_rank[name], other.low_rank[name]) for name in one.low_rank]
    return all(
        a.dtype == b.dtype and torch.equal(a, b)
        for mine, its in pairs
        for a, b in zip(mine, its, strict=True)
    )
