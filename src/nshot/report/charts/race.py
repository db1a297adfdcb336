"""How a run went: the seconds of each method's work, where it stopped, when the verdict stood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nshot.report.charts.draw import Role, line, name_text, svg, text
from nshot.report.numbers import say
from nshot.report.svg import element

_STEPS = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0, 86400.0)
"""Seconds between two ticks, from a minute on."""
_HEIGHTS = {"trial": 6.0, "search": 6.0, "fit": 14.0, "answer": 14.0}
_LEAST = 1.5
"""Pixels of a piece of work that took next to nothing."""


@dataclass(frozen=True)
class Work:
    """A piece of work: `trial`, `search`, `fit` or `answer`, from `start` on, in seconds."""

    stage: str
    start: float
    seconds: float


@dataclass(frozen=True)
class Lane:
    """One method: its pieces of work, and in a few words where it stopped."""

    name: str
    role: Role
    work: tuple[Work, ...]
    end: str

    @property
    def seconds(self) -> float:
        """All its work."""
        return sum(one.seconds for one in self.work)


def race(
    lanes: Sequence[Lane], stands: tuple[float, str] | None, title: str, width: int = 1000
) -> Markup:
    """A lane for each method, the seconds of the work across, one piece after the other.

    `stands` is the second from which the verdict stayed as it is, and its words.
    """
    total = max((one.start + one.seconds for lane in lanes for one in lane.work), default=0.0)
    if total <= 0:
        return Markup("")
    row, top = 24.0, 24.0
    left, right = max(92.0, width * 0.2), width - 150.0
    bottom = top + row * len(lanes)
    scale = (right - left) / total
    body = []
    for tick in _ticks(total, 6 if width > 600 else 3):
        x = left + tick * scale
        body.append(line("c-grid", x, top, x, bottom))
        body.append(text("c-tick", x, bottom + 15, say(tick, "seconds"), "middle"))
    body.append(text("c-title", right, bottom + 31, "seconds of work, one after the other", "end"))
    if stands:
        x = left + stands[0] * scale
        body.append(line("c-stands", x, top - 6, x, bottom))
        body.append(text("c-title", x, top - 10, stands[1], "middle" if x > left + 80 else "start"))
    for place, lane in enumerate(lanes):
        middle = top + row * (place + 0.5)
        body.append(name_text(lane.role, left - 8, middle + 4, lane.name, left - 12, "end"))
        body += [_bar(one, lane, left, scale, middle) for one in lane.work]
        words = f"{say(lane.seconds, 'seconds')} · {lane.end}"
        body.append(text("c-tick", right + 10, middle + 4, words, "start"))
    return svg(width, bottom + 36, title, body, name="race")


def _bar(one: Work, lane: Lane, left: float, scale: float, middle: float) -> Markup:
    height = _HEIGHTS[one.stage]
    title = element("title", f"{lane.name}: {one.stage}, {say(one.seconds, 'seconds')}")
    at = {
        "x": left + one.start * scale,
        "y": middle - height / 2,
        "width": max(_LEAST, one.seconds * scale),
        "height": height,
    }
    return element(f"rect.c-work.c-{one.stage}", title, at=at)


def _ticks(total: float, most: int) -> list[float]:
    """Even seconds from 0 on, at most `most` steps."""
    small = [base * 10.0**power for power in range(-5, 2) for base in (1, 2, 5)]
    steps = [step for step in small if step < _STEPS[0]] + list(_STEPS)
    step = next((step for step in steps if total / step <= most), total)
    return [step * n for n in range(math.floor(total / step + 1e-9) + 1)]
