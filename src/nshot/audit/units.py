"""In which unit a figure, or a difference of two, is told."""

from __future__ import annotations

import math

from nshot.audit.contract import Unit
from nshot.audit.estimates import Figure


def unit_of(figure: Figure, difference: bool = False) -> Unit:
    """``number`` where there is no highest value; ``points`` of a difference or a signed figure."""
    if math.isinf(figure.high):
        return "number"
    return "points" if difference or figure.low < 0 else "share"
