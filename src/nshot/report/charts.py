"""Charts as SVG text, from plain values: no plotting package, the same drawing in page and docs.

Shapes say what colours say: the pick is a filled diamond, a method that could still be the best a
filled circle, one that is ruled out a hollow circle. Colours are classes, set by report.css in the
page and by `standalone` in a file of its own. All scores are fractions, drawn in percent.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nshot.report.markup import Markup, element, join
from nshot.report.numbers import say

Role: TypeAlias = Literal["pick", "could", "out"]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""
Counts: TypeAlias = Sequence[Sequence[int]]
Spot: TypeAlias = tuple[float, float]

_ROLES: tuple[Role, ...] = ("pick", "could", "out")
_TIMES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 360000.0)


@dataclass(frozen=True)
class Mark:
    """One method in a chart: its score with the interval, and what it costs in seconds."""

    name: str
    role: Role
    score: float
    low: float | None = None
    high: float | None = None
    cost: float | None = None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Series:
    """A method's scores over sizes: (shots or "all", score, low, high) in rising order."""

    name: str
    role: Role
    points: tuple[tuple[int | str, float, float | None, float | None], ...]


@dataclass(frozen=True)
class Losses:
    """How a training went: (step, loss in nats) of its batches and of rows only watched."""

    name: str
    role: Role
    train: tuple[tuple[int, float], ...]
    watched: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Axis:
    """A linear scale of scores from `low` to `high`, both on a tick."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float, start: float, end: float) -> float:
        """Where `value` lies between the coordinates `start` (low) and `end` (high)."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return start + share * (end - start)


def axis(values: Sequence[float]) -> Axis:
    """The scale that holds all values, in steps of 5, 10, 20 or 25 points, about five ticks."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        last = max(last, first + 1)
        if last - first <= 6:
            break
    ticks = tuple(round(n * step, 6) for n in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def marks_axis(marks: Sequence[Mark]) -> Axis:
    """The scale that holds the marks' scores, intervals and seeds."""
    values = [
        value
        for mark in marks
        for value in (mark.score, mark.low, mark.high, *mark.seeds)
        if value is not None
    ]
    return axis(values)


def frontier(marks: Sequence[Mark]) -> list[Mark]:
    """The marks that no cheaper mark reaches in score, by rising cost."""
    best: list[Mark] = []
    for mark in sorted((m for m in marks if m.cost is not None), key=_by_cost):
        if not best or mark.score > best[-1].score:
            best.append(mark)
    return best


def _by_cost(mark: Mark) -> tuple[float, float]:
    return (mark.cost or 0.0, -mark.score)


def whisker(mark: Mark, scale: Axis, width: int = 160, height: int = 30) -> Markup:
    """One row of the board: interval, score, and below it one dot for each draw.

    The grid reaches beyond the drawing: the cell cuts it, so that its lines join over the rows.
    """
    middle, below = height * 0.37, height * 0.8
    ticks = [_at(scale, tick, width) for tick in scale.ticks]
    grid = [_line("c-grid", x, -60, x, height + 60) for x in ticks]
    spots = [{"cx": _at(scale, seed, width), "cy": below, "r": 2.2} for seed in mark.seeds]
    seeds = [element(f"circle.c-seed.c-{mark.role}", at=spot) for spot in spots]
    shape = _shape(mark.role, _at(scale, mark.score, width), middle, 5)
    body = [*grid, *_interval(mark, scale, width, middle), *seeds, shape]
    return _svg(width, height, _in_words(mark), body, name="whisker")


def scale_strip(scale: Axis, width: int = 160) -> Markup:
    """The ticks of `whisker`'s scale, for the head of its column."""
    labels = [
        _text("c-tick", _at(scale, tick, width), 11, _percent(tick), "middle")
        for tick in scale.ticks
    ]
    return _svg(width, 14, "", labels, name="scale")


def _at(scale: Axis, value: float, width: float) -> float:
    return scale.place(value, 10, width - 10)


def _interval(mark: Mark, scale: Axis, width: float, y: float) -> list[Markup]:
    if mark.low is None or mark.high is None:
        return []
    ends = _at(scale, mark.low, width), _at(scale, mark.high, width)
    bar = _line(f"c-bar.c-{mark.role}", ends[0], y, ends[1], y)
    caps = [_line(f"c-cap.c-{mark.role}", x, y - 4, x, y + 4) for x in ends]
    return [bar, *caps]


def scatter(
    marks: Sequence[Mark], title: str, cost: str, width: int = 560, height: int = 400
) -> Markup:
    """Score against cost: log seconds across, intervals up and down, the frontier joined by steps.

    A cost of nothing is drawn at the left edge.
    """
    shown = [mark for mark in marks if mark.cost is not None]
    if not shown:
        return Markup("")
    area: Box = (46, 22, width - 14, height - 44)
    scale, across = marks_axis(shown), _log_scale([mark.cost or 0.0 for mark in shown], area)
    spots = [
        (across(mark.cost or 0.0), scale.place(mark.score, area[3], area[1])) for mark in shown
    ]
    body = [*_score_grid(scale, area), *_time_grid([m.cost or 0.0 for m in shown], across, area)]
    body.append(_text("c-title", area[0], 12, "score, %", "start"))
    body.append(_text("c-title", area[2], height - 6, f"{cost}, log scale", "end"))
    best = frontier(shown)
    corners = [spots[shown.index(mark)] for mark in best]
    body.append(_stairs(corners, area[2]))
    for mark, (x, _) in zip(shown, spots, strict=True):
        body += _upright(mark, x, scale, area)
    for mark, (x, y) in zip(shown, spots, strict=True):
        words = f"{_in_words(mark)}; {cost} {say(mark.cost, 'seconds')}"
        body.append(_shape(mark.role, x, y, 6, words, ring=mark in best))
    body += _labels(shown, spots, area, _drawn_lines(shown, spots, corners, scale, area))
    return _svg(width, height, title, body, name="scatter")


def _log_scale(costs: Sequence[float], area: Box) -> Callable[[float], float]:
    some = [cost for cost in costs if cost > 0] or [1.0]
    least = min(some) / 1.6
    low, high = math.log(least), math.log(max(*some, least * 4) * 1.9)
    span = (area[2] - area[0] - 16) / (high - low)
    return lambda cost: area[0] + 16 + (math.log(max(cost, least)) - low) * span


def _time_grid(costs: Sequence[float], across: Callable[[float], float], area: Box) -> list[Markup]:
    least = min((cost for cost in costs if cost > 0), default=1.0) / 1.6
    drawn = []
    for tick in _TIMES:
        x = across(tick)
        if tick >= least and x <= area[2]:
            drawn.append(_line("c-grid", x, area[1], x, area[3]))
            drawn.append(_text("c-tick", x, area[3] + 16, say(tick, "seconds"), "middle"))
    return drawn


def _score_grid(scale: Axis, area: Box) -> list[Markup]:
    drawn = []
    for tick in scale.ticks:
        y = scale.place(tick, area[3], area[1])
        drawn.append(_line("c-grid", area[0], y, area[2], y))
        drawn.append(_text("c-tick", area[0] - 7, y + 4, _percent(tick), "end"))
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
    return [_line(f"c-stem.c-{mark.role}", x, low, x, high)]


def _labels(
    marks: Sequence[Mark], spots: Sequence[Spot], area: Box, lines: Sequence[Box]
) -> list[Markup]:
    """Names beside their marks, each where it covers least: other marks, names and `lines`.

    Greedy, the pick first, then by role; a name that had to move away gets a thin line.
    """
    taken: list[Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in spots]
    drawn = []
    for i in sorted(range(len(marks)), key=lambda i: _ROLES.index(marks[i].role)):
        x, y = spots[i]
        box, far = _free_place(x, y, _text_width(marks[i].name), [*taken, *lines], area)
        taken.append(box)
        if far:
            edge = min(max(x, box[0]), box[2])
            drawn.append(_line("c-leader", x, y, edge, box[3] if y > box[3] else box[1]))
        name = _text(f"c-name.c-{marks[i].role}", box[0], box[3] - 3, marks[i].name, "start")
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


def curve_panel(
    series: Series, others: Sequence[Series], scale: Axis, width: int = 190, height: int = 150
) -> Markup:
    """One method's score over shots, the other methods in grey behind it."""
    title = f"{series.name}: score over shots"
    return _svg(width, height, title, _panel(series, others, scale, width, height), name="curve")


def curves(series: Sequence[Series], title: str, columns: int = 4) -> Markup:
    """All panels of `curve_panel` in one drawing."""
    width, height = 200, 150
    scale = curves_axis(series)
    panels = [
        element(
            "g",
            *_panel(one, series, scale, width - 10, height - 12),
            at={"transform": f"translate({i % columns * width} {i // columns * height})"},
        )
        for i, one in enumerate(series)
    ]
    rows = -(-len(series) // columns)
    return _svg(min(columns, len(series)) * width, rows * height, title, panels, name="curves")


def curves_axis(series: Sequence[Series]) -> Axis:
    """One scale for all panels."""
    return axis([v for one in series for point in one.points for v in point[1:] if v is not None])


def _panel(
    series: Series, others: Sequence[Series], scale: Axis, width: int, height: int
) -> list[Markup]:
    area: Box = (26, 24, width - 8, height - 20)
    sizes = _sizes([series, *others])
    place = {
        size: area[0] + 6 + (area[2] - area[0] - 12) * (i / max(1, len(sizes) - 1))
        for i, size in enumerate(sizes)
    }
    body = _score_grid(
        Axis(scale.low, scale.high, scale.ticks[:: max(1, len(scale.ticks) // 3)]), area
    )
    body += [_text("c-tick", x, height - 5, str(size), "middle") for size, x in place.items()]
    body += [_run(other, place, scale, area, "c-behind") for other in others if other != series]
    body += _band(series, place, scale, area)
    body.append(_run(series, place, scale, area, f"c-run.c-{series.role}"))
    for size, score, low, high in series.points:
        words = _in_words(Mark(f"{series.name}, {size} shots", series.role, score, low, high))
        spot = place[size], scale.place(score, area[3], area[1])
        body.append(_shape(series.role, *spot, 3.6, words))
    body.append(_text(f"c-name.c-{series.role}", 4, 12, _short(series.name, width - 8), "start"))
    return body


def _sizes(series: Sequence[Series]) -> list[int | str]:
    """Every size that occurs, rising, "all" last."""
    found = {point[0] for one in series for point in one.points}
    return sorted(
        found, key=lambda size: (isinstance(size, str), size if isinstance(size, int) else 0)
    )


def _run(
    series: Series, place: dict[int | str, float], scale: Axis, area: Box, name: str
) -> Markup:
    spots = [(place[p[0]], scale.place(p[1], area[3], area[1])) for p in series.points]
    return _polyline(name, spots)


def _band(series: Series, place: dict[int | str, float], scale: Axis, area: Box) -> list[Markup]:
    known = [
        (place[size], scale.place(low, area[3], area[1]), scale.place(high, area[3], area[1]))
        for size, _, low, high in series.points
        if low is not None and high is not None
    ]
    if len(known) < 2:
        return []
    there = [f"{x:.1f} {high:.1f}" for x, _, high in known]
    back = [f"{x:.1f} {low:.1f}" for x, low, _ in reversed(known)]
    return [element(f"path.c-band.c-{series.role}", at={"d": f"M{'L'.join(there + back)}Z"})]


def loss_panel(losses: Losses, width: int = 190, height: int = 150) -> Markup:
    """One training: the batches' loss as a line, that of the watched rows as dots on another."""
    area: Box = (30, 24, width - 8, height - 20)
    last = max(step for step, _ in (*losses.train, *losses.watched))
    scale = axis([0.0, *(loss for _, loss in (*losses.train, *losses.watched))])

    def spot(point: tuple[int, float]) -> Spot:
        across = area[0] + (area[2] - area[0]) * point[0] / max(1, last)
        return across, scale.place(point[1], area[3], area[1])

    body = [*_loss_grid(scale, area), _text("c-tick", area[2], height - 5, f"{last}", "end")]
    body.append(_text("c-tick", area[0], height - 5, "0", "middle"))
    body.append(_polyline("c-run.c-out", [*map(spot, losses.train)]))
    if losses.watched:
        body.append(_polyline(f"c-run.c-{losses.role}", [*map(spot, losses.watched)]))
    for step, loss in losses.watched:
        words = f"watched rows after step {step}: {loss:.3f}"
        body.append(_shape(losses.role, *spot((step, loss)), 3, words))
    style = f"c-name.c-{losses.role}"
    body.append(_text(style, 4, 12, _short(losses.name, width - 8), "start"))
    return _svg(width, height, f"{losses.name}: loss over steps", body, name="losses")


def learning(losses: Sequence[Losses], watched: Sequence[Series], title: str) -> Markup:
    """A column for each training: its loss above, and below its accuracy over steps, where known.

    A series' sizes are steps.
    """
    width, height = 200, 150
    scale = curves_axis(watched)
    panels = []
    for i, (loss, seen) in enumerate(zip(losses, watched, strict=True)):
        drawn = [loss_panel(loss, width - 10, height)]
        if seen.points:
            drawn.append(_accuracy_panel(seen, scale, width - 10, height))
        for j, one in enumerate(drawn):
            at = {"transform": f"translate({i * width} {j * height})"}
            panels.append(element("g", Markup(_inner(one)), at=at))
    rows = 2 if any(one.points for one in watched) else 1
    return _svg(len(losses) * width, rows * height, title, panels, name="learning")


def _inner(svg: Markup) -> str:
    """What a drawing holds, to be put into another."""
    return svg.split(">", 1)[1].rsplit("<", 1)[0]


def _accuracy_panel(series: Series, scale: Axis, width: int, height: int) -> Markup:
    area: Box = (30, 24, width - 8, height - 20)
    last = max(1, *(int(point[0]) for point in series.points))
    spots = [
        (
            area[0] + (area[2] - area[0]) * int(step) / last,
            scale.place(value, area[3], area[1]),
        )
        for step, value, _, _ in series.points
    ]
    thinned = Axis(scale.low, scale.high, scale.ticks[:: max(1, len(scale.ticks) // 3)])
    body = [*_score_grid(thinned, area), _polyline(f"c-run.c-{series.role}", spots)]
    for spot, (step, value, _, _) in zip(spots, series.points, strict=True):
        words = f"after step {step}: {say(value, 'score')} %"
        body.append(_shape(series.role, *spot, 3, words))
    body.append(_text("c-tick", area[2], height - 5, f"{last} steps", "end"))
    body.append(_text("c-tick", 4, 12, "accuracy, new classes", "start"))
    return _svg(width, height, f"{series.name}: accuracy over steps", body, name="accuracy")


def _loss_grid(scale: Axis, area: Box) -> list[Markup]:
    drawn = []
    for tick in scale.ticks[:: max(1, len(scale.ticks) // 3)]:
        y = scale.place(tick, area[3], area[1])
        drawn.append(_line("c-grid", area[0], y, area[2], y))
        drawn.append(_text("c-tick", area[0] - 5, y + 4, f"{tick:g}", "end"))
    return drawn


def _polyline(name: str, spots: Sequence[Spot]) -> Markup:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    return element(f"path.{name}", at={"d": f"M{path}"})


def strip(marks: Sequence[Mark], reported: Mark, width: int = 460, height: int = 120) -> Markup:
    """The contest in one line: every method's measured score, stacked where marks meet.

    Under the axis stand the score and interval of `reported`: the pick, corrected for having won.
    """
    scale = axis(
        [v for v in (reported.low, reported.high) if v is not None]
        + [mark.score for mark in (reported, *marks)]
    )
    base = height - 44
    body = [_line("c-axis", 10, base, width - 10, base)]
    for tick in scale.ticks:
        x = _at(scale, tick, width)
        body.append(_line("c-axis", x, base, x, base + 5))
        body.append(_text("c-tick", x, height - 2, _percent(tick), "middle"))
    spots = _stack(marks, scale, width, base - 9)
    body += [_shape(m.role, x, y, 5.5, _in_words(m)) for m, (x, y) in spots]
    body += _interval(reported, scale, width, base + 15)
    middle = _at(scale, reported.score, width)
    body.append(_line("c-bar.c-pick", middle, base + 9, middle, base + 21))
    top = min([0.0, *(y - 10 for _, (_, y) in spots)])
    title = "Every method's score, and the interval of the pick"
    return _svg(width, height, title, body, "strip", top)


def _stack(
    marks: Sequence[Mark], scale: Axis, width: float, floor: float
) -> list[tuple[Mark, tuple[float, float]]]:
    """Where each mark lies: at its score, above those already there; the pick is laid first."""
    laid: list[tuple[Mark, tuple[float, float]]] = []
    for mark in sorted(marks, key=lambda m: (_ROLES.index(m.role), -m.score)):
        x, y = _at(scale, mark.score, width), floor
        while any(abs(x - a) < 13 and abs(y - b) < 12 for _, (a, b) in laid):
            y -= 13
        laid.append((mark, (x, y)))
    return laid


def trials(scores: Sequence[tuple[float, bool]], scale: Axis, width: int = 150) -> Markup:
    """What a search tried: one tick for each setting's score, the chosen one as a diamond."""
    body = [_line("c-axis", 10, 9, width - 10, 9)]
    for score, chosen in sorted(scores, key=lambda pair: pair[1]):
        x = _at(scale, score, width)
        body.append(_shape("pick", x, 9, 5) if chosen else _line("c-trial", x, 4, x, 14))
    return _svg(width, 18, "Scores of the settings tried", body, name="trials")


def confusion(
    labels: Sequence[str], counts: Counts, title: str, answers: Sequence[str] = ()
) -> Markup:
    """Rows are what was expected, columns what was answered; darker is a larger share of the row.

    `answers` names the columns where they are not the labels. Cells shrink with their number;
    counts are written where they fit.
    """
    answers = answers or labels
    cell = _cell_size(len(answers))
    small = cell < 16
    down, across = (
        [_short(name, 200 if small else 150) for name in names] for names in (labels, answers)
    )
    left = min(158.0, max(map(_text_width, [*down, *across])) * (0.75 if small else 1) + 10)
    area: Box = (left + 8, 26, left + 8 + cell * len(answers), 26 + cell * len(labels))
    body = [_text("c-title", area[0], 12, "answered as, across", "start")]
    body += _matrix_names(down, across, area, cell)
    for row, (label, line) in enumerate(zip(labels, counts, strict=True)):
        for column, (answer, count) in enumerate(zip(answers, line, strict=True)):
            if count:
                words = f"{label} answered as {answer}: {count} of {sum(line)}"
                spot = area[0] + column * cell, area[1] + row * cell
                body += _cell(spot, cell, count / sum(line), label == answer, count, words)
    frame = {"x": area[0], "y": area[1], "width": area[2] - area[0], "height": area[3] - area[1]}
    body.append(element("rect.c-frame", at=frame))
    width, slanted = max(area[2] + left * 0.5, 190), left * 0.8 + 12
    return _svg(width, area[3] + slanted, title, body, name="confusion")


def _cell_size(labels: int) -> float:
    return 44.0 if labels <= 6 else 34.0 if labels <= 12 else 22.0 if labels <= 24 else 12.0


def _matrix_names(
    down: Sequence[str], across: Sequence[str], area: Box, cell: float
) -> list[Markup]:
    style = "c-small" if cell < 16 else "c-label"
    middles = [(i + 0.5) * cell for i in range(max(len(down), len(across)))]
    drawn = [
        _text(style, area[0] - 6, area[1] + middle + 4, name, "end")
        for name, middle in zip(down, middles, strict=False)
    ]
    for name, middle in zip(across, middles, strict=False):
        turn = f"translate({area[0] + middle - 3:.1f} {area[3] + 12:.1f}) rotate(50)"
        drawn.append(element(f"text.{style}", name, at={"transform": turn}))
    return drawn


def _cell(
    spot: tuple[float, float], size: float, share: float, right: bool, count: int, words: str
) -> list[Markup]:
    kind = "c-right" if right else "c-wrong"
    place = {"x": spot[0] + 0.5, "y": spot[1] + 0.5, "width": size - 1, "height": size - 1}
    strength = {"fill-opacity": 0.12 + 0.88 * share}
    drawn = [element(f"rect.{kind}", element("title", words), at={**place, **strength})]
    if size >= 20:
        style = "c-count.c-strong" if share > 0.55 else "c-count"
        drawn.append(_text(style, spot[0] + size / 2, spot[1] + size / 2 + 4, str(count), "middle"))
    return drawn


def standalone(svg: Markup, ground: str = "#ffffff") -> str:
    """The drawing as a file of its own: with namespace, ground and explicit light colours."""
    size = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', svg)
    if size is None:
        raise ValueError("no drawing: the chart had nothing to show")
    left, top, width, height = (float(part) for part in size.groups())
    pad = 12.0
    box = f"{left - pad:g} {top - pad:g} {width + 2 * pad:g} {height + 2 * pad:g}"
    rect = (
        f'<rect x="{left - pad:g}" y="{top - pad:g}" width="{width + 2 * pad:g}" '
        f'height="{height + 2 * pad:g}" fill="{ground}"/>'
    )
    opened = svg.replace(size.group(0), f'viewBox="{box}"', 1).replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * pad:g}" ', 1
    )
    head, rest = opened.split(">", 1)
    return f"{head}><style>{_STANDALONE}</style>{rect}{rest}\n"


_STANDALONE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI','Apple SD Gothic Neo','Malgun Gothic',"
    "'Noto Sans KR','Noto Sans CJK KR','DejaVu Sans',sans-serif;fill:#1b2430}"
    ".c-tick,.c-title{fill:#5b6672;font-size:11px}.c-small{font-size:9px}"
    ".c-name{font-size:12px}.c-name.c-pick{font-weight:700;fill:#b3361b}"
    ".c-name.c-out{fill:#66717d}"
    ".c-grid{stroke:#e2e6ea}.c-axis,.c-frame{stroke:#9aa4af;fill:none}"
    ".c-leader{stroke:#b7c0c9;stroke-width:.8}"
    ".c-bar{stroke-width:2.5}.c-cap,.c-stem{stroke-width:1.5}.c-stem{stroke-opacity:.45}"
    "line.c-pick,path.c-pick{stroke:#b3361b}line.c-could,path.c-could{stroke:#12606b}"
    "line.c-out,path.c-out{stroke:#98a2ac}"
    ".c-mark.c-pick{fill:#b3361b;stroke:#fff}.c-mark.c-could{fill:#12606b;stroke:#fff}"
    ".c-mark.c-out{fill:#fff;stroke:#66717d;stroke-width:1.6}"
    ".c-ring{fill:none;stroke:#1b2430;stroke-width:1.2}"
    ".c-seed{fill-opacity:.55}.c-seed.c-pick{fill:#b3361b}.c-seed.c-could{fill:#12606b}"
    ".c-seed.c-out{fill:#66717d}"
    ".c-frontier{fill:none;stroke:#1b2430;stroke-width:1.2;stroke-dasharray:4 3}"
    ".c-run{fill:none;stroke-width:2}.c-behind{fill:none;stroke:#dde2e7;stroke-width:1}"
    ".c-band{stroke:none!important;fill-opacity:.15}.c-band.c-pick{fill:#b3361b}"
    ".c-band.c-could{fill:#12606b}.c-band.c-out{fill:#66717d}"
    ".c-right{fill:#12606b}.c-wrong{fill:#b3361b}.c-strong{fill:#fff}"
)


def board(marks: Sequence[Mark], title: str, width: int = 720) -> Markup:
    """The board as one drawing: names at the left, intervals, draws, and the score in figures."""
    left, row, top = 190.0, 32.0, 8.0
    scale, bottom = marks_axis(marks), top + row * len(marks)
    right = width - 64.0
    body = []
    for tick in scale.ticks:
        x = scale.place(tick, left, right)
        body.append(_line("c-grid", x, top, x, bottom))
        body.append(_text("c-tick", x, bottom + 15, _percent(tick), "middle"))
    for i, mark in enumerate(marks):
        body += _board_row(mark, scale, (left, top + i * row, right, top + (i + 1) * row))
    body.append(_text("c-title", right, bottom + 32, "score, %; small dots: draws", "end"))
    return _svg(width, bottom + 38, title, body, name="boardchart")


def _board_row(mark: Mark, scale: Axis, area: Box) -> list[Markup]:
    y, below = area[1] + 13, area[1] + 24
    drawn = [_text(f"c-name.c-{mark.role}", area[0] - 14, y + 4, _short(mark.name, 170), "end")]
    if mark.low is not None and mark.high is not None:
        low, high = (scale.place(value, area[0], area[2]) for value in (mark.low, mark.high))
        drawn.append(_line(f"c-bar.c-{mark.role}", low, y, high, y))
    for seed in mark.seeds:
        spot = {"cx": scale.place(seed, area[0], area[2]), "cy": below, "r": 2.2}
        drawn.append(element(f"circle.c-seed.c-{mark.role}", at=spot))
    drawn.append(
        _shape(mark.role, scale.place(mark.score, area[0], area[2]), y, 5, _in_words(mark))
    )
    drawn.append(_text("c-label", area[2] + 16, y + 4, say(mark.score, "score"), "start"))
    return drawn


def _shape(
    role: Role, x: float, y: float, size: float, words: str = "", ring: bool = False
) -> Markup:
    title = element("title", words) if words else Markup("")
    around = element("circle.c-ring", at={"cx": x, "cy": y, "r": size + 3.5}) if ring else ""
    if role == "pick":
        s = size * 1.25
        points = f"{x:.1f},{y - s:.1f} {x + s:.1f},{y:.1f} {x:.1f},{y + s:.1f} {x - s:.1f},{y:.1f}"
        drawn = element("polygon.c-mark.c-pick", title, at={"points": points})
    else:
        drawn = element(f"circle.c-mark.c-{role}", title, at={"cx": x, "cy": y, "r": size})
    return join(Markup(around), drawn)


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element(f"line.{name}", at={"x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(name: str, x: float, y: float, words: str, anchor: str) -> Markup:
    return element(f"text.{name}", words, at={"x": x, "y": y, "text-anchor": anchor})


def _svg(
    width: float, height: float, title: str, body: Sequence[Markup], name: str, top: float = 0.0
) -> Markup:
    """A drawing with its title, or one that readers of the page may pass over."""
    words = [element("title", title)] if title else []
    said: dict[str, str | bool | None] = {"role": "img"} if title else {"aria-hidden": "true"}
    return element(
        f"svg.chart.chart-{name}",
        *words,
        *body,
        at={
            "viewBox": f"0 {top:g} {width:g} {height - top:g}",
            **said,
            "style": f"--w:{width:g}px",
        },
    )


def _in_words(mark: Mark) -> str:
    words = f"{mark.name}: {say(mark.score, 'score')}"
    if mark.low is not None and mark.high is not None:
        words += f" ({say(mark.low, 'score')} to {say(mark.high, 'score')})"
    if mark.seeds:
        words += "; draws " + ", ".join(say(seed, "score") for seed in mark.seeds)
    return words


def _percent(tick: float) -> str:
    return f"{tick * 100:.0f}"


def _text_width(text: str) -> float:
    """About how wide text of 12 px is: wide characters (Korean, Chinese) count double."""
    return sum(12.5 if unicodedata.east_asian_width(c) in "WF" else 7.0 for c in text)


def _short(text: str, width: float) -> str:
    """`text` cut to about `width` pixels."""
    if _text_width(text) <= width:
        return text
    while text and _text_width(text) > width - 8:
        text = text[:-1]
    return text + "…"
