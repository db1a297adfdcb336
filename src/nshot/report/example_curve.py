"""The drawing of a score over how many examples a prompt shows."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.board.example_curve import CurvePoint
from nshot.report import charts


def drawing(points: Sequence[CurvePoint], task: str) -> str:
    """An SVG file: the mean of the draws, and a band from the lowest to the highest of them."""
    series = charts.Series(
        f"{task}: score over examples",
        "could",
        tuple((one.shown, one.score, min(one.scores), max(one.scores)) for one in points),
    )
    scale = charts.curves_axis([series])
    return charts.standalone(charts.curve_panel(series, [], scale, 420, 260))
