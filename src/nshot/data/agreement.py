"""How far do those who gave the labels agree, beyond chance?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def krippendorff_alpha(units: Iterable[Sequence[Hashable | None]]) -> float | None:
    """Krippendorff's alpha of nominal values: 1 is agreement, 0 is chance, below it is worse.

    Args:
        units: for each row the values that its annotators gave, in any order; None, or a shorter
            row, where one gave none. Rows with fewer than two values say nothing and do not count.

    Returns:
        ``1 - observed / expected`` disagreement (Krippendorff 2011, "Computing Krippendorff's
        Alpha-Reliability", section C); None where that is no number: no row has two values, or
        all values are the same.
    """
    observed, totals = 0.0, Counter[Hashable]()
    for unit in units:
        counts = Counter(value for value in unit if value is not None)
        size = counts.total()
        if size < 2:
            continue
        totals += counts
        observed += _different_pairs(counts) / (size - 1)
    size = totals.total()
    expected = _different_pairs(totals) / (size - 1) if size else 0.0
    return 1 - observed / expected if expected else None


def _different_pairs(counts: Counter[Hashable]) -> int:
    """Ordered pairs of two different values."""
    size = counts.total()
    return sum(count * (size - count) for count in counts.values())
