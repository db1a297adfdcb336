"""A row of the board: its interval, score and draws."""

from __future__ import annotations

from markupsafe import Markup

from nshot.report.charts.draw import line, shape, svg, text
from nshot.report.charts.marks import Mark, in_words, interval
from nshot.report.charts.scales import Axis, across, percent
from nshot.report.svg import element


def whisker(mark: Mark, scale: Axis, width: int = 160, height: int = 30) -> Markup:
    """One row of the board: interval, score, and below it one dot for each draw.

    The grid reaches beyond the drawing: the cell cuts it, so that its lines join over the rows.
    """
    middle, below = height * 0.37, height * 0.8
    ticks = [across(scale, tick, width) for tick in scale.ticks]
    grid = [line("c-grid", x, -60, x, height + 60) for x in ticks]
    spots = [{"cx": across(scale, seed, width), "cy": below, "r": 2.2} for seed in mark.seeds]
    seeds = [element(f"circle.c-seed.c-{mark.role}", at=spot) for spot in spots]
    mean = shape(mark.role, across(scale, mark.score, width), middle, 5, partial=mark.partial)
    body = [*grid, *interval(mark, scale, width, middle), *seeds, mean]
    return svg(width, height, in_words(mark), body, name="whisker")


def scale_strip(scale: Axis, width: int = 160) -> Markup:
    """The ticks of `whisker`'s scale, for the head of its column."""
    labels = [
        text("c-tick", across(scale, tick, width), 11, percent(tick), "middle")
        for tick in scale.ticks
    ]
    return svg(width, 14, "", labels, name="scale")
