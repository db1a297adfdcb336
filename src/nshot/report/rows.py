"""What a page or a plot needs of leaderboard.json: its rows in order, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nshot.report.charts import Losses, Mark, Role, Series
from nshot.report.numbers import finite


@dataclass(frozen=True)
class Row:
    """One entry of ``rows``: `path` is its JSON pointer, `role` what the advice says of it."""

    path: str
    data: Mapping[str, Any]
    role: Role
    frontier: bool

    @property
    def name(self) -> str:
        """The method's name."""
        return str(self.data.get("name", ""))

    @property
    def score(self) -> float | None:
        """The measured score, a fraction."""
        return finite(self.data.get("score"))


def listed(value: Any) -> Sequence[Any]:
    """`value` where it is a list, else an empty one: a board written half-way lacks some."""
    return value if isinstance(value, (list, tuple)) else ()


def mapped(value: Any) -> Mapping[str, Any]:
    """`value` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(board: Mapping[str, Any]) -> list[Row]:
    """All entries of the board in the file's order."""
    advice = mapped(board.get("advice"))
    could, best = listed(advice.get("could_be_best")), listed(advice.get("frontier"))
    found = []
    for i, data in enumerate(listed(board.get("rows"))):
        name = data.get("name")
        role: Role = "pick" if name == advice.get("pick") else "could" if name in could else "out"
        found.append(Row(f"/rows/{i}", data, role, name in best))
    return found


def measured(board: Mapping[str, Any]) -> list[Row]:
    """The contest: rows as trained that were measured, best score first, without a score last."""
    found = [row for row in rows(board) if _trained(row) and row.data.get("status") == "ok"]
    return sorted(found, key=lambda row: (row.score is None, -(row.score or 0.0)))


def delivered(board: Mapping[str, Any]) -> list[Row]:
    """Rows outside the choice: the winner refitted, merged, exported."""
    return [row for row in rows(board) if not _trained(row)]


def missing(board: Mapping[str, Any]) -> list[Row]:
    """Rows that were skipped or failed."""
    return [row for row in rows(board) if _trained(row) and row.data.get("status") != "ok"]


def _trained(row: Row) -> bool:
    return str(row.data.get("form", "trained")) == "trained"


def mark(row: Row, cost: str = "use_seconds_per_1000") -> Mark | None:
    """The row as a mark in a chart, or None without a score; `cost` is the key of its seconds."""
    if row.score is None:
        return None
    seeds = (finite(seed) for seed in listed(row.data.get("per_seed")))
    return Mark(
        row.name,
        row.role,
        row.score,
        finite(row.data.get("low")),
        finite(row.data.get("high")),
        finite(row.data.get(cost)),
        tuple(seed for seed in seeds if seed is not None),
    )


def marks(found: Sequence[Row], cost: str = "use_seconds_per_1000") -> list[Mark]:
    """All rows that have a score, as marks."""
    return [one for one in (mark(row, cost) for row in found) if one is not None]


def series(found: Sequence[Row]) -> list[Series]:
    """The score over shots of each row that has points; [] where no row has two sizes."""
    lines = []
    for row in found:
        points = [
            (point["shots"], score, finite(point.get("low")), finite(point.get("high")))
            for point in listed(row.data.get("curve"))
            if (score := finite(point.get("score"))) is not None
        ]
        if points:
            lines.append(Series(row.name, row.role, tuple(sorted(points, key=_size))))
    return lines if any(len(line.points) > 1 for line in lines) else []


def losses(found: Sequence[Row]) -> list[Losses]:
    """How the loss fell, of each row that was trained by steps."""
    curves = [(row, mapped(row.data.get("learning_curve"))) for row in found]
    return [
        Losses(row.name, row.role, train, _points(curve.get("validation")))
        for row, curve in curves
        if (train := _points(curve.get("train")))
    ]


def _points(value: Any) -> tuple[tuple[int, float], ...]:
    """Pairs of a step and a finite loss."""
    pairs = ((step, finite(loss)) for step, loss in listed(value))
    return tuple((step, loss) for step, loss in pairs if loss is not None)


def _size(point: tuple[int | str, float, float | None, float | None]) -> tuple[bool, int]:
    shots = point[0]
    return (True, 0) if isinstance(shots, str) else (False, shots)
