"""Label scoring: the log-likelihood of every answer to every prompt, without reading twice.

All prompts with all their answers form one tree of tokens. What many rows begin with is read once
and kept as keys and values; the rest is cut into packs, each one sequence without padding in which
a 4-D mask lets a token see its own ancestors in the tree and nothing else. The vocabulary
projection, more than a quarter of a small model's work, is done only where a token is scored.

`plain` is the same thing done the usual way: right-padded batches of whole sequences. It answers
for architectures on which the packed way was seen to differ.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.models.base import Floats, Tokens
from nshot.models.hf.cache import (
    CachedPrefix,
    Prefixes,
    from_cache,
    holds,
    joined,
    masks,
    to_cache,
)
from nshot.models.hf.tokens import Row, shared
from nshot.models.hf.tree import CHUNK, WORTH, Pack, Query, Tree

PACK = 256
"""Tokens of a pack. From 128 to 1024 the speed is flat on a CPU."""
PADDED = 2048
"""Tokens of a padded batch of the plain way."""

log = logging.getLogger(__name__)


def score(
    module: Any,
    rows: Sequence[Row],
    prefix: Prefixes,
    packed: bool,
    slots: Sequence[int] | None = None,
) -> list[Floats]:
    """Sum of log-probabilities (nats) of each answer of each row; equal ones are scored once.

    `slots` is the view that each row is read under (`nshot.models.hf.side_by_side`), which only the
    packed way can do; None: there is one.
    """
    queries: dict[tuple[int, Query], int] = {}
    where = [
        [
            queries.setdefault((slot, Query(row.context + answer, len(row.context))), len(queries))
            for answer in row.answers
        ]
        for row, slot in zip(rows, slots or [0] * len(rows), strict=True)
    ]
    different = [query for _, query in queries]
    if packed:
        views = None if slots is None else [slot for slot, _ in queries]
        sums = Scorer(module, prefix).score(different, views)
    else:
        sums = plain(module, different, prefix.of(0))
    return [sums[indices] for indices in where]


@dataclass
class Reading:
    """How far the scoring of one view is: the packs to read, the keys and values of its branch.

    `indices` are those of its queries among all.
    """

    slot: int
    indices: NDArray[np.int64]
    tree: Tree
    packs: list[Pack]
    held: CachedPrefix
    soft: int
    path: Tokens = ()

    def leave(self, path: Tokens) -> Tokens:
        """Drop what is not on the way to another branch; what of it is not held yet."""
        common = shared(self.path, path)
        if common < len(self.path):
            keep = self.soft + common
            self.held = CachedPrefix(
                tuple((k[..., :keep, :], v[..., :keep, :]) for k, v in self.held.layers if keep)
            )
        self.path = path[:common]
        return path[common:]


class Part(NamedTuple):
    """Tokens of one view in a pass: where each stands, and which of them it sees."""

    view: Reading
    tokens: Sequence[int]
    depth: Sequence[int]
    seen: NDArray[np.bool_]


class Scorer:
    """One pass over a tree of sequences, or over one tree for each of several views.

    Tokens of several views share a pass, and see nothing of each other.
    """

    def __init__(self, module: Any, prefix: Prefixes, pack: int = PACK) -> None:
        self._module = module
        self._prefix = prefix
        self._pack = pack

    def score(self, queries: Sequence[Query], slots: Sequence[int] | None = None) -> Floats:
        """Sum of log-probabilities of the scored tokens of each sequence, float64."""
        sums = np.zeros(len(queries))
        views = self._views(queries, slots or [0] * len(queries))
        with torch.no_grad():
            while any(view.packs for view in views):
                chosen = [(view, view.packs.pop()) for view in self._next(views)]
                self._hold(chosen, slots is not None)
                owner, logprobs = self._read(chosen, slots is not None)
                np.add.at(sums, owner, logprobs)
        return sums

    def _views(self, queries: Sequence[Query], slots: Sequence[int]) -> list[Reading]:
        """A tree for each view."""
        views = []
        for slot in sorted(set(slots)):
            indices = [i for i, one in enumerate(slots) if one == slot]
            tree, before = Tree([queries[i] for i in indices]), self._prefix.of(slot)
            packs = tree.plan(self._pack)[::-1]
            views.append(Reading(slot, np.array(indices), tree, packs, before, before.length))
        return views

    def _next(self, views: Sequence[Reading]) -> list[Reading]:
        """Views whose next packs make one: the first that has one, and those that still fit."""
        chosen: list[Reading] = []
        room = self._pack
        for view in views:
            if not view.packs:
                continue
            pack = view.packs[-1]
            size = view.tree.size(pack.begin, pack.end, pack.depth)
            if not chosen or size <= room:
                chosen.append(view)
                room -= size
        return chosen

    def _hold(self, chosen: Sequence[tuple[Reading, Pack]], slotted: bool) -> None:
        """Move to other branches: drop what is not on them, read what is missing."""
        missing = [
            (view, view.leave(view.tree.fed[pack.begin][: pack.depth])) for view, pack in chosen
        ]
        while missing := [(view, path) for view, path in missing if path]:
            parts, room = [], CHUNK
            for view, path in missing:
                if some := path[:room]:
                    first = view.soft + len(view.path)
                    depth = range(first, first + len(some))
                    parts.append(Part(view, some, depth, np.tri(len(some), dtype=bool)))
                    room -= len(some)
            _grow(parts, self._pass(parts, 1, slotted).past_key_values)
            done = {id(part.view): len(part.tokens) for part in parts}
            missing = [(view, path[done.get(id(view), 0) :]) for view, path in missing]

    def _read(
        self, chosen: Sequence[tuple[Reading, Pack]], slotted: bool
    ) -> tuple[NDArray[np.int64], Floats]:
        """(index into the queries, log-probability) of every token scored in packs."""
        branches = [(view, view.tree.branch(pack)) for view, pack in chosen]
        starts = np.cumsum([0, *(len(branch.tokens) for _, branch in branches)])
        parts = [
            Part(view, b.tokens, [at + view.soft for at in b.depth], b.seen) for view, b in branches
        ]
        node = np.concatenate([b.node + at for (_, b), at in zip(branches, starts, strict=False)])
        nodes, which = np.unique(node, return_inverse=True)
        keep = torch.from_numpy(nodes).to(self._module.device)
        logits = self._pass(parts, keep, slotted).logits[0]
        target = np.concatenate([branch.target for _, branch in branches])
        owner = np.concatenate([view.indices[branch.owner] for view, branch in branches])
        return owner, _picked(logits, which, target)

    def _pass(self, parts: Sequence[Part], keep: torch.Tensor | int, slotted: bool) -> Any:
        """One forward pass over the parts, each behind what its view holds."""
        device = self._module.device
        held = [part.view.held for part in parts]
        behind, count = sum(one.length for one in held), sum(len(part.tokens) for part in parts)
        seen = np.zeros((count, behind + count), dtype=bool)
        row = column = 0
        for part in parts:
            end, keys = row + len(part.tokens), column + part.view.held.length
            seen[row:end, column:keys] = True
            seen[row:end, behind + row : behind + end] = part.seen
            row, column = end, keys
        depth = torch.tensor([at for part in parts for at in part.depth], device=device)
        at = torch.cat([*(torch.arange(one.length, device=device) for one in held), depth])
        view = [part.view.slot for part in parts for _ in part.tokens]
        per_token = {"slots": torch.tensor([view], device=device)} if slotted else {}
        return self._module(
            input_ids=torch.tensor([[t for part in parts for t in part.tokens]], device=device),
            attention_mask=masks(
                self._module.config, torch.from_numpy(seen).to(device), at, self._module.dtype
            ),
            position_ids=depth[None],
            past_key_values=to_cache(joined(held).layers),
            use_cache=True,
            logits_to_keep=keep,
            **per_token,
        )


def _grow(parts: Sequence[Part], cache: Any) -> None:
    """Let each view hold the tokens that it read in a pass, whose cache this is."""
    lengths = [part.view.held.length for part in parts]
    starts = np.cumsum([0, *lengths, *(len(part.tokens) for part in parts)])
    whole = from_cache(cache, int(starts[-1]))
    for i, part in enumerate(parts):
        ranges = [slice(starts[k], starts[k + 1]) for k in (i, i + len(parts))]
        part.view.held = CachedPrefix(
            whole if len(parts) == 1 else tuple(_pieces(layer, ranges) for layer in whole)
        )
        part.view.path += tuple(part.tokens)


def _pieces(
    layer: tuple[torch.Tensor, torch.Tensor], ranges: Sequence[slice]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Some positions of a layer's keys and values."""
    keys, values = (torch.cat([side[..., some, :] for some in ranges], -2) for side in layer)
    return keys, values


def _picked(logits: torch.Tensor, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> Floats:
    """log softmax of `logits` (positions, vocabulary) at (row, target) pairs, float64."""
    logits = logits.float()
    index = torch.from_numpy(rows).to(logits.device)
    target = torch.from_numpy(targets).to(logits.device)
    picked = logits[index, target].double() - logits.logsumexp(-1).double()[index]
    out: Floats = picked.cpu().numpy()
    return out


def plain(module: Any, queries: Sequence[Query], prefix: CachedPrefix) -> Floats:
    """Sum of log-probabilities of each sequence, from whole sequences in right-padded batches."""
    sums = np.zeros(len(queries))
    order = sorted(range(len(queries)), key=lambda i: len(queries[i].tokens))
    with torch.no_grad():
        for batch in batches([len(queries[i].tokens) for i in order], PADDED):
            where = [order[i] for i in batch]
            sums[where] = _plain(module, [queries[i] for i in where], prefix)
    return sums


def batches(lengths: Sequence[int], budget: int) -> list[range]:
    """Runs of ascending `lengths` that take at most `budget` tokens when padded."""
    out: list[range] = []
    begin = 0
    for end, length in enumerate(lengths):
        if end > begin and (end - begin + 1) * length > budget:
            out.append(range(begin, end))
            begin = end
    return [*out, range(begin, len(lengths))] if lengths else out


def padded(
    module: Any, sequences: Sequence[Tokens], prefix: CachedPrefix
) -> tuple[dict[str, Any], torch.Tensor]:
    """Arguments of a forward pass over right-padded sequences, and their 0/1 mask."""
    width = max(map(len, sequences))
    ids = torch.zeros(len(sequences), width, dtype=torch.long)
    mask = torch.zeros(len(sequences), width, dtype=torch.long)
    for i, tokens in enumerate(sequences):
        ids[i, : len(tokens)] = torch.tensor(tokens)
        mask[i, : len(tokens)] = 1
    ids, mask = ids.to(module.device), mask.to(module.device)
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    soft = prefix.seen(len(sequences)).to(module.device)
    if prefix.length:
        given["attention_mask"] = torch.cat([soft, mask], 1)
        given["past_key_values"] = to_cache(prefix.layers, len(sequences))
        given["use_cache"] = True
    if per_row := {name: value.to(module.device) for name, value in prefix.per_row.items()}:
        at = torch.arange(width, device=module.device)
        given |= {**per_row, "position_ids": soft.sum(1, keepdim=True) + at}
    return given, mask


def _plain(module: Any, batch: Sequence[Query], prefix: CachedPrefix) -> Floats:
    given, _ = padded(module, [a.tokens for a in batch], prefix)
    first = min(a.start for a in batch) - 1
    keep = torch.arange(first, given["input_ids"].shape[1], device=module.device)
    logits = module(**given, logits_to_keep=keep).logits
    sums = np.zeros(len(batch))
    for i, a in enumerate(batch):
        at = np.arange(a.start, len(a.tokens))
        sums[i] = _picked(logits[i], at - 1 - first, np.array(a.tokens, int)[at]).sum()
    return sums


def agrees(module: Any, rows: Sequence[Row], prefix: CachedPrefix) -> bool:
    """Whether the packed way gives the plain way's scores on (up to) three rows, cut short.

    The rows get a common start, so that holding a branch is tried too. The limit is 1e-3 nats in
    float32, and wider by the square root of the unit roundoff in shorter formats.
    """
    if not holds(module):
        return False
    queries = _shortened(rows)
    expected = plain(module, queries, prefix)
    try:
        sums = Scorer(module, prefix, pack=2 * WORTH).score(queries)
    except Exception as error:  # whatever an unknown architecture makes of a 4-D mask
        log.warning("packed scoring does not run on %s: %r", module.config.model_type, error)
        return False
    difference = float(np.abs(expected - sums).max(initial=0.0))
    if difference > allowed(module.dtype):
        kind = module.config.model_type
        log.warning("packed scoring is off by %.2g on %s: not used", difference, kind)
        return False
    return True


def allowed(dtype: torch.dtype) -> float:
    """How far (nats) two ways to read a short row may differ; see `agrees`."""
    roundoff = torch.finfo(dtype).eps / torch.finfo(torch.float32).eps
    return float(1e-3 * roundoff**0.5)


def _shortened(rows: Sequence[Row]) -> list[Query]:
    start = rows[0].context[: WORTH + 1]
    queries = []
    for row in rows[:3]:
        for answer in row.answers[:2]:
            context = start + row.context[-WORTH:]
            queries.append(Query(context + answer[:WORTH], len(context)))
    return list(dict.fromkeys(queries))
