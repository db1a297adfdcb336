"""How like texts are, by the runs of three characters that they share; no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.data.same import fold

MOST = 400
"""Texts that are compared with one another, evenly spaced: all pairs take a second."""


def some(texts: Sequence[str]) -> list[int]:
    """Places of at most `MOST` texts, evenly spaced."""
    return list(range(0, len(texts), -(-len(texts) // MOST) or 1))


def jaccard(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float32]:
    """(first, second) shares of runs of three characters that two texts have in common, 0 to 1."""
    ours, theirs = ([set(_runs(text)) for text in texts] for texts in (first, second))
    numbers = {run: at for at, run in enumerate(sorted(set().union(*ours, *theirs)))}
    rows = [np.zeros((len(sets), len(numbers)), np.float32) for sets in (ours, theirs)]
    for matrix, sets in zip(rows, (ours, theirs), strict=True):
        for at, runs in enumerate(sets):
            matrix[at, [numbers[run] for run in runs]] = 1
    both = rows[0] @ rows[1].T
    either = rows[0].sum(1)[:, None] + rows[1].sum(1)[None] - both
    return np.asarray(both / np.maximum(either, 1), dtype=np.float32)


def openings(texts: Sequence[str], words: int = 2) -> Counter[str]:
    """How many texts begin with each run of words."""
    return Counter(
        " ".join(fold(text).split()[:words]) for text in texts if len(text.split()) > words
    )


def _runs(text: str) -> Iterator[str]:
    plain = f" {fold(text)} "
    return (plain[at : at + 3] for at in range(max(1, len(plain) - 2)))
