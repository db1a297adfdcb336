"""Token sequences to score as one tree: what several begin with stands in it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nshot.models.base import Tokens
from nshot.models.hf.tokens import shared

CHUNK = 1024
"""Tokens read at once where nothing branches."""
WORTH = 16
"""A common start of fewer tokens is read again with each pack: a pass of its own costs more."""


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
