"""Several views on one base at once: each token of a pass is read under its own view's deltas.

The deltas of a view are taken apart into what they do at which matrix of the base. The base stays
bare; hooks on its modules do to each token what the token's view does there, all tokens of a pass
together: low-rank products and narrow networks in blocks of tokens of one view, gates as a row of
numbers a token. Whoever calls the module gives ``slots`` beside ``input_ids``: (rows,), or (1,
tokens) of a sequence in which several views stand. What stands before the tokens of a view, its
soft prompt, is no part of this (`nshot.models.hf.cache.ViewPrefixes`).
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nshot.core.errors import CannotAdapt
from nshot.models.base import Floats
from nshot.models.hf.cache import NOTHING, CachedPrefix, ViewPrefixes, holds
from nshot.models.hf.score import Scorer, allowed, plain
from nshot.models.hf.tree import Query
from nshot.nets.blocks import norms
from nshot.nets.bottleneck import Bottleneck

BLOCK = 32
"""Tokens of a block, at most: a view of many tokens has several, one of few a short one."""

Hook: TypeAlias = Callable[..., Any]

log = logging.getLogger(__name__)


class LowRank(NamedTuple):
    """y + B A x: `a` (rank, in), `b` (out, rank), the scale in it."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True)
class Effects:
    """What a view does to the base, by the name of the module at which it does it.

    `inputs` and `outputs` are the factors of IA3 on what a matrix reads and on what it gives,
    (width,); `norms` whole layer norms in the place of the base's. `prefix` stands before all.
    """

    low_rank: Mapping[str, LowRank] = field(default_factory=dict)
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)
    narrow: Mapping[str, Bottleneck] = field(default_factory=dict)
    norms: Mapping[str, nn.Module] = field(default_factory=dict)
    prefix: CachedPrefix = NOTHING


def taken_apart(module: Any, prefix: CachedPrefix, base: Sequence[nn.Parameter]) -> Effects:
    """What was mounted on `module`, whose own parameters are `base`; nothing is copied but B.

    Raises `CannotAdapt` where a parameter is left that does something else: DoRA's lengths,
    LLaMA-Adapter's prompts, changed weights.
    """
    from peft.tuners.ia3.layer import IA3Layer
    from peft.tuners.lora.layer import LoraLayer

    low_rank: dict[str, LowRank] = {}
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    narrow: dict[str, Bottleneck] = {}
    own_norms: dict[str, nn.Module] = {}
    own = {id(parameter) for parameter in base}
    known, names = set(own), {part: name for name, part in module.named_modules()}
    for part, name in names.items():
        if isinstance(part, LoraLayer):
            low_rank[name] = _low_rank(part)
        elif isinstance(part, IA3Layer):
            (inputs if part.is_feedforward else outputs)[name] = _gate(part)
        elif isinstance(part, Bottleneck):
            narrow[name.removesuffix(".bottleneck")] = part
        else:
            continue
        known |= {id(parameter) for parameter in _used(part)}
    for norm in norms(module):
        mine = list(norm.parameters(recurse=False))
        if any(id(parameter) not in own for parameter in mine):
            own_norms[names[norm]] = _by_itself(norm)
            known |= {id(parameter) for parameter in mine}
    if left := [name for name, p in module.named_parameters() if id(p) not in known]:
        raise CannotAdapt(f"'{left[0]}' cannot be read beside other views")
    _require_inside(module, [*low_rank, *inputs, *outputs, *narrow])
    return Effects(low_rank, inputs, outputs, narrow, own_norms, prefix)


def _require_inside(module: Any, places: Sequence[str]) -> None:
    """Raise `CannotAdapt` for an effect on the head: it reads some of the tokens of a pass only."""
    body = f"{module.base_model_prefix}."
    if outside := [name for name in places if not name.startswith(body)]:
        raise CannotAdapt(f"'{outside[0]}' stands outside the body of the model")


def _used(part: Any) -> list[nn.Parameter]:
    """The parameters of an adapter's layer that its effect is made of."""
    if isinstance(part, Bottleneck):
        return list(part.parameters())
    if hasattr(part, "ia3_l"):
        return list(part.ia3_l.parameters())
    return [p for side in (part.lora_A, part.lora_B) for m in side.values() for p in (m.weight,)]


def _low_rank(part: Any) -> LowRank:
    """The sum of the active adapters of PEFT's layer, as one product."""
    active = [name for name in part.active_adapters if name in part.lora_A]
    if part.lora_variant or hasattr(part, "parameter_name") or not active:
        raise CannotAdapt(f"a {type(part).__name__} of this kind cannot be read beside other views")
    a = [part.lora_A[name].weight.data for name in active]
    b = [part.lora_B[name].weight.data * part.scaling[name] for name in active]
    return LowRank(torch.cat(a) if len(a) > 1 else a[0], torch.cat(b, 1) if len(b) > 1 else b[0])


def _gate(part: Any) -> Tensor:
    """The product of the active adapters' factors."""
    factors = [part.ia3_l[n].data.flatten() for n in part.active_adapters if n in part.ia3_l]
    return torch.stack(factors).prod(0)


def _by_itself(norm: nn.Module) -> nn.Module:
    """A layer norm with the parameters that it has now, whatever its place gets later."""
    own = copy.copy(norm)
    tables = {"_parameters": dict(norm._parameters)}
    hooks = {"_forward_hooks": OrderedDict(), "_forward_pre_hooks": OrderedDict()}  # type: ignore[var-annotated]
    own.__dict__.update(tables, **hooks)
    return own


class Blocks(NamedTuple):
    """The tokens of some views in blocks of one view each.

    `at` (blocks, width) are tokens of the pass, the last one again where a block is not full;
    `view` (blocks,) says whose they are; `here` are the places in the blocks, row after row, that
    are full, and `tokens` what stands there.
    """

    at: Tensor
    view: Tensor
    here: Tensor
    tokens: Tensor


class Slots:
    """Under which view each token of the pass that runs is read."""

    def __init__(self) -> None:
        self.view = torch.zeros(0, dtype=torch.long)
        self._views = self.view.numpy()
        self._blocks: dict[tuple[int, ...], Blocks | None] = {}

    def take(self, _: Any, args: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The hook before a model's pass: its ``slots`` are for us, not for the model."""
        if "slots" not in given:
            return args, given
        given = dict(given)
        slots = given.pop("slots")
        rows = slots[:, None] if slots.dim() == 1 else slots
        self.view = rows.expand(given["input_ids"].shape).reshape(-1)
        self._views = self.view.cpu().numpy()
        self._blocks = {}
        return args, given

    def blocks(self, views: tuple[int, ...]) -> Blocks | None:
        """The tokens that are read under one of `views`; None where there are none."""
        if views not in self._blocks:
            self._blocks[views] = self._made(views)
        return self._blocks[views]

    def _made(self, views: tuple[int, ...]) -> Blocks | None:
        tokens = [np.flatnonzero(self._views == view) for view in views]
        width = min(BLOCK, max(map(len, tokens)))
        if not width:
            return None
        at: list[NDArray[np.int64]] = []
        here: list[NDArray[np.int64]] = []
        whose: list[int] = []
        for index, own in enumerate(tokens):
            for start in range(0, len(own), width):
                block = own[start : start + width]
                here.append(len(at) * width + np.arange(len(block)))
                at.append(np.pad(block, (0, width - len(block)), mode="edge"))
                whose.append(index)
        arrays = (np.stack(at), np.array(whose), np.concatenate(here), np.concatenate(tokens))
        return Blocks(*(torch.from_numpy(array).to(self.view.device) for array in arrays))


@contextmanager
def side_by_side(module: Any, views: Sequence[Effects]) -> Iterator[None]:
    """Let passes of the bare `module` say by ``slots`` under which of `views` each token is read.

    As long as the block runs; then the hooks are gone.
    """
    slots = Slots()
    with ExitStack() as hooks:
        for model in {id(one): one for one in (module, module.base_model)}.values():
            handle = model.register_forward_pre_hook(slots.take, with_kwargs=True)
            hooks.callback(handle.remove)
        for kind, made in _HOOKS.items():
            for name, effects in _places([getattr(view, kind) for view in views]).items():
                part, hook = module.get_submodule(name), made(slots, effects, len(views))
                first = kind == "inputs"
                register = part.register_forward_pre_hook if first else part.register_forward_hook
                hooks.callback(register(hook).remove)
        yield


def by_itself(module: Any, prefix: CachedPrefix) -> Floats:
    """What a view that is mounted makes of a few tokens, read the usual way: for `agrees`."""
    return plain(module, _probe(module), prefix)


def agrees(module: Any, effects: Effects, alone: Floats) -> bool:
    """Whether the bare module, asked beside the base itself, answers as the mounted one did.

    It does not where a family of models cannot be read in packs, or an adapter does more than it
    seems to. The limit is that of `nshot.models.hf.score.agrees`.
    """
    if not holds(module):
        return False
    queries = _probe(module)
    prefixes = ViewPrefixes((NOTHING, effects.prefix))
    slots = [slot for slot in (0, 1) for _ in queries]
    try:
        with side_by_side(module, [Effects(), effects]):
            sums = Scorer(module, prefixes).score([*queries, *queries], slots)[len(queries) :]
    except Exception as error:  # whatever an unknown architecture makes of it
        log.warning("no views side by side on %s: %r", module.config.model_type, error)
        return False
    difference = float(np.abs(sums - alone).max())
    if difference > allowed(module.dtype):
        kind = module.config.model_type
        log.warning("a view beside others is off by %.2g on %s: not used", difference, kind)
        return False
    return True


def _probe(module: Any) -> list[Query]:
    """Two sequences of tokens from all over the vocabulary, with a common start."""
    size = int(module.config.get_text_config().vocab_size)
    tokens = tuple((7919 * k + 13) % size for k in range(10))
    return [Query(tokens[:8], 3), Query((*tokens[:5], *tokens[8:]), 3)]


def _places(views: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Any]]:
    """By module, what each view that does something there does."""
    places: dict[str, dict[int, Any]] = defaultdict(dict)
    for slot, effects in enumerate(views):
        for name, effect in effects.items():
            places[name][slot] = effect
    return places


def _low_rank_hook(slots: Slots, effects: Mapping[int, LowRank], _: int) -> Hook:
    """y + B A x of the token's own view."""
    views, rank = tuple(effects), max(len(one.a) for one in effects.values())
    a = torch.stack([_wide(one.a, rank, 0) for one in effects.values()]).mT
    b = torch.stack([_wide(one.b, rank, 1) for one in effects.values()]).mT

    def hook(_: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if (blocks := slots.blocks(views)) is None:
            return None
        x = _tokens(inputs[0])[blocks.at].to(a.dtype)
        return _added(output, blocks, torch.bmm(torch.bmm(x, a[blocks.view]), b[blocks.view]))

    return hook


def _narrow_hook(slots: Slots, effects: Mapping[int, Bottleneck], _: int) -> Hook:
    """y + W_up gelu(W_down y + b_down) + b_up of the token's own view."""
    views = tuple(effects)
    width = max(one.down.out_features for one in effects.values())
    down = torch.stack([_wide(one.down.weight.data, width, 0) for one in effects.values()]).mT
    middle = torch.stack([_wide(one.down.bias.data, width, 0) for one in effects.values()])
    up = torch.stack([_wide(one.up.weight.data, width, 1) for one in effects.values()]).mT
    last = torch.stack([one.up.bias.data for one in effects.values()])

    def hook(_: Any, __: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if (blocks := slots.blocks(views)) is None:
            return None
        at = blocks.view
        inner = torch.baddbmm(middle[at, None], _tokens(output)[blocks.at], down[at])
        more = torch.baddbmm(last[at, None], nn.functional.gelu(inner), up[at])
        return _added(output, blocks, more)

    return hook


def _factors(slots: Slots, effects: Mapping[int, Tensor], count: int) -> Callable[[Tensor], Tensor]:
    """x times the factors of each token's own view; once where it has none."""
    views, like = tuple(effects), next(iter(effects.values()))
    table = like.new_ones(count, len(like))
    for slot, factors in effects.items():
        table[slot] = factors

    def times(x: Tensor) -> Tensor:
        if slots.blocks(views) is None:
            return x
        return (x * table[slots.view].view(*x.shape)).to(x.dtype)

    return times


def _inputs_hook(slots: Slots, effects: Mapping[int, Tensor], count: int) -> Hook:
    """A matrix reads x times the factors of the token's own view."""
    times = _factors(slots, effects, count)
    return lambda _, inputs: (times(inputs[0]), *inputs[1:])


def _outputs_hook(slots: Slots, effects: Mapping[int, Tensor], count: int) -> Hook:
    """A matrix gives y times the factors of the token's own view."""
    times = _factors(slots, effects, count)
    return lambda _, __, output: times(output)


def _norms_hook(slots: Slots, effects: Mapping[int, nn.Module], _: int) -> Hook:
    """The layer norm of the token's own view in the place of the base's."""

    def hook(_: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        given, made = inputs[0].flatten(0, 1), output.flatten(0, 1)
        for slot, norm in effects.items():
            if (blocks := slots.blocks((slot,))) is not None:
                made[blocks.tokens] = norm(given[blocks.tokens])
        return made.view_as(output)

    return hook


_HOOKS: Mapping[str, Callable[[Slots, Mapping[int, Any], int], Hook]] = {
    "inputs": _inputs_hook,
    "low_rank": _low_rank_hook,
    "outputs": _outputs_hook,
    "narrow": _narrow_hook,
    "norms": _norms_hook,
}
"""Of each field of `Effects`, what makes its hook; that of ``inputs`` comes before the module."""


def _tokens(states: Tensor) -> Tensor:
    """(tokens, width) of (rows, length, width)."""
    return states.reshape(-1, states.shape[-1])


def _wide(weight: Tensor, size: int, dim: int) -> Tensor:
    """The weight with zeros behind it, up to `size` along a dimension."""
    missing = size - weight.shape[dim]
    if not missing:
        return weight
    shape = list(weight.shape)
    shape[dim] = missing
    return torch.cat([weight, weight.new_zeros(shape)], dim)


def _added(output: Tensor, blocks: Blocks, more: Tensor) -> Tensor:
    """`output` with what was worked out in blocks, at its tokens."""
    rows = _tokens(output)
    full = more.flatten(0, 1)[blocks.here].to(output.dtype)
    return rows.index_add(0, blocks.tokens, full).view_as(output)
