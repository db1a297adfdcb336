"""A drawing of scores against anything: methods as marks with intervals, or as lines of marks.

Drawn like the charts of a report (`nshot.report.charts`), whose scales and colours it takes. Shapes
say the family: a diamond for soft prompts, a filled circle for adapters, a hollow one for the
model's own weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from markupsafe import Markup

from nshot.report import charts
from nshot.report.svg import element

Family: TypeAlias = Literal["soft prompt", "adapter", "own weights"]
Box: TypeAlias = tuple[float, float, float, float]
_STYLES: dict[Family, str] = {"soft prompt": "pick", "adapter": "could", "own weights": "out"}
_LETTER = 6.6
"""Mean width of a letter of 12 px."""


class Scale(Protocol):
    """Where a value lies between two coordinates, and what is written along the axis."""

    @property
    def ticks(self) -> tuple[float, ...]: ...

    def place(self, value: float, start: float, end: float) -> float: ...


@dataclass(frozen=True)
class Log:
    """A logarithmic scale; ticks at the powers of ten in it."""

    low: float
    high: float

    @property
    def ticks(self) -> tuple[float, ...]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return tuple(10.0**power for power in range(first, last + 1))

    def place(self, value: float, start: float, end: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return start + share * (end - start)


def log(values: Sequence[float]) -> Log:
    """The scale that holds all values, with room at both ends."""
    return Log(min(values) / 2, max(values) * 3)


@dataclass(frozen=True)
class Spot:
    """One measurement: where it is, and the interval of its height."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Trace:
    """One method: its measurements, joined by a line, of which `spots[main]` bears its name."""

    name: str
    family: Family
    spots: tuple[Spot, ...]
    main: int = 0


def plane(
    traces: Sequence[Trace],
    title: str,
    across: tuple[str, Scale, Callable[[float], str]],
    up: tuple[str, Scale, Callable[[float], str]],
    width: int = 680,
    height: int = 420,
    legend: bool = True,
) -> str:
    """The drawing as an SVG file of its own.

    `across` and `up` are the axes: what they show, their scale, how a tick is written. Without
    `legend` the colours say nothing but which marks belong together.
    """
    area: Box = (50, 40, width - 14, height - 44)
    families = {trace.family for trace in traces} if legend else set()
    body = [*_grid(across, up, area), *_legend(families, area)]
    body.append(_text("c-title", area[2], height - 6, across[0], "end"))
    body.append(_text("c-title", area[0] - 40, 12, up[0], "start"))
    taken: list[Box] = []
    for trace in traces:
        drawn, boxes = _trace(trace, across[1], up[1], area)
        body += drawn
        taken += boxes
    for trace in traces:
        main = trace.spots[trace.main]
        spot = _place(main.x, main.y, across[1], up[1], area)
        body += _name(trace, spot, taken, area)
    svg = element("svg", element("title", title), *body, at={"viewBox": f"0 0 {width} {height}"})
    return charts.standalone(svg)


def _place(x: float, y: float, across: Scale, up: Scale, area: Box) -> tuple[float, float]:
    return across.place(x, area[0] + 14, area[2] - 14), up.place(y, area[3] - 8, area[1] + 8)


def _grid(
    across: tuple[str, Scale, Callable[[float], str]],
    up: tuple[str, Scale, Callable[[float], str]],
    area: Box,
) -> list[Markup]:
    drawn = []
    for tick in across[1].ticks:
        x = across[1].place(tick, area[0] + 14, area[2] - 14)
        drawn.append(_line("c-grid", x, area[1], x, area[3]))
        drawn.append(_text("c-tick", x, area[3] + 16, across[2](tick), "middle"))
    for tick in up[1].ticks:
        y = up[1].place(tick, area[3] - 8, area[1] + 8)
        drawn.append(_line("c-grid", area[0], y, area[2], y))
        drawn.append(_text("c-tick", area[0] - 7, y + 4, up[2](tick), "end"))
    return drawn


def _legend(families: set[Family], area: Box) -> list[Markup]:
    drawn, x = [], area[0] + 6
    for family in [family for family in _STYLES if family in families]:
        drawn += [_mark(family, x, 26), _text("c-tick", x + 10, 30, family, "start")]
        x += 32 + _LETTER * len(family)
    return drawn


def _trace(trace: Trace, across: Scale, up: Scale, area: Box) -> tuple[list[Markup], list[Box]]:
    """What is drawn of a method, and the boxes that names had better not cover."""
    style = f"c-{_STYLES[trace.family]}"
    places = [_place(spot.x, spot.y, across, up, area) for spot in trace.spots]
    drawn, boxes = [], [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    if len(places) > 1:
        drawn.append(element(f"path.c-run.{style}", at={"d": f"M{path}", "stroke-opacity": 0.5}))
    for spot, (x, y) in zip(trace.spots, places, strict=True):
        if spot.low is not None and spot.high is not None:
            ends = [_place(spot.x, end, across, up, area)[1] for end in (spot.low, spot.high)]
            drawn.append(_line(f"c-stem.{style}", x, ends[0], x, ends[1]))
            boxes.append((x - 2, ends[1], x + 2, ends[0]))
        main = spot is trace.spots[trace.main]
        drawn.append(_mark(trace.family, x, y, 6 if main else 3.2))
    return drawn, boxes


def _name(trace: Trace, spot: tuple[float, float], taken: list[Box], area: Box) -> list[Markup]:
    """The method's name where it covers least; a thin line leads to it from afar."""
    width, (x, y) = _LETTER * len(trace.name), spot
    best: tuple[float, Box] | None = None
    for away in range(0, 96, 12):
        for dx in (11.0, -11.0 - width, -width / 2):
            for side in (-1, 1):
                middle = y + side * (away if dx > 0 or dx < -width else away + 18)
                box = (x + dx, middle - 7, x + dx + width, middle + 7)
                price = sum(_overlap(box, other) for other in taken) + 3 * away
                price += 40 * _outside(box, area)
                if best is None or price < best[0]:
                    best = (price, box)
    if best is None:
        return []
    box = best[1]
    taken.append(box)
    drawn = [_text(f"c-name.c-{_STYLES[trace.family]}", box[0], box[3] - 3, trace.name, "start")]
    if not box[1] - 12 < y < box[3] + 12:
        edge = min(max(x, box[0]), box[2])
        drawn.insert(0, _line("c-leader", x, y, edge, box[3] if y > box[3] else box[1]))
    return drawn


def _overlap(a: Box, b: Box) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0


def _outside(box: Box, area: Box) -> float:
    return max(0.0, area[0] - box[0], box[2] - area[2], area[1] - box[1], box[3] - area[3])


def _mark(family: Family, x: float, y: float, size: float = 5.0) -> Markup:
    style = f"c-mark.c-{_STYLES[family]}"
    if family == "soft prompt":
        s = size * 1.25
        points = f"{x:.1f},{y - s:.1f} {x + s:.1f},{y:.1f} {x:.1f},{y + s:.1f} {x - s:.1f},{y:.1f}"
        return element(f"polygon.{style}", at={"points": points})
    return element(f"circle.{style}", at={"cx": x, "cy": y, "r": size})


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return element(f"line.{name}", at={"x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(name: str, x: float, y: float, words: str, anchor: str) -> Markup:
    return element(f"text.{name}", words, at={"x": x, "y": y, "text-anchor": anchor})
