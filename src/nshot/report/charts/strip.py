"""The contest in one line."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import ROLES, line, shape, svg, text
from nshot.report.charts.marks import Mark, in_words, interval
from nshot.report.charts.scales import Axis, across, axis, percent


def strip(marks: Sequence[Mark], reported: Mark, width: int = 460, height: int = 120) -> Markup:
    """The contest in one line: every method's measured score, stacked where marks meet.

    Under the axis stand the score and interval of `reported`: the pick, corrected for having won.
    """
    scale = axis(
        [v for v in (reported.low, reported.high) if v is not None]
        + [mark.score for mark in (reported, *marks)]
    )
    base = height - 44
    body = [line("c-axis", 10, base, width - 10, base)]
    for tick in scale.ticks:
        x = across(scale, tick, width)
        body.append(line("c-axis", x, base, x, base + 5))
        body.append(text("c-tick", x, height - 2, percent(tick), "middle"))
    spots = _stack(marks, scale, width, base - 9)
    body += [shape(m.role, x, y, 5.5, in_words(m), partial=m.partial) for m, (x, y) in spots]
    body += interval(reported, scale, width, base + 15)
    middle = across(scale, reported.score, width)
    body.append(line("c-bar.c-pick", middle, base + 9, middle, base + 21))
    top = min([0.0, *(y - 10 for _, (_, y) in spots)])
    title = "Every method's score, and the interval of the pick"
    return svg(width, height, title, body, "strip", top)


def _stack(
    marks: Sequence[Mark], scale: Axis, width: float, floor: float
) -> list[tuple[Mark, tuple[float, float]]]:
    """Where each mark lies: at its score, above those already there; the pick is laid first."""
    laid: list[tuple[Mark, tuple[float, float]]] = []
    for mark in sorted(marks, key=lambda m: (ROLES.index(m.role), -m.score)):
        x, y = across(scale, mark.score, width), floor
        while any(abs(x - a) < 13 and abs(y - b) < 12 for _, (a, b) in laid):
            y -= 13
        laid.append((mark, (x, y)))
    return laid
