"""Columns of numbers: how they are written, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.core.numbers import has_decimal_commas, number, with_points
from nshot.core.types import Scale

_DISTINCT, _FRACTIONS = 20, 10
"""Different values, and different ones of which some are no whole numbers, that are no labels."""
_SPREAD = 3
"""Numbers of classes lie close together: the range of mere numbers is this often their count."""


def looks_like_numbers(texts: Sequence[str]) -> bool:
    """Many different numbers, that are not the numbers of classes."""
    values = {number(text) for text in as_points(sorted(set(texts)))}
    known = [value for value in values if value is not None]
    if len(known) < len(values) or len(known) <= _FRACTIONS:
        return False
    if any(value != round(value) for value in known):
        return True
    return len(known) > _DISTINCT and max(known) - min(known) > _SPREAD * len(known)


def as_points(texts: Sequence[str]) -> list[str]:
    """Of a column with decimal commas the texts with points; else as they are."""
    return [with_points(text) for text in texts] if has_decimal_commas(texts) else list(texts)


def scale_of(values: Sequence[float]) -> Scale:
    """Median, and mean absolute distance from it."""
    middle = float(np.median(values))
    return Scale(middle, float(np.abs(np.array(values) - middle).mean()))
