"""Bottleneck adapters: a narrow two-layer network behind each sublayer of a frozen transformer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.nets.blocks import blocks, norms

Placement: TypeAlias = Literal["houlsby", "pfeiffer"]
RECORD, TENSORS = "bottleneck.json", "bottleneck.safetensors"


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


class Form(NamedTuple):
    """How the adapters of a model are built; see `nshot.methods.peft.bottleneck`."""

    placement: Placement
    width: int
    layer_norms: bool


def install(module: nn.Module, form: Form) -> None:
    """Put fresh adapters on a causal language model, in place; they are all that is free.

    Each becomes the child ``bottleneck`` of the projection behind which it stands. With
    `layer_norms`, every layer norm of the language model gets parameters of its own, copies at
    first. Raises `CannotAdapt` where the blocks are not built as expected.
    """
    module.requires_grad_(False)
    for projection in _projections(module, form.placement).values():
        weight = projection.weight
        size = getattr(projection, "nf", None) or projection.out_features  # GPT-2's Conv1D: nf
        # Weights in four bits are packed into integers: the adapter computes beside them in full.
        dtype = weight.dtype if weight.is_floating_point() else torch.get_default_dtype()
        projection.bottleneck = Bottleneck(int(size), form.width).to(weight.device, dtype)
        projection.register_forward_hook(_through)
    for norm in norms(module) if form.layer_norms else ():
        for name, parameter in list(norm.named_parameters(recurse=False)):
            setattr(norm, name, nn.Parameter(parameter.detach().clone()))


def save(module: nn.Module, form: Form, folder: Path) -> None:
    """Write the adapters on `module`: their form as JSON, their tensors by block and sublayer.

    ``3.attention.down.weight`` belongs to the block with index 3, ``norm.6.weight`` to the seventh
    layer norm.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().contiguous().cpu() for name, p in _tensors(module, form)}
    save_file(tensors, folder / TENSORS)
    record = json.dumps(form._asdict(), indent=1)
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
    form = Form(record["placement"], record["width"], record.get("layer_norms", False))
    install(module, form)
    own = dict(_tensors(module, form))
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
    parts, places = blocks(module), {}
    for at, part in enumerate(parts):
        places[f"{at}.attention"] = part.attended
        places[f"{at}.feed_forward"] = part.inner
    both = any(part.attended for part in parts) and any(part.inner for part in parts)
    if not both or any(part.packed for part in parts) or max(map(len, places.values())) > 1:
        kind = getattr(getattr(module, "config", None), "model_type", type(module).__name__)
        raise CannotAdapt(
            f"where the sublayers of a {kind} end is not known to bottleneck adapters"
        )
    return {
        place: module.get_submodule(names[0])
        for place, names in places.items()
        if names and (placement == "houlsby" or place.endswith("feed_forward"))
    }


def _tensors(module: nn.Module, form: Form) -> list[tuple[str, nn.Parameter]]:
    """What learns, by the names under which it is saved."""
    tensors = [
        (f"{place}.{name}", parameter)
        for place, projection in _projections(module, form.placement).items()
        for name, parameter in projection.bottleneck.named_parameters()
    ]
    for at, norm in enumerate(norms(module) if form.layer_norms else ()):
        tensors += [(f"norm.{at}.{n}", p) for n, p in norm.named_parameters(recurse=False)]
    return tensors


def _through(projection: Any, _: Any, output: Tensor) -> Tensor:
    """The hook behind a projection."""
    through: Tensor = projection.bottleneck(output)
    return through
