"""Intervals of a share."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def exact_interval(hits: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `rows` were seen; (0, 1) without rows.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 1934,
    https://doi.org/10.1093/biomet/26.4.404.
    """
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, rows - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, rows - hits)) if hits < rows else 1.0
    return low, high


def wilson(share: float, rows: float) -> tuple[float, float]:
    """The 95 % interval of a share of `rows`, which may be as many as others are worth.

    Wilson 1927, https://doi.org/10.2307/2276774. (0, 1) without rows.
    """
    if not rows:
        return 0.0, 1.0
    middle = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    reach = Z * sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2)) / (1 + Z**2 / rows)
    return max(0.0, middle - reach), min(1.0, middle + reach)
