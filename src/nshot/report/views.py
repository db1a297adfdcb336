"""What a page or a plot needs of the board: its rows in order, each with its place and its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from markupsafe import Markup

from nshot.board.schema import Advice, Board, Race, Row
from nshot.report.charts import Lane, Losses, Mark, Role, Series, Work, rounds_panel
from nshot.report.headings import rows_answered

Cost: TypeAlias = Literal["use_seconds_per_1000", "build_seconds", "money_per_1000"]


@dataclass(frozen=True)
class View:
    """A row of the board: `path` is its JSON pointer, `role` what the advice says of it."""

    path: str
    row: Row
    role: Role
    frontier: bool
    seeds_are: str = "draws"

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def gap(self) -> float | None:
        """Score on its own training examples minus the score on test."""
        row = self.row
        if row.train_score is None or row.score is None:
            return None
        return row.train_score - row.score


def views(board: Board) -> list[View]:
    """All rows of the board in the file's order."""
    advice = board.advice
    pick = advice.pick if advice else None
    could, best = (advice.could_be_best, advice.frontier) if advice else ((), ())
    seeds_are = "draws" if board.task.question == 2 else "repeats"
    rows = []
    for i, row in enumerate(board.rows):
        role: Role = "pick" if row.name == pick else "could" if row.name in could else "out"
        rows.append(View(f"/rows/{i}", row, role, row.name in best, seeds_are))
    return rows


def contest(board: Board) -> list[View]:
    """The measured rows of the contest, best score first, those without a score last."""
    rows = [view for view in views(board) if view.row.in_contest and view.row.status == "ok"]
    return sorted(rows, key=_best_first)


def asides(board: Board) -> list[View]:
    """The rows that a race put aside, best score first, those without one last."""
    rows = [view for view in views(board) if view.row.in_contest and view.row.status == "aside"]
    return sorted(rows, key=_best_first)


def _best_first(view: View) -> tuple[bool, float]:
    return view.row.score is None, -(view.row.score or 0.0)


def outside(board: Board) -> list[View]:
    """Rows outside the choice: the winner as delivered, merged, exported."""
    return [view for view in views(board) if not view.row.in_contest]


def missing(board: Board) -> list[View]:
    """Rows that were skipped or failed."""
    out = ("skipped", "failed")
    return [view for view in views(board) if view.row.in_contest and view.row.status in out]


def marks(rows: Sequence[View], cost: Cost = "use_seconds_per_1000") -> list[Mark]:
    """All rows that have a score, as marks; `cost` is what theirs is."""
    return [
        Mark(
            view.name,
            view.role,
            row.score,
            row.low,
            row.high,
            _cost(row, cost),
            row.per_seed if len(row.per_seed) > 1 else (),
            partial=row.status == "aside",
            seeds_are=view.seeds_are,
        )
        for view in rows
        if (row := view.row).score is not None
    ]


def _cost(row: Row, cost: Cost) -> float | None:
    """In seconds or money. What this machine answers is not paid; of others' answers without a
    figure nobody knows."""
    if cost == "money_per_1000" and row.money_per_1000 is None:
        return 0.0 if row.latency is None and row.rung != "outside" else None
    value: float | None = getattr(row, cost)
    return value


def series(rows: Sequence[View]) -> list[Series]:
    """The score over shots of each row that has points; [] where no row has two sizes."""
    lines = []
    for view in rows:
        points = [
            (p.shots if p.rows is None else p.rows, p.score, p.low, p.high)
            for p in view.row.curve
            if p.score is not None
        ]
        if points:
            lines.append(Series(view.name, view.role, tuple(sorted(points, key=_size))))
    return lines if any(len(line.points) > 1 for line in lines) else []


def losses(rows: Sequence[View]) -> list[Losses]:
    """How the loss fell, of each row that was trained by steps."""
    return [
        Losses(view.name, view.role, curve.train, curve.validation)
        for view in rows
        if (curve := view.row.learning_curve) and curve.train
    ]


ROUNDS = (("reward", ""), ("kl", " nats an answer"), ("length", " tokens"), ("repetition", ""))
"""What is shown of a policy's rounds, and its unit."""


def rounds(rows: Sequence[View]) -> list[tuple[str, list[Markup]]]:
    """(name, a drawing for each figure) of each row that sampled answers of its own."""
    return [
        (view.name, round_panels(curve.rounds))
        for view in rows
        if (curve := view.row.learning_curve) and curve.rounds
    ]


def round_panels(figures: Mapping[str, Sequence[float]]) -> list[Markup]:
    """A drawing for each figure of a policy's rounds."""
    return [
        rounds_panel("KL" if name == "kl" else name, figures[name], unit)
        for name, unit in ROUNDS
        if figures.get(name)
    ]


def lanes(board: Board, race: Race) -> list[Lane]:
    """The work of each row of the contest that had any, in the order in which they began."""
    work: dict[str, list[Work]] = {step.contender: [] for step in race.steps}
    for step in race.steps:
        work[step.contender].append(Work(step.stage, step.started, step.seconds))
    rows = {view.name: view for view in views(board) if view.row.in_contest}
    return [
        Lane(name, rows[name].role, tuple(own), _where(rows[name].row, board))
        for name, own in work.items()
        if name in rows
    ]


def _where(row: Row, board: Board) -> str:
    """Where a row stopped, in a few words."""
    if row.status == "failed":
        return "failed"
    rows = rows_answered(row, board.task)
    return f"{rows} rows" if rows else "no test row"


def stands(race: Race, advice: Advice | None) -> tuple[float, str] | None:
    """From which second on pick and verdict stayed as they are, and that verdict."""
    if advice is None:
        return None
    since = None
    for stood in race.rounds:
        if (stood.pick, stood.verdict) != (advice.pick, advice.verdict):
            since = None
        elif since is None:
            since = stood.ended
    words = advice.verdict.replace("_", " ")
    return None if since is None else (since, f"{words} from here")


def _size(point: tuple[int | str, float, float | None, float | None]) -> tuple[bool, int]:
    shots = point[0]
    return (True, 0) if isinstance(shots, str) else (False, shots)
