"""Loss over the steps of a training, a panel for each row."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import Box, Spot, name_text, polyline, shape, svg, text
from nshot.report.charts.marks import Losses, Series, curves_axis
from nshot.report.charts.scales import Axis, axis, score_grid
from nshot.report.numbers import say
from nshot.report.svg import element


def loss_panel(losses: Losses, width: int = 190, height: int = 150) -> Markup:
    """One training: the batches' loss as a line, that of validation rows as dots on another."""
    area: Box = (30, 24, width - 8, height - 20)
    last = max(step for step, _ in (*losses.train, *losses.validation))
    scale = axis([0.0, *(loss for _, loss in (*losses.train, *losses.validation))])

    def spot(point: tuple[int, float]) -> Spot:
        across = area[0] + (area[2] - area[0]) * point[0] / max(1, last)
        return across, scale.place(point[1], area[3], area[1])

    body = [
        *score_grid(scale.thinned, area, "{:g}".format),
        text("c-tick", area[2], height - 5, f"{last}", "end"),
    ]
    body.append(text("c-tick", area[0], height - 5, "0", "middle"))
    body.append(polyline("c-run.c-out", [*map(spot, losses.train)]))
    if losses.validation:
        body.append(polyline(f"c-run.c-{losses.role}", [*map(spot, losses.validation)]))
    for step, loss in losses.validation:
        words = f"validation rows after step {step}: {loss:.3f}"
        body.append(shape(losses.role, *spot((step, loss)), 3, words))
    body.append(name_text(losses.role, 4, 12, losses.name, width - 8, "start"))
    return svg(width, height, f"{losses.name}: loss over steps", body, name="losses")


def learning(losses: Sequence[Losses], accuracy: Sequence[Series], title: str) -> Markup:
    """A column for each training: its loss above, and below its accuracy over steps, where known.

    A series' sizes are steps.
    """
    width, height = 200, 150
    scale = curves_axis(accuracy)
    panels = []
    for i, (loss, seen) in enumerate(zip(losses, accuracy, strict=True)):
        drawn = [loss_panel(loss, width - 10, height)]
        if seen.points:
            drawn.append(_accuracy_panel(seen, scale, width - 10, height))
        for j, one in enumerate(drawn):
            at = {"transform": f"translate({i * width} {j * height})"}
            panels.append(element("g", Markup(inner(one)), at=at))
    rows = 2 if any(one.points for one in accuracy) else 1
    return svg(len(losses) * width, rows * height, title, panels, name="learning")


def inner(svg: Markup) -> str:
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
    body = [*score_grid(scale.thinned, area), polyline(f"c-run.c-{series.role}", spots)]
    for spot, (step, value, _, _) in zip(spots, series.points, strict=True):
        words = f"after step {step}: {say(value, 'score')} %"
        body.append(shape(series.role, *spot, 3, words))
    body.append(text("c-tick", area[2], height - 5, f"{last} steps", "end"))
    body.append(text("c-tick", 4, 12, "accuracy, new classes", "start"))
    return svg(width, height, f"{series.name}: accuracy over steps", body, name="accuracy")
