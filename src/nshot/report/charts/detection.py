"""Yes or no: what each threshold of the probability finds, and what it takes for it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import Box, Spot, line, polyline, svg, text
from nshot.report.charts.scales import axis, percent, score_grid

Points = Sequence[tuple[float, float]]


def roc(points: Points, title: str, width: int = 300, height: int = 290) -> Markup:
    """Positive rows found over other rows taken for them; the dashed line is chance."""
    words = "of the other rows, %", "of the positive rows, %"
    return _square(points, title, words, width, height, chance=True)


def precision_recall(points: Points, title: str, width: int = 300, height: int = 290) -> Markup:
    """How much of what is found is right, over how much of the positive rows is found."""
    return _square(points, title, ("recall, %", "precision, %"), width, height)


def _square(
    points: Points,
    title: str,
    words: tuple[str, str],
    width: int,
    height: int,
    chance: bool = False,
) -> Markup:
    """A line in a square whose sides are shares."""
    area: Box = (34, 14, width - 10, height - 40)
    scale = axis([0.0, 1.0])
    body = score_grid(scale, area)
    for tick in scale.ticks:
        x = scale.place(tick, area[0], area[2])
        body.append(text("c-tick", x, area[3] + 16, percent(tick), "middle"))
    body.append(text("c-title", area[2], height - 4, words[0], "end"))
    body.append(text("c-title", area[0], 8, words[1], "start"))
    if chance:
        body.append(line("c-frontier", area[0], area[3], area[2], area[1]))
    spots: list[Spot] = [
        (scale.place(x, area[0], area[2]), scale.place(y, area[3], area[1])) for x, y in points
    ]
    body.append(polyline("c-run.c-pick", spots))
    return svg(width, height, title, body, "detection")
