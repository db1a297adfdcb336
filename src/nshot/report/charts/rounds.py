"""A figure of a policy's answers over the rounds of its training."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import Box, Spot, name_text, polyline, shape, svg, text
from nshot.report.charts.scales import axis, score_grid


def rounds_panel(
    name: str, values: Sequence[float], unit: str = "", width: int = 260, height: int = 170
) -> Markup:
    """One figure, such as reward or KL, at the beginning of each round, as a line with dots."""
    area: Box = (42, 24, width - 10, height - 20)
    scale = axis(values)
    last = max(1, len(values) - 1)

    def spot(number: int, value: float) -> Spot:
        across = area[0] + (area[2] - area[0]) * number / last
        return across, scale.place(value, area[3], area[1])

    spots = [spot(i, value) for i, value in enumerate(values)]
    body = [
        *score_grid(scale.thinned, area, "{:g}".format),
        text("c-tick", area[0], height - 5, "0", "middle"),
        text("c-tick", area[2], height - 5, f"{len(values) - 1} updates", "end"),
        polyline("c-run.c-could", spots),
    ]
    for i, (place, value) in enumerate(zip(spots, values, strict=True)):
        body.append(shape("could", *place, 2.2, f"after {i} updates: {value:.3g}{unit}"))
    body.append(
        name_text("could", 4, 12, f"{name}{f', {unit.strip()}' if unit else ''}", width, "start")
    )
    return svg(width, height, f"{name} over updates", body, name="rounds")
