"""Whether probabilities come true: how often answers were right over how probable they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nshot.report.charts.draw import Box, line, shape, svg, text
from nshot.report.charts.scales import axis, percent, score_grid
from nshot.report.numbers import say


@dataclass(frozen=True)
class Bin:
    """Answers that are about equally probable: how many, how probable, how often right."""

    rows: int
    probability: float
    right: float
    low: float
    high: float


def reliability(bins: Sequence[Bin], title: str, width: int = 300, height: int = 290) -> Markup:
    """A mark for each bin with its 95 % interval; on the dashed diagonal they come true.

    Under it answers were less often right than their probability says, above it more often.
    """
    area: Box = (34, 14, width - 10, height - 40)
    scale = axis([0.0, 1.0])
    body = score_grid(scale, area)
    for tick in scale.ticks:
        x = scale.place(tick, area[0], area[2])
        body.append(text("c-tick", x, area[3] + 16, percent(tick), "middle"))
    body.append(text("c-title", area[2], height - 4, "probability of the answer, %", "end"))
    body.append(text("c-title", area[0], 8, "right, %", "start"))
    body.append(line("c-frontier", area[0], area[3], area[2], area[1]))
    for one in bins:
        x = scale.place(one.probability, area[0], area[2])
        y, low, high = (scale.place(v, area[3], area[1]) for v in (one.right, one.low, one.high))
        body.append(line("c-stem.c-pick", x, low, x, high))
        body.append(shape("pick", x, y, 4.5, _words(one)))
    return svg(width, height, title, body, "reliability")


def _words(one: Bin) -> str:
    probability, right, low, high = (
        say(value, "score") for value in (one.probability, one.right, one.low, one.high)
    )
    return f"{one.rows} rows of probability {probability}: {right} right ({low} to {high})"
