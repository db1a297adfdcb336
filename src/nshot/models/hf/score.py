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
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nshot.models.base import Floats, Tokens
from nshot.models.hf.cache import CachedPrefix, holds, masks, read, to_cache
from nshot.models.hf.tokens import Row, shared

PACK = 256
"""Tokens of a pack. From 128 to 1024 the speed is flat on a CPU."""
CHUNK = 1024
"""Tokens read at once where nothing branches."""
WORTH = 16
"""A common start of fewer tokens is read again with each pack: a pass of its own costs more."""
PADDED = 2048
"""Tokens of a padded batch of the plain way."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Query:
    """A sequence of tokens, of which those from `start` on are to be scored."""

    tokens: Tokens
    start: int


@dataclass(frozen=True)
class Pack:
    """Sequences `begin` to `end` of the sorted ones, behind their first `depth` tokens."""

    begin: int
    end: int
    depth: int


def score(module: Any, rows: Sequence[Row], prefix: CachedPrefix, packed: bool) -> list[Floats]:
    """Sum of log-probabilities (nats) of each answer of each row; equal ones are scored once."""
    queries: dict[Query, int] = {}
    where = [
        [
            queries.setdefault(Query(row.context + answer, len(row.context)), len(queries))
            for answer in row.answers
        ]
        for row in rows
    ]
    different = list(queries)
    sums = Scorer(module, prefix).score(different) if packed else plain(module, different, prefix)
    return [sums[indices] for indices in where]


class Scorer:
    """One pass over a tree of sequences. Holds the keys and values of the branch it is on."""

    def __init__(self, module: Any, prefix: CachedPrefix, pack: int = PACK) -> None:
        self._module = module
        self._soft = prefix.length
        self._held = prefix
        self._path: Tokens = ()
        self._pack = pack

    def score(self, queries: Sequence[Query]) -> Floats:
        """Sum of log-probabilities of the scored tokens of each sequence, float64."""
        tree = Tree(queries)
        sums = np.zeros(len(queries))
        with torch.no_grad():
            for pack in tree.plan(self._pack):
                self._hold(tree.fed[pack.begin][: pack.depth])
                owner, logprobs = self._read(tree, pack)
                np.add.at(sums, owner, logprobs)
        return sums

    def _hold(self, path: Tokens) -> None:
        """Move to another branch: drop what is not on it, read what is missing."""
        common = shared(self._path, path)
        if common < len(self._path):
            keep = self._soft + common
            self._held = CachedPrefix(
                tuple((k[..., :keep, :], v[..., :keep, :]) for k, v in self._held.layers if keep)
            )
        self._held = read(self._module, path[common:], self._held, CHUNK)
        self._path = path

    def _read(self, tree: Tree, pack: Pack) -> tuple[NDArray[np.int64], Floats]:
        """(index into `queries`, log-probability) of every token scored in a pack."""
        branch = tree.branch(pack)
        held, device = self._held.length, self._module.device
        count = len(branch.tokens)
        depth = torch.tensor(branch.depth, device=device) + self._soft
        seen = torch.ones(count, held + count, dtype=torch.bool, device=device)
        seen[:, held:] = torch.from_numpy(branch.seen).to(device)
        at = torch.cat([torch.arange(held, device=device), depth])
        nodes, which = np.unique(branch.node, return_inverse=True)
        logits = self._module(
            input_ids=torch.tensor([branch.tokens], device=device),
            attention_mask=masks(self._module.config, seen, at, self._module.dtype),
            position_ids=depth[None],
            past_key_values=to_cache(self._held.layers),
            use_cache=True,
            logits_to_keep=torch.from_numpy(nodes).to(device),
        ).logits[0]
        return branch.owner, _picked(logits, which, branch.target)


def _picked(logits: torch.Tensor, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> Floats:
    """log softmax of `logits` (positions, vocabulary) at (row, target) pairs, float64."""
    logits = logits.float()
    index = torch.from_numpy(rows).to(logits.device)
    target = torch.from_numpy(targets).to(logits.device)
    picked = logits[index, target].double() - logits.logsumexp(-1).double()[index]
    out: Floats = picked.cpu().numpy()
    return out


@dataclass(frozen=True)
class Branch:
    """The tokens of a pack as a tree: `seen[i, j]` says that j is i or an ancestor of i.

    `node`, `target` and `owner` are parallel: at this node, score this token, for this sequence.
    """

    tokens: list[int]
    depth: list[int]
    seen: NDArray[np.bool_]
    node: NDArray[np.int64]
    target: NDArray[np.int64]
    owner: NDArray[np.int64]


class Tree:
    """Sequences sorted by their tokens, so that those with a common start lie side by side.

    `fed` are the distinct sequences that a model must read: all but the last token of each.
    """

    def __init__(self, queries: Sequence[Query]) -> None:
        scored = [i for i, a in enumerate(queries) if a.start < len(a.tokens)]
        users: dict[Tokens, list[int]] = {}
        for i in scored:
            users.setdefault(queries[i].tokens[:-1], []).append(i)
        self._queries = queries
        self.fed = sorted(users)
        self._users = [users[fed] for fed in self.fed]
        self._first = np.array([min(queries[i].start for i in u) for u in self._users], int)
        near = [shared(a, b) for a, b in pairwise(self.fed)]
        self._near = np.array([0, *near][: len(self.fed)], int)
        self._new = np.cumsum([len(f) for f in self.fed] - self._near)

    def size(self, begin: int, end: int, depth: int) -> int:
        """Nodes of sequences `begin` to `end` below their common first `depth` tokens."""
        return int(self._new[end - 1] - self._new[begin]) + len(self.fed[begin]) - depth

    def plan(self, budget: int) -> list[Pack]:
        """Cut the tree into packs of at most `budget` tokens, unless one sequence is longer.

        Branches that fit stay whole; a common start that is `WORTH` it is held for its packs.
        """
        packs: list[Pack] = []
        todo = [(0, len(self.fed), 0)] if self.fed else []
        while todo:
            begin, end, depth = todo.pop()
            last = packs[-1] if packs else None
            # What is held must be the same: as much of another branch is something else.
            together = last is not None and last.depth == depth <= self._near[begin]
            if last and together and self.size(last.begin, end, depth) <= budget:
                packs[-1] = Pack(last.begin, end, depth)
            elif self.size(begin, end, depth) <= budget:
                packs.append(Pack(begin, end, depth))
            elif end - begin == 1:
                packs.append(Pack(begin, end, self._hold(begin, end, depth, CHUNK)))
            else:
                hold = self._hold(begin, end, depth, WORTH)
                todo += [(b, e, hold) for b, e in reversed(self._children(begin, end))]
        return packs

    def _hold(self, begin: int, end: int, depth: int, worth: int) -> int:
        """How much of the common start to hold: nothing that is scored from, or not `worth` it."""
        common = self._common(begin, end)
        hold = min(common, int(self._first[begin:end].min()) - 1)
        return hold if hold - depth >= worth else depth

    def _common(self, begin: int, end: int) -> int:
        rest = self._near[begin + 1 : end]
        return int(rest.min()) if len(rest) else len(self.fed[begin])

    def _children(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Ranges of sequences that take different ways where their common start ends."""
        cuts = begin + 1 + np.flatnonzero(self._near[begin + 1 : end] == self._common(begin, end))
        edges = [begin, *cuts.tolist(), end]
        return list(pairwise(edges))

    def branch(self, pack: Pack) -> Branch:
        """The tree of a pack's sequences below their first ``pack.depth`` tokens."""
        count = self.size(pack.begin, pack.end, pack.depth)
        seen = np.eye(count, dtype=bool)
        tokens: list[int] = []
        depths: list[int] = []
        path: list[int] = []
        scored: list[tuple[int, int, int]] = []
        for index in range(pack.begin, pack.end):
            fed = self.fed[index]
            path = path[: self._near[index] - pack.depth] if index > pack.begin else []
            for at in range(pack.depth + len(path), len(fed)):
                if path:
                    seen[len(tokens)] |= seen[path[-1]]
                path.append(len(tokens))
                tokens.append(fed[at])
                depths.append(at)
            scored += self._scored(index, path, pack.depth)
        node, target, owner = np.array(scored, int).reshape(-1, 3).T
        return Branch(tokens, depths, seen, node, target, owner)

    def _scored(self, index: int, path: Sequence[int], depth: int) -> list[tuple[int, int, int]]:
        """(node, target, index into `queries`) of each token scored along one sequence."""
        return [
            (path[at - 1 - depth], self._queries[user].tokens[at], user)
            for user in self._users[index]
            for at in range(self._queries[user].start, len(self._queries[user].tokens))
        ]


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
    if prefix.length:
        soft = torch.ones(len(sequences), prefix.length, dtype=torch.long, device=module.device)
        given["attention_mask"] = torch.cat([soft, mask], 1)
        given["past_key_values"] = to_cache(prefix.layers, len(sequences))
        given["use_cache"] = True
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
    roundoff = torch.finfo(module.dtype).eps / torch.finfo(torch.float32).eps
    difference = float(np.abs(expected - sums).max(initial=0.0))
    if difference > 1e-3 * roundoff**0.5:
        kind = module.config.model_type
        log.warning("packed scoring is off by %.2g on %s: not used", difference, kind)
        return False
    return True


def _shortened(rows: Sequence[Row]) -> list[Query]:
    start = rows[0].context[: WORTH + 1]
    queries = []
    for row in rows[:3]:
        for answer in row.answers[:2]:
            context = start + row.context[-WORTH:]
            queries.append(Query(context + answer[:WORTH], len(context)))
    return list(dict.fromkeys(queries))
