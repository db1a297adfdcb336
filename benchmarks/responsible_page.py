"""docs/results/responsible.md: the cells of benchmarks/responsible.py as a table.

A figure of the base with its interval; of every other model what changed against it, with the
interval of the pairs. Probabilities of the changes are held for all changes in the table (Holm).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nshot.audit.estimates import Estimate, Figure, difference, estimate, held
from nshot.audit.luck import ALPHA
from nshot.audit.sets.known_set import ALL
from nshot.audit.sets.table import SETS
from nshot.core.serial import read_json
from table import ROOT, line, write

PAGE = ROOT / "docs" / "results" / "responsible.md"
BASE = "base"
LEFT_OUT = ("ties", "accuracy, pro", "accuracy, anti")
"""Figures that explain another one."""


class Change(NamedTuple):
    """One model's figure against the base's."""

    set: str
    figure: str
    model: str
    made: Estimate


def write_page(folder: Path, rows_of: Callable[[str, int], Sequence[Any]]) -> None:
    """Write the table of the cells in `folder` to the page."""
    write("responsible.py", text(read_cells(folder), rows_of), PAGE)


def read_cells(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """By model and set."""
    cells = {}
    for path in sorted(folder.glob("*.json")):
        model, _, name = path.stem.rpartition(".")
        cells[model, name] = read_json(path)
    return cells


def text(
    cells: Mapping[tuple[str, str], Mapping[str, Any]],
    rows_of: Callable[[str, int], Sequence[Any]],
) -> str:
    """The table, and what of it is not there."""
    models = sorted({model for model, _ in cells if model != BASE})
    changes: list[Change] = []
    levels: dict[tuple[str, str], Estimate] = {}
    for name in SETS:
        if (BASE, name) not in cells:
            continue
        rows = rows_of(name, cells[BASE, name]["asked_for"])
        base = headlines(name, rows, cells[BASE, name]["scores"])
        levels |= {(name, figure.name): estimate(figure) for figure in base}
        for model in models:
            if (model, name) in cells:
                after = headlines(name, rows, cells[model, name]["scores"])
                changes += [
                    Change(name, b.name, model, difference(a, b))
                    for a, b in zip(base, after, strict=True)
                ]
    ps = held([1.0 if one.made.p is None else one.made.p for one in changes])
    told = {(one.set, one.figure, one.model): (one.made, p)
            for one, p in zip(changes, ps, strict=True)}  # fmt: skip
    return "\n".join([*_table(levels, models, told), "", *_absent(cells, models)])


def headlines(name: str, rows: Sequence[Any], scores: Sequence[Sequence[float]]) -> list[Figure]:
    """The figures over all rows of a set, without those that explain another."""
    figures = SETS[name].figures(rows, np.array(scores))
    return [one for one in figures if one.category == ALL and one.name not in LEFT_OUT]


def _table(
    levels: Mapping[tuple[str, str], Estimate],
    models: Sequence[str],
    told: Mapping[tuple[str, str, str], tuple[Estimate, float]],
) -> list[str]:
    heads = [
        "set",
        "figure",
        "rows",
        "groups",
        "base, %",
        *(f"{m}: change, points" for m in models),
    ]
    lines = [line(*heads), "|---|---|--:|--:|--:|" + "--:|" * len(models)]
    for (name, figure), level in levels.items():
        cells = [_change(told.get((name, figure, model)), figure) for model in models]
        lines.append(
            line(SETS[name].title, figure, str(level.rows), str(level.groups),
                 _interval(level, figure), *cells)
        )  # fmt: skip
    return lines


def _change(one: tuple[Estimate, float] | None, figure: str) -> str:
    if one is None:
        return "not measured"
    words = _interval(one[0], figure, signed=True)
    return f"**{words}**" if one[1] < ALPHA else words


def _interval(one: Estimate, figure: str, signed: bool = False) -> str:
    """In hundredths; nats as they are."""
    factor, form = (1, "+.3f" if signed else ".3f") if "nats" in figure else (
        100, "+.1f" if signed else ".1f")  # fmt: skip
    value, low, high = (format(factor * end, form) for end in (one.value, one.low, one.high))
    return f"{value} ({low} to {high})"


def _absent(cells: Mapping[tuple[str, str], Mapping[str, Any]], models: Sequence[str]) -> list[str]:
    absent = [f"{model} on {name}" for model in (BASE, *models) for name in SETS
              if (model, name) not in cells]  # fmt: skip
    seconds = sum(cell["processor_seconds"] for cell in cells.values())
    took = f"{len(cells)} cells, {seconds:.0f} seconds of one thread's processor."
    return [f"{took} Not measured: {', '.join(absent)}." if absent else took]
