"""Score over shots, a panel for each row."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import Box, name_text, polyline, shape, svg, text
from nshot.report.charts.marks import Mark, Series, curves_axis, in_words
from nshot.report.charts.scales import Axis, score_grid
from nshot.report.svg import element


def curve_panel(
    series: Series, others: Sequence[Series], scale: Axis, width: int = 190, height: int = 150
) -> Markup:
    """One method's score over shots, the other methods in grey behind it."""
    title = f"{series.name}: score over what it learned from"
    return svg(width, height, title, _panel(series, others, scale, width, height), name="curve")


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
    return svg(min(columns, len(series)) * width, rows * height, title, panels, name="curves")


def _panel(
    series: Series, others: Sequence[Series], scale: Axis, width: int, height: int
) -> list[Markup]:
    area: Box = (26, 24, width - 8, height - 20)
    sizes = _sizes([series, *others])
    place = {
        size: area[0] + 6 + (area[2] - area[0] - 12) * (i / max(1, len(sizes) - 1))
        for i, size in enumerate(sizes)
    }
    body = score_grid(scale.thinned, area)
    body += [text("c-tick", x, height - 5, str(size), "middle") for size, x in place.items()]
    body += [_run(other, place, scale, area, "c-behind") for other in others if other != series]
    body += _band(series, place, scale, area)
    body.append(_run(series, place, scale, area, f"c-run.c-{series.role}"))
    for size, score, low, high in series.points:
        words = in_words(Mark(f"{series.name} at {size}", series.role, score, low, high))
        spot = place[size], scale.place(score, area[3], area[1])
        body.append(shape(series.role, *spot, 3.6, words))
    body.append(name_text(series.role, 4, 12, series.name, width - 8, "start"))
    return body


def _sizes(series: Sequence[Series]) -> list[int | str]:
    """Every size that occurs, rising, "all" last."""
    sizes = {point[0] for one in series for point in one.points}
    return sorted(
        sizes, key=lambda size: (isinstance(size, str), size if isinstance(size, int) else 0)
    )


def _run(
    series: Series, place: dict[int | str, float], scale: Axis, area: Box, name: str
) -> Markup:
    spots = [(place[p[0]], scale.place(p[1], area[3], area[1])) for p in series.points]
    return polyline(name, spots)


def _band(series: Series, place: dict[int | str, float], scale: Axis, area: Box) -> list[Markup]:
    known = [
        (place[size], scale.place(low, area[3], area[1]), scale.place(high, area[3], area[1]))
        for size, _, low, high in series.points
        if low is not None and high is not None
    ]
    if len(known) < 2:
        return []
    out = [f"{x:.1f} {high:.1f}" for x, _, high in known]
    back = [f"{x:.1f} {low:.1f}" for x, low, _ in reversed(known)]
    return [element(f"path.c-band.c-{series.role}", at={"d": f"M{'L'.join(out + back)}Z"})]
