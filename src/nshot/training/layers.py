"""A model with fewer layers: which of them can go is measured, a few at a time, by a loss.

Hassan Sajjad, Fahim Dalvi, Nadir Durrani, Preslav Nakov. "On the Effect of Dropping Layers of
Pre-trained Transformer Models", 2020. https://arxiv.org/abs/2004.03844
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nshot.core.errors import CannotAdapt
from nshot.training.forward import Above, Reader, Whole, blocks, layer_inputs
from nshot.training.loop import Objective, still
from nshot.training.rows import Row

ROUNDS = 4
"""In how many rounds layers go: after each, those that are left are measured anew."""
_TOLERANCE = 1e-4


def kept_layers(
    module: Any,
    rows: Sequence[Row],
    objective: Objective[Any, Any],
    count: int,
    progress: Callable[[int, int], None] = still,
) -> tuple[int, ...]:
    """Which `count` layers of `module` to keep, first to last: greedily, by the loss of `rows`.

    Each round takes out, one by one, every layer that is left, and drops those without which the
    loss is lowest: a few, no two of them neighbours, for what they do together was not measured.
    Raises `CannotAdapt` where the model's layers are not known, or are no more than `count`.
    """
    layers = list(_layers(module))
    if not 0 < count < len(layers):
        raise CannotAdapt(f"the model has {len(layers)} layers: {count} cannot be kept of them")
    kept = list(range(len(layers)))
    each = math.ceil((len(layers) - count) / ROUNDS)
    was = module.training
    module.eval()
    try:
        while len(kept) > count:
            losses = _losses_without(module, [layers[i] for i in kept], rows, objective)
            out = _apart(losses, min(each, len(kept) - count))
            kept = [layer for at, layer in enumerate(kept) if at not in out]
            progress(len(layers) - len(kept), len(layers) - count)
    finally:
        module.train(was)
    return tuple(kept)


def _apart(losses: Sequence[float], most: int) -> set[int]:
    """The places of up to `most` lowest losses, at least one, of which no two are neighbours."""
    out: set[int] = set()
    for at in sorted(range(len(losses)), key=losses.__getitem__):
        if len(out) < most and not {at - 1, at + 1} & out:
            out.add(at)
    return out


def save_with_layers(module: Any, tokenizer: Any, kept: Sequence[int], folder: Path) -> None:
    """Write a plain Hugging Face folder of the model with these layers alone; `module` is cut."""
    layers, config = _layers(module), module.config.get_text_config()
    module.base_model.layers = nn.ModuleList([layers[i] for i in kept])
    config.num_hidden_layers = len(kept)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[i] for i in kept]
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def _losses_without(
    module: Any, layers: Sequence[nn.Module], rows: Sequence[Row], objective: Objective[Any, Any]
) -> list[float]:
    """The loss of `rows` without each of `layers` in turn, the others in place.

    What lies under a layer is gone through once for all of them, where the model can be fed there.
    """
    device = str(module.device)
    whole = Whole(module, device)
    with _only(module, layers):
        inputs = layer_inputs(module, rows, device)
        ordinary = whole.logits(rows)
        again = Above(module, inputs[0], device).logits(rows)
        begins_above = torch.allclose(again, ordinary, rtol=_TOLERANCE, atol=_TOLERANCE)
    losses = []
    for at in range(len(layers)):
        left = layers[at + 1 :] if begins_above else [*layers[:at], *layers[at + 1 :]]
        reader: Reader = Above(module, inputs[at], device) if begins_above else whole
        with _only(module, left):
            losses.append(float(objective.total(reader, rows)))
    return losses


@contextmanager
def _only(module: Any, layers: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, the body has only these layers."""
    before = module.base_model.layers
    module.base_model.layers = nn.ModuleList(layers)
    try:
        yield
    finally:
        module.base_model.layers = before


def _layers(module: Any) -> nn.ModuleList:
    known = blocks(module)
    if known is None:
        kind = module.config.model_type
        raise CannotAdapt(f"where a {kind} keeps its layers is not known: fewer cannot be kept")
    return known
