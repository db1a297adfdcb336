"""What follows the choice: the pick on fresh draws, the pick delivered, the judge heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nshot.bench.contenders import Contender
from nshot.bench.jobs.job import Job
from nshot.bench.judging import judge_rows
from nshot.bench.plan import Draw, Known, Ladder, Piece, Single
from nshot.board.judge import Comparison, Verdicts
from nshot.board.reduce import Size, shown
from nshot.core.types import Measurement
from nshot.methods.contract import Method

CONFIRMATIONS = 2
"""Fresh draws that the pick is measured on, after it was chosen."""


@dataclass(frozen=True)
class Pick:
    """The contender that was chosen, with its settings."""

    contender: Contender
    chosen: Method
    fallback: bool = False
    """It is measured because nothing else could be: no budget holds it back."""
    calibration: Mapping[str, Any] | None = None
    """As the search of its first draw fitted it."""


@dataclass(frozen=True)
class Finishing:
    """Confirm the pick, deliver it, ask the judge.

    `measured` are the first draws of the rows that a judge is to compare, by name.
    """

    ladder: Ladder
    pick: Pick
    measured: Mapping[str, Measurement]

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        pieces: list[Piece] = [*self.confirmations, self.delivery]
        for piece in pieces:
            if piece.title not in known.states:
                yield piece
        verdict = judge(self.ladder, self.measured, known)
        if isinstance(verdict, Single) and verdict.title not in known.states:
            yield verdict

    @property
    def confirmations(self) -> list[Draw]:
        """Two fresh draws of the pick: its score without the luck of having been chosen."""
        prepared, contender = self.ladder.prepared, self.pick.contender
        folds = prepared.split.mode == "folds"
        if folds or prepared.largest is None or not contender.method.learns:
            return []
        first = prepared.request.seeds
        return [
            Draw(self.ladder, contender, prepared.largest, first + number,
                 (number, CONFIRMATIONS), self.pick.fallback, fresh=True)
            for number in range(CONFIRMATIONS)
        ]  # fmt: skip

    @property
    def delivery(self) -> Single:
        """The pick refitted on all labelled rows and saved."""
        return delivery(self.pick.contender, self.pick.chosen, None, self.pick.calibration)


def delivery(
    contender: Contender, chosen: Method, size: Size, calibration: Mapping[str, Any] | None
) -> Single:
    """A contender adapted on `size` shots as chosen, saved as ``winner/``, measured as saved."""
    title = f"{contender.name} · adapt on {shown(size)} shots and save"
    job = replace(contender.job("deliver", chosen, size, 0), calibration=calibration)
    return Single(title, job, words="saved in winner/")


@dataclass(frozen=True)
class Adapting:
    """One contender: search, adapt, save."""

    ladder: Ladder

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        piece = self.piece(known)
        if piece.title not in known.states:
            yield piece

    def piece(self, known: Known) -> Single:
        """The search where settings are open, then the delivery."""
        (contender, *_), size = self.ladder.contenders, self.ladder.prepared.largest
        chosen, calibration = contender.method, None
        if contender.is_open(self.ladder.prepared.task.kind):
            search = Single(f"{contender.name} · search", contender.search(size, 0, None))
            outcome = known.of(search.job)
            if outcome is None or outcome.state != "ok":
                return search
            chosen = self.ladder.prepared.setting.table.build(outcome.body["spec"])
            calibration = outcome.body["calibration"]
        return delivery(contender, chosen, size, calibration)


# ------------------------------------------------------------------ the judge


class _Unanswered(Exception):
    """A judge's question that is not answered yet."""

    def __init__(self, piece: Single) -> None:
        self.piece = piece
        super().__init__(piece.title)


def judge(
    ladder: Ladder, measured: Mapping[str, Measurement], known: Known
) -> Verdicts | Single | None:
    """What the judge says of the rows, or what to ask it next; None where none was named."""
    prepared = ladder.prepared
    ref = prepared.setting.judge
    if ref is None:
        return None

    def preferences(what: str, compared: Sequence[Comparison]) -> list[float]:
        job = Job("judge", {"comparisons": [asdict(one) for one in compared]}, base=ref)
        outcome = known.of(job)
        if outcome is None or outcome.state != "ok":
            verdict = f"{len(compared)} compared"
            raise _Unanswered(Single(f"judge · {what}", job, words=verdict))
        return list(outcome.body["preferences"])

    rows = {e.id: e for e in prepared.split.test or prepared.split.train}
    try:
        return judge_rows(ref.name, prepared.task, measured, rows, prepared.pairs, preferences)
    except _Unanswered as question:
        return question.piece
