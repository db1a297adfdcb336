"""Drawings of what docs say of fewer bits, made of the pages' own tables and programs.

    python benchmarks/compression_drawings.py

Of docs/results/compression.md: scores on SST-2 against bytes, and against milliseconds a row. Of
docs/quantisation.md: weights before and after each of its steps, and NF4's levels beside a normal
distribution. No model is run; the same pages give the same files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from compression import PAGE
from nshot.core.files import write_atomic
from nshot.report import charts
from nshot.report.charts.scales import axis, percent
from nshot.report.svg import element
from plane import Family, Spot, Trace, log, plane
from table import END, ROOT, mark

STEPS = ROOT / "docs" / "quantisation.md"
SHOWN = 64
"""Weights that are drawn, of a row without the outlier."""


def rows_of(script: str, page: str) -> list[list[str]]:
    """The cells of the table that a script wrote, without its head."""
    text = page.split(mark(script), 1)[1].split(END, 1)[0]
    lines = [one for one in text.splitlines() if one.startswith("|")][2:]
    return [[cell.strip() for cell in one.strip("|").split("|")] for one in lines]


def numbers(cell: str) -> list[float]:
    """``74.0 % (65.4 to 82.6)`` as three numbers."""
    return [float(one.replace(",", "")) for one in re.findall(r"-?\d[\d,]*\.?\d*", cell)]


def trace(name: str, family: Family, x: float, score: str) -> Trace:
    """One form: its score in percent, with its interval where the table has one."""
    score_, *ends = (number / 100 for number in numbers(score))
    return Trace(name, family, (Spot(x, score_, *ends[:2]),))


def by_bytes(page: str) -> list[Trace]:
    """Language model and encoders, in megabytes."""
    models = [
        trace(f"SmolLM2, {one[0].split(',')[0]}", "own weights", numbers(one[1])[0], one[4])
        for one in rows_of("quantised.py", page)
    ]
    return models + [
        trace(f"{one[0]}, {one[1]}", "adapter", numbers(one[2])[0], one[4])
        for one in rows_of("quantised_encoders.py", page)
    ]


def by_milliseconds(page: str) -> list[Trace]:
    """Teacher and taught students of SST-2, and encoders in fewer bits: time of one row."""

    def of(name: str, family: Family, cell: str) -> Trace:
        score, rate = numbers(cell)
        return trace(name, family, 1000 / rate, str(score))

    taught = [one for one in rows_of("compression.py", page) if one[0] == "sst2"]
    traces = [of("teacher: multilingual-e5-small", "own weights", taught[0][2].split(":")[1])]
    traces += [of(f"taught: {one[3].strip('`')}", "soft prompt", one[5]) for one in taught]
    return traces + [
        trace(f"{one[0]}, {one[1]}", "adapter", 1000 / numbers(one[6])[0], one[4])
        for one in rows_of("quantised_encoders.py", page)
    ]


def drawn(traces: Sequence[Trace], title: str, unit: str) -> str:
    """Scores against a cost on a logarithmic scale."""
    ends = [(s.low or s.y, s.high or s.y) for one in traces for s in one.spots]
    up = axis([value for pair in ends for value in pair])
    across = log([one.spots[0].x for one in traces])
    labels = (f"{unit}, log scale", across, lambda tick: f"{tick:g}")
    return plane(traces, title, labels, ("SST-2, %", up, percent), legend=False)


# ------------------------------------------------------------------------- the steps of the page


def steps(page: str) -> Mapping[str, Any]:
    """What the first four programs of the page define: weights, and what keeps them."""
    names: dict[str, Any] = {}
    programs = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for program in programs[:4]:
        exec(compile(program, STEPS.name, "exec"), names)
    return names


def lanes(names: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Some weights as they are, and as each way keeps them."""
    weights = names["weights"]
    ways: dict[str, Callable[[], NDArray[np.float64]]] = {
        "before": lambda: weights,
        "4 bits, one scale for all": lambda: names["affine"](weights, 4),
        "4 bits, a scale for 32 (Q4_0)": lambda: names["blocks"](weights, 4),
        "quantiles, a scale for 64 (NF4)": lambda: names["quantiles"](weights),
    }
    return {name: way()[1, :SHOWN] for name, way in ways.items()}


def weights_drawing(some: Mapping[str, NDArray[np.float64]]) -> str:
    """A line for each way, a stroke for each weight at its value."""
    width, height, left = 680, 46 * len(some) + 30, 40
    far = max(float(np.abs(values).max()) for values in some.values())

    def x(value: float) -> float:
        return left + (value / far + 1) / 2 * (width - 2 * left)

    body = []
    for number, (name, values) in enumerate(some.items()):
        y = 24 + 46 * number
        count = len(np.unique(values.round(9)))
        words = f"{name}: {count} different values of {len(values)}"
        body.append(_text("c-name.c-out", left, y, words))
        body += [_line("c-stem.c-could", x(v), y + 6, x(v), y + 24) for v in sorted(set(values))]
    body.append(_text("c-title", left, height - 6, "the value of a weight; zero is in the middle"))
    return _svg("Weights before and after", body, width, height)


def levels_drawing(levels: NDArray[np.float64]) -> str:
    """NF4's levels under the density of the normal distribution whose quantiles they are."""
    width, height, ground = 680, 260, 200
    normal, end = NormalDist(), NormalDist().inv_cdf(0.9677083)

    def x(value: float) -> float:
        return 340 + value * 280

    curve = "L".join(
        f"{x(at):.1f} {ground - 160 * normal.pdf(at * end) / normal.pdf(0):.1f}"
        for at in np.linspace(-1.15, 1.15, 93)
    )
    body = [element("path.c-run.c-out", at={"d": f"M{curve}"})]
    for at in levels:
        top = ground - 160 * normal.pdf(at * end) / normal.pdf(0)
        body.append(_line("c-stem.c-could", x(at), top, x(at), ground + 8))
    body += [_line("c-grid", x(k / 7.5 - 1), ground + 16, x(k / 7.5 - 1), ground + 26)
             for k in range(16)]  # fmt: skip
    body.append(_text("c-title", 40, 14, "NF4: 16 levels, dense where weights are"))
    body.append(_text("c-title", 40, height - 14, "below: 16 levels in equal steps"))
    return _svg("NF4's levels under a normal distribution", body, width, height)


def _svg(title: str, body: Sequence[Markup], width: int, height: int) -> str:
    box = {"viewBox": f"0 0 {width} {height}"}
    return charts.standalone(element("svg", element("title", title), *body, at=box))


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    places = (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))
    return element(f"line.{name}", at={key: round(value, 1) for key, value in places})


def _text(name: str, x: float, y: float, words: str) -> Markup:
    return element(f"text.{name}", words, at={"x": x, "y": y, "text-anchor": "start"})


def drawings() -> dict[Path, str]:
    """All files and what is in them."""
    page, names = PAGE.read_text(encoding="utf-8"), steps(STEPS.read_text(encoding="utf-8"))
    results, docs = PAGE.parent, STEPS.parent
    return {
        results / "compression-bytes.svg": drawn(
            by_bytes(page), "Score against bytes", "megabytes on disk"
        ),
        results / "compression-milliseconds.svg": drawn(
            by_milliseconds(page), "Score against milliseconds", "milliseconds a row"
        ),
        docs / "quantisation-weights.svg": weights_drawing(lanes(names)),
        docs / "quantisation-levels.svg": levels_drawing(names["levels"]),
    }


def main() -> None:
    for path, svg in drawings().items():
        write_atomic(path, svg)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
