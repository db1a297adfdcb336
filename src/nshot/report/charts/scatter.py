"""Score against cost, with the frontier."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from nshot.board.words import frontier
from nshot.report.charts.draw import ROLES, Box, Spot, line, shape, svg, text, text_width
from nshot.report.charts.marks import Mark, in_words, marks_axis
from nshot.report.charts.scales import Axis, score_grid
from nshot.report.numbers import Style, say
from nshot.report.svg import element

_AMOUNTS = tuple(10.0**power for power in range(-9, 7))
_TIMES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 360000.0)


def scatter(
    marks: Sequence[Mark],
    title: str,
    cost: str,
    style: Style = "seconds",
    width: int = 560,
    height: int = 400,
) -> Markup:
    """Score against cost: its logarithm across, intervals up and down, the frontier joined by
    steps.

    A cost of nothing is drawn at the left edge. `style` says how a cost is written.
    """
    shown = [mark for mark in marks if mark.cost is not None]
    if not shown:
        return Markup("")
    area: Box = (46, 22, width - 14, height - 44)
    scale, across = marks_axis(shown), _log_scale([mark.cost or 0.0 for mark in shown], area)
    spots = [
        (across(mark.cost or 0.0), scale.place(mark.score, area[3], area[1])) for mark in shown
    ]
    body = [
        *score_grid(scale, area),
        *_cost_grid([m.cost or 0.0 for m in shown], across, area, style),
    ]
    body.append(text("c-title", area[0], 12, "score, %", "start"))
    body.append(text("c-title", area[2], height - 6, f"{cost}, log scale", "end"))
    by_name = {mark.name: mark for mark in shown}
    costs = {mark.name: mark.cost or 0.0 for mark in shown}
    best = [by_name[name] for name in frontier({m.name: m.score for m in shown}, costs)]
    corners = [spots[shown.index(mark)] for mark in best]
    body.append(_stairs(corners, area[2]))
    for mark, (x, _) in zip(shown, spots, strict=True):
        body += _upright(mark, x, scale, area)
    for mark, (x, y) in zip(shown, spots, strict=True):
        words = f"{in_words(mark)}; {cost} {say(mark.cost, style)}"
        body.append(shape(mark.role, x, y, 6, words, mark in best, mark.partial))
    body += _labels(shown, spots, area, _drawn_lines(shown, spots, corners, scale, area))
    return svg(width, height, title, body, name="scatter")


def _log_scale(costs: Sequence[float], area: Box) -> Callable[[float], float]:
    some = [cost for cost in costs if cost > 0] or [1.0]
    least = min(some) / 1.6
    low, high = math.log(least), math.log(max(*some, least * 4) * 1.9)
    span = (area[2] - area[0] - 16) / (high - low)
    return lambda cost: area[0] + 16 + (math.log(max(cost, least)) - low) * span


def _cost_grid(
    costs: Sequence[float], across: Callable[[float], float], area: Box, style: Style
) -> list[Markup]:
    least = min((cost for cost in costs if cost > 0), default=1.0) / 1.6
    drawn = []
    for tick in _TIMES if style == "seconds" else _AMOUNTS:
        x = across(tick)
        if tick >= least and x <= area[2]:
            drawn.append(line("c-grid", x, area[1], x, area[3]))
            drawn.append(text("c-tick", x, area[3] + 16, say(tick, style), "middle"))
    return drawn


def _stairs(spots: Sequence[Spot], right: float) -> Markup:
    """From each frontier method on, the best score so far: level, then up at the next one."""
    path = f"M{spots[0][0]:.1f} {spots[0][1]:.1f}"
    path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in spots[1:])
    return element("path.c-frontier", at={"d": f"{path}H{right:.1f}"})


def _upright(mark: Mark, x: float, scale: Axis, area: Box) -> list[Markup]:
    if mark.low is None or mark.high is None:
        return []
    low, high = (scale.place(value, area[3], area[1]) for value in (mark.low, mark.high))
    return [line(f"c-stem.c-{mark.role}", x, low, x, high)]


def _labels(
    marks: Sequence[Mark], spots: Sequence[Spot], area: Box, lines: Sequence[Box]
) -> list[Markup]:
    """Names beside their marks, each where it covers least: other marks, names and `lines`.

    Greedy, the pick first, then by role; a name that had to move away gets a thin line.
    """
    taken: list[Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in spots]
    drawn = []
    for i in sorted(range(len(marks)), key=lambda i: ROLES.index(marks[i].role)):
        x, y = spots[i]
        box, far = _free_place(x, y, text_width(marks[i].name), [*taken, *lines], area)
        taken.append(box)
        if far:
            edge = min(max(x, box[0]), box[2])
            drawn.append(line("c-leader", x, y, edge, box[3] if y > box[3] else box[1]))
        name = text(f"c-name.c-{marks[i].role}", box[0], box[3] - 3, marks[i].name, "start")
        drawn.append(name)
    return drawn


def _drawn_lines(
    marks: Sequence[Mark], spots: Sequence[Spot], best: Sequence[Spot], scale: Axis, area: Box
) -> list[Box]:
    """The boxes of intervals and of the frontier's steps: what a name had better not cover."""
    boxes = [
        (
            x - 2,
            scale.place(mark.high, area[3], area[1]),
            x + 2,
            scale.place(mark.low, area[3], area[1]),
        )
        for mark, (x, _) in zip(marks, spots, strict=True)
        if mark.low is not None and mark.high is not None
    ]
    for (x, y), (right, up) in zip(best, [*best[1:], (area[2], best[-1][1])], strict=True):
        boxes += [(x, y - 4, right, y + 4), (right - 3, up, right + 3, y)]
    return boxes


def _free_place(
    x: float, y: float, width: float, taken: Sequence[Box], area: Box
) -> tuple[Box, bool]:
    best: tuple[float, Box, bool] | None = None
    for away in (0, 16, 32, 48, 64):
        for dx, dy in (
            (10, 0),
            (-10 - width, 0),
            (8, -13),
            (8, 13),
            (-8 - width, -13),
            (-8 - width, 13),
            (-width / 2, -18),
            (-width / 2, 18),
        ):
            shift = math.copysign(away, dy) if dy else 0.0
            left, middle = x + dx, y + dy + shift
            box = (left, middle - 7, left + width, middle + 7)
            out = max(0.0, area[0] - box[0]) + max(0.0, box[2] - area[2] - 12)
            out += max(0.0, area[1] - 8 - box[1]) + max(0.0, box[3] - area[3])
            price = sum(_overlap(box, other) for other in taken) + 40 * out + 3 * away
            if best is None or price < best[0] - 1e-9:
                best = (price, box, away > 0)
    if best is None:  # cannot be: there are places to try
        return (x, y, x, y), False
    return best[1], best[2]


def _overlap(a: Box, b: Box) -> float:
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0
