"""What was answered where a label was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from markupsafe import Markup

from nshot.report.charts.draw import Box, short, svg, text, text_width
from nshot.report.svg import element

Counts: TypeAlias = Sequence[Sequence[int]]


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
        [short(name, 200 if small else 150) for name in names] for names in (labels, answers)
    )
    left = min(158.0, max(map(text_width, [*down, *across])) * (0.75 if small else 1) + 10)
    area: Box = (left + 8, 26, left + 8 + cell * len(answers), 26 + cell * len(labels))
    body = [text("c-title", area[0], 12, "answered as, across", "start")]
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
    return svg(width, area[3] + slanted, title, body, name="confusion")


def _cell_size(labels: int) -> float:
    return 44.0 if labels <= 6 else 34.0 if labels <= 12 else 22.0 if labels <= 24 else 12.0


def _matrix_names(
    down: Sequence[str], across: Sequence[str], area: Box, cell: float
) -> list[Markup]:
    style = "c-small" if cell < 16 else "c-label"
    middles = [(i + 0.5) * cell for i in range(max(len(down), len(across)))]
    drawn = [
        text(style, area[0] - 6, area[1] + middle + 4, name, "end")
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
        drawn.append(text(style, spot[0] + size / 2, spot[1] + size / 2 + 4, str(count), "middle"))
    return drawn
