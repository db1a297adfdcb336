"""What a search tried, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from nshot.report.charts.draw import line, shape, svg
from nshot.report.charts.scales import Axis, across


def trials(scores: Sequence[tuple[float, bool]], scale: Axis, width: int = 150) -> Markup:
    """What a search tried: one tick for each setting's score, the chosen one as a diamond."""
    body = [line("c-axis", 10, 9, width - 10, 9)]
    for score, chosen in sorted(scores, key=lambda pair: pair[1]):
        x = across(scale, score, width)
        body.append(shape("pick", x, 9, 5) if chosen else line("c-trial", x, 4, x, 14))
    return svg(width, 18, "Scores of the settings tried", body, name="trials")
