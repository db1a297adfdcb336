"""Bottleneck adapters: a narrow two-layer network behind each sublayer of a frozen transformer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from nshot.core.errors import CannotAdapt, Fault, InputError

Placement: TypeAlias = Literal["houlsby", "pfeiffer"]
RECORD, TENSORS = "bottleneck.json", "bottleneck.safetensors"

_ATTENTION = ("self_attn.o_proj", "attn.c_proj")
_FEED_FORWARD = ("mlp.down_proj", "mlp.c_proj")
"""Where a block's two sublayers end: in Llama's family (Qwen, Gemma, Mistral), in GPT-2."""


class Bottleneck(nn.Module):
    """x + W_up gelu(W_down x + b_down) + b_up.

    Neil Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", 2019, section 2.1,
    https://arxiv.org/abs/1902.00751. W_up and b_up begin at zero: the start is the identity.

    Args:
        size: numbers in x, the last dimension.
        width: numbers in the middle; 2 * size * width + width + size parameters in all.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.down = nn.Linear(size, width)
        self.up = nn.Linear(width, size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., size) -> (..., size)."""
        out: Tensor = x + self.up(nn.functional.gelu(self.down(x)))
        return out


def install(module: nn.Module, placement: Placement, width: int) -> None:
    """Put fresh adapters on a causal language model, in place; they are all that is free.

    Each becomes the child ``bottleneck`` of the projection behind which it stands. Raises
    `CannotAdapt` where the blocks are not built as expected.
    """
    module.requires_grad_(False)
    for projection in _projections(module, placement).values():
        weight = projection.weight
        size = getattr(projection, "nf", None) or projection.out_features  # GPT-2's Conv1D: nf
        # Weights in four bits are packed into integers: the adapter computes beside them in full.
        dtype = weight.dtype if weight.is_floating_point() else torch.get_default_dtype()
        projection.bottleneck = Bottleneck(int(size), width).to(weight.device, dtype)
        projection.register_forward_hook(_through)


def save(module: nn.Module, placement: Placement, width: int, folder: Path) -> None:
    """Write the adapters on `module`: their form as JSON, their tensors by block and sublayer.

    ``3.attention.down.weight`` belongs to the block with index 3.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().contiguous().cpu() for name, p in _tensors(module, placement)}
    save_file(tensors, folder / TENSORS)
    record = json.dumps({"placement": placement, "width": width}, indent=1)
    (folder / RECORD).write_text(record, encoding="utf-8")


def load(module: nn.Module, folder: Path) -> None:
    """Put the adapters of a folder on a model, in place.

    Raises `InputError` where the folder lacks a file, or its tensors are not of this model's
    blocks and width.
    """
    from safetensors.torch import load_file

    if missing := [name for name in (RECORD, TENSORS) if not (folder / name).is_file()]:
        expected = f"{RECORD} and {TENSORS}"
        raise InputError(Fault(f"no {missing[0]}", expected=expected, where=str(folder)))
    saved = load_file(folder / TENSORS)
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    install(module, record["placement"], record["width"])
    own = dict(_tensors(module, record["placement"]))
    wrong = [name for name, p in own.items() if name not in saved or saved[name].shape != p.shape]
    wrong += [name for name in saved if name not in own]
    if wrong:
        raise InputError(
            Fault(
                f"bottleneck adapters of another model: '{wrong[0]}' does not fit",
                do="use them on the base they were trained on",
                where=str(folder / TENSORS),
            )
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(saved[name])
    module.requires_grad_(False)


def _projections(module: nn.Module, placement: Placement) -> dict[str, Any]:
    """The projections behind which an adapter stands, by block and sublayer."""
    found = {}
    for index, block in enumerate(_blocks(module)):
        if placement == "houlsby":
            found[f"{index}.attention"] = _end(block, _ATTENTION)
        found[f"{index}.feed_forward"] = _end(block, _FEED_FORWARD)
    return found


def _blocks(module: nn.Module) -> list[nn.Module]:
    """The transformer blocks: the list whose members all have both sublayers."""
    for part in module.modules():
        blocks = list(part) if isinstance(part, nn.ModuleList) else []
        if blocks and all(_end(b, _ATTENTION) and _end(b, _FEED_FORWARD) for b in blocks):
            return blocks
    kind = getattr(getattr(module, "config", None), "model_type", type(module).__name__)
    raise CannotAdapt(f"where the sublayers of a {kind} end is not known to bottleneck adapters")


def _end(block: nn.Module, paths: Sequence[str]) -> Any:
    """The projection at the first of `paths` that the block has; None where it has none."""
    for path in paths:
        sublayer, name = path.split(".")
        if isinstance(found := getattr(getattr(block, sublayer, None), name, None), nn.Module):
            return found
    return None


def _tensors(module: nn.Module, placement: Placement) -> list[tuple[str, nn.Parameter]]:
    """The adapters' parameters by the names they are saved under."""
    return [
        (f"{place}.{name}", parameter)
        for place, projection in _projections(module, placement).items()
        for name, parameter in projection.bottleneck.named_parameters()
    ]


def _through(projection: Any, _: Any, output: Tensor) -> Tensor:
    """The hook behind a projection."""
    through: Tensor = projection.bottleneck(output)
    return through
