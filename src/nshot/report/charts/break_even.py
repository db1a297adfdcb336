"""What so many requests cost with one's own model, and with what is asked as it is."""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup

from nshot.board.break_even import Line
from nshot.board.schema import Crossing
from nshot.report.charts.draw import Box, Role, Spot, line, name_text, polyline, shape, svg, text
from nshot.report.svg import element

FEWEST = 4
"""Powers of ten that the axis of requests reaches, at least."""
_MOST = 9
_STEPS = 40
"""Spots of a curve."""


def break_even(
    crossing: Crossing,
    names: tuple[str, str],
    words: Callable[[float], str],
    title: str,
    width: int = 460,
    height: int = 300,
) -> Markup:
    """Both totals over the number of requests, on logarithmic scales, and where they cross.

    `names` are those of the own model and of the other; `words` says an amount.
    """
    area: Box = (64, 14, width - 12, height - 34)
    lines = [Line(one.once, one.each) for one in (crossing.own, crossing.other)]
    reach = min(_MOST, max(FEWEST, _power(10 * (crossing.requests or 1))))
    ends = [one.total(n) for one in lines for n in (1, 10.0**reach)]
    paid = [one for one in ends if one > 0]
    if not paid:
        return Markup("")
    low, high = math.floor(math.log10(min(paid))), _power(max(paid))
    high = max(high, low + 1)

    def across(requests: float) -> float:
        return area[0] + (area[2] - area[0]) * math.log10(requests) / reach

    def spot(requests: float, amount: float) -> Spot:
        share = (max(low, math.log10(amount) if amount > 0 else low) - low) / (high - low)
        return across(requests), area[3] + share * (area[1] - area[3])

    body: list[Markup] = []
    for power in range(low, high + 1, max(1, (high - low) // 5)):
        _, y = spot(1, 10.0**power)
        body.append(line("c-grid", area[0], y, area[2], y))
        body.append(text("c-tick", area[0] - 7, y + 4, words(10.0**power), "end"))
    body += [
        text("c-tick", across(10.0**power), area[3] + 16, f"{10**power:,}", "middle")
        for power in range(0, reach + 1, max(1, reach // 4))
    ]
    body.append(text("c-tick", area[2], height - 4, "requests", "end"))
    if crossing.low is not None and crossing.high is not None and crossing.high > 0:
        left, right = (across(min(10.0**reach, max(1.0, n))) for n in (crossing.low, crossing.high))
        at = {"x": left, "y": area[1], "width": right - left, "height": area[3] - area[1]}
        body.append(element("rect.c-band.c-pick", at=at))
    counts = [10 ** (reach * i / _STEPS) for i in range(_STEPS + 1)]
    roles: tuple[Role, Role] = ("pick", "out")
    for role, one, name, above in zip(roles, lines, names, (16, 32), strict=True):
        body.append(polyline(f"c-run.c-{role}", [spot(n, one.total(n)) for n in counts]))
        body.append(name_text(role, area[0] + 8, area[1] + above, name, 200, "start"))
    if crossing.requests is not None and crossing.requests >= 1:
        n = crossing.requests
        title = f"{n:,.0f} requests: {words(lines[0].total(n))}"
        body.append(shape("pick", *spot(min(n, 10.0**reach), lines[0].total(n)), 5, title))
    return svg(width, height, title, body, name="break-even")


def _power(value: float) -> int:
    """The least power of ten that is not below a value."""
    return math.ceil(math.log10(value) - 1e-9) if value > 0 else 0
