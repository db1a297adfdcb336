"""Rows that are nearly the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.data.same import fold

LIKE = 0.8
"""Share of the pieces of either text that both have, from which rows are near-duplicates."""
MOST = 6_000
"""Texts that are compared with each other at most."""
_PIECE, _BLOCK = 5, 500


def near_copies(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """(first, second, likeness) of the pairs that are alike by `like` or more, the likest first.

    Likeness is Jaccard's: of all pieces of five letters in either text, after folding
    (`data.same`), the share that both have (Broder 1997,
    https://doi.org/10.1109/SEQUEN.1997.666900).
    """
    from sklearn.feature_extraction.text import CountVectorizer

    plain = [fold(text) for text in texts[:MOST]]
    counter = CountVectorizer(
        analyzer="char", ngram_range=(_PIECE, _PIECE), binary=True, dtype=np.float32
    )
    try:
        pieces = counter.fit_transform(plain)
    except ValueError:  # no text has five letters
        return []
    sizes = np.asarray(pieces.sum(axis=1)).ravel()
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, len(plain), _BLOCK):
        both = (pieces[start : start + _BLOCK] @ pieces.T).tocoo()
        first, second = both.row + start, both.col
        likeness = both.data / (sizes[first] + sizes[second] - both.data)
        kept = (first < second) & (likeness >= LIKE)
        pairs += zip(first[kept], second[kept], likeness[kept], strict=True)
    return sorted(((int(i), int(j), float(x)) for i, j, x in pairs), key=lambda p: (-p[2], p[:2]))
