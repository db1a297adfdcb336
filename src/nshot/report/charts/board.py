"""The board as one drawing."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import Box, line, name_text, shape, svg, text, text_width
from nshot.report.charts.marks import Mark, in_words, marks_axis
from nshot.report.charts.scales import Axis, percent
from nshot.report.numbers import say
from nshot.report.svg import element

_WIDEST = 250.0
"""Of names; longer ones are smaller, or cut."""


def board(marks: Sequence[Mark], title: str, width: int = 720) -> Markup:
    """The board as one drawing: names at the left, intervals, draws, and the score in figures."""
    row, top = 32.0, 8.0
    widest = max((text_width(mark.name) for mark in marks), default=0.0)
    left = 20 + min(max(170.0, widest), _WIDEST)
    scale, bottom = marks_axis(marks), top + row * len(marks)
    right = width - 64.0
    body = []
    for tick in scale.ticks:
        x = scale.place(tick, left, right)
        body.append(line("c-grid", x, top, x, bottom))
        body.append(text("c-tick", x, bottom + 15, percent(tick), "middle"))
    for i, mark in enumerate(marks):
        body += _board_row(mark, scale, (left, top + i * row, right, top + (i + 1) * row))
    body.append(text("c-title", right, bottom + 32, _below(marks), "end"))
    return svg(width, bottom + 38, title, body, name="boardchart")


def _below(marks: Sequence[Mark]) -> str:
    """What stands under the scale."""
    small = {mark.seeds_are for mark in marks if mark.seeds}
    return "score, %" + "".join(f"; small dots: {what}" for what in sorted(small))


def _board_row(mark: Mark, scale: Axis, area: Box) -> list[Markup]:
    y, below = area[1] + 13, area[1] + 24
    name = name_text(mark.role, area[0] - 14, y + 4, mark.name, area[0] - 20, "end")
    drawn = [name]
    if mark.low is not None and mark.high is not None:
        low, high = (scale.place(value, area[0], area[2]) for value in (mark.low, mark.high))
        drawn.append(line(f"c-bar.c-{mark.role}", low, y, high, y))
    for seed in mark.seeds:
        spot = {"cx": scale.place(seed, area[0], area[2]), "cy": below, "r": 2.2}
        drawn.append(element(f"circle.c-seed.c-{mark.role}", at=spot))
    drawn.append(
        shape(
            mark.role,
            scale.place(mark.score, area[0], area[2]),
            y,
            5,
            in_words(mark),
            partial=mark.partial,
        )
    )
    drawn.append(text("c-label", area[2] + 16, y + 4, say(mark.score, "score"), "start"))
    return drawn
