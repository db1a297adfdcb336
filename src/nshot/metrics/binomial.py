"""The exact interval of a share."""

from __future__ import annotations


def exact_interval(hits: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `rows` were seen; (0, 1) without rows.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 1934,
    https://doi.org/10.1093/biomet/26.4.404.
    """
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, rows - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, rows - hits)) if hits < rows else 1.0
    return low, high
