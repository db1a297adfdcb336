"""Keys and values that stand before what is asked: soft prompts, and tokens read once for many."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from nshot.core.errors import CannotAdapt
from nshot.models.base import PrefixState

Layers: TypeAlias = tuple[tuple[torch.Tensor, torch.Tensor], ...]
"""Keys and values of each layer, (batch, heads, positions, width of a head)."""


@dataclass(frozen=True)
class CachedPrefix:
    """The `PrefixState` of transformers models: keys and values at positions 0, 1, ..."""

    layers: Layers

    @property
    def length(self) -> int:
        """Number of positions."""
        return int(self.layers[0][0].shape[-2]) if self.layers else 0

    @property
    def per_row(self) -> dict[str, torch.Tensor]:
        """Arguments of a pass that say something of each row: none, all stand behind the same."""
        return {}

    def first(self, length: int) -> CachedPrefix:
        """Its first positions."""
        return CachedPrefix(tuple((k[..., :length, :], v[..., :length, :]) for k, v in self.layers))

    def of(self, slot: int) -> CachedPrefix:
        """What stands before rows of a view: there is one."""
        return self

    def before(self, slots: Sequence[int]) -> CachedPrefix:
        """What stands before rows that are read under the views `slots`."""
        return self

    def seen(self, rows: int) -> torch.Tensor:
        """(rows, positions) 1 where something stands."""
        return torch.ones(rows, self.length, dtype=torch.long)


NOTHING = CachedPrefix(())


@dataclass(frozen=True)
class RowPrefixes(CachedPrefix):
    """What stands before each of several rows, the shorter ones padded on the left.

    `layers` are of as many rows; `mask` (rows, positions) is 1 where something stands, `slots`
    (rows,) is the view under which each row is read.
    """

    mask: torch.Tensor
    slots: torch.Tensor

    @property
    def per_row(self) -> dict[str, torch.Tensor]:
        """See `nshot.models.hf.side_by_side.Slots`."""
        return {"slots": self.slots}

    def seen(self, rows: int) -> torch.Tensor:
        """(rows, positions) 1 where something stands."""
        return self.mask


@dataclass(frozen=True)
class ViewPrefixes:
    """The prefix of each of several views, by slot."""

    views: tuple[CachedPrefix, ...]

    @property
    def length(self) -> int:
        """Positions of the longest."""
        return max(view.length for view in self.views)

    def of(self, slot: int) -> CachedPrefix:
        """What stands before rows of a view."""
        return self.views[slot]

    def before(self, slots: Sequence[int]) -> CachedPrefix:
        """What stands before rows that are read under the views `slots`."""
        here = [self.views[slot] for slot in slots]
        most = max((one.length for one in here), default=0)
        mask = torch.zeros(len(here), most, dtype=torch.long)
        for row, one in enumerate(here):
            mask[row, most - one.length :] = 1
        whole = next((one for one in here if one.length), NOTHING)
        layers = tuple(
            (
                _padded([one.layers for one in here], at, 0, most, keys),
                _padded([one.layers for one in here], at, 1, most, values),
            )
            for at, (keys, values) in enumerate(whole.layers)
        )
        return RowPrefixes(layers, mask, torch.tensor(slots, dtype=torch.long))


Prefixes: TypeAlias = CachedPrefix | ViewPrefixes
"""What stands before rows: before all of them the same, or before each what its view has."""


def _padded(
    prefixes: Sequence[Layers], layer: int, side: int, length: int, like: torch.Tensor
) -> torch.Tensor:
    """(rows, heads, length, width) of one layer, zeros before the shorter ones."""
    _, heads, _, width = like.shape
    out = like.new_zeros(len(prefixes), heads, length, width)
    for row, layers in enumerate(prefixes):
        if layers:
            states = layers[layer][side]
            out[row, :, length - states.shape[-2] :] = states[0]
    return out


def as_prefix(given: PrefixState | None) -> CachedPrefix:
    """What stands before; raises `CannotAdapt` for the prefix of another engine."""
    if given is None:
        return NOTHING
    if not isinstance(given, CachedPrefix):
        raise CannotAdapt(f"a {type(given).__name__} cannot stand before this model's prompts")
    return given


def to_cache(layers: Layers, batch: int = 1) -> Any:
    """A transformers cache that begins with `layers` (of batch 1), and is free to grow."""
    from transformers import DynamicCache

    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        shape = (batch, -1, -1, -1)
        cache.update(keys.expand(shape), values.expand(shape), index)
    return cache


def joined(prefixes: Sequence[CachedPrefix]) -> CachedPrefix:
    """Several prefixes, one position after the other: which is seen is for a mask to say."""
    some = [one.layers for one in prefixes if one.length]
    if len(some) < 2:
        return CachedPrefix(some[0] if some else ())
    return CachedPrefix(
        tuple(
            (torch.cat([k for k, _ in layer], -2), torch.cat([v for _, v in layer], -2))
            for layer in zip(*some, strict=True)
        )
    )


def from_cache(cache: Any, length: int) -> Layers:
    """The first `length` positions of a transformers cache."""
    return tuple((x.keys[..., :length, :], x.values[..., :length, :]) for x in cache.layers)


def kinds(config: Any) -> frozenset[str]:
    """The kinds of attention in a model: ``full_attention``, ``sliding_attention``, others."""
    text = config.get_text_config()
    if types := getattr(text, "layer_types", None):
        return frozenset(types)
    window = getattr(text, "sliding_window", None)
    return frozenset({"sliding_attention" if window else "full_attention"})


def holds(module: Any) -> bool:
    """Whether all that a model remembers are keys and values, in kinds of attention known here."""
    takes = inspect.signature(module.forward).parameters
    known = kinds(module.config) <= {"full_attention", "sliding_attention"}
    return known and "past_key_values" in takes


def masks(config: Any, seen: torch.Tensor, at: torch.Tensor, dtype: torch.dtype) -> Any:
    """The 4-D attention masks of a forward pass, in the form that the model takes.

    `seen` (queries, keys) says which key each query may look at, `at` (keys) the position of each
    key; the queries are the last keys. Returns (1, 1, queries, keys), 0 where a query may look, or
    one such mask by kind of attention: sliding layers look no further back than their window.
    """
    present = kinds(config)
    given = {"full_attention": _additive(seen, dtype)}
    if "sliding_attention" in present:
        window = config.get_text_config().sliding_window
        back = at[-len(seen) :, None] - at[None, :]
        given["sliding_attention"] = _additive(seen & (back < window), dtype)
    result = {kind: given[kind] for kind in sorted(present)}
    return result if len(result) > 1 else next(iter(result.values()))


def _additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[None, None]


def read(
    module: Any, tokens: Sequence[int], before: CachedPrefix, chunk: int, **given: Any
) -> CachedPrefix:
    """The prefix that stands after `tokens` have been read behind `before`, `chunk` at a time.

    `given` are further arguments of the passes: ``slots``, where there are views.
    """
    for start in range(0, len(tokens), chunk):
        before = _read(module, tokens[start : start + chunk], before, given)
    return before


def _read(
    module: Any, tokens: Sequence[int], before: CachedPrefix, given: Mapping[str, Any]
) -> CachedPrefix:
    total = before.length + len(tokens)
    at = torch.arange(total, device=module.device)
    seen = at[None, :] <= at[before.length :, None]
    cache = to_cache(before.layers)
    module(
        input_ids=torch.tensor([tokens], device=module.device),
        attention_mask=masks(module.config, seen, at, module.dtype),
        position_ids=at[None, before.length :],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **given,
    )
    return CachedPrefix(from_cache(cache, total))
