"""What follows the choice: the pick on fresh draws, the pick delivered, the judge heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nshot.bench.contenders import Contender
from nshot.bench.jobs.job import Job
from nshot.bench.judging import judge_rows
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known, Piece, Single
from nshot.board.judge import Comparison, Verdicts
from nshot.board.reduce import Size, shown
from nshot.core.serial import to_data
from nshot.core.types import Measurement, ModelRef
from nshot.methods.contract import Method

CONFIRMATIONS = 2
"""Fresh draws that the pick is measured on, after it was chosen."""
ENOUGH_DRAWS = 5
"""A pick with so many needs no fresh ones: what winning flatters is small by then."""


@dataclass(frozen=True)
class Pick:
    """The contender that was chosen, with its settings."""

    contender: Contender
    chosen: Method
    source: str = ""
    """The job that has saved what was measured, where that is what is delivered."""
    calibration: Mapping[str, Any] | None = None
    """As the search of its first draw fitted it."""
    fallback: bool = False
    """It is measured because nothing else could be: no budget holds it back."""
    draws: int = 1
    """Those that it is measured on."""


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
        pieces: list[Piece] = [*self.confirmations, self.delivery(known)]
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
        enough = self.pick.draws >= ENOUGH_DRAWS
        if folds or enough or prepared.largest is None or not contender.method.learns:
            return []
        first = self.ladder.forecasts.repeats(contender, prepared.largest)
        return [
            Draw(self.ladder, contender, prepared.largest, first + number,
                 (number, CONFIRMATIONS), self.pick.fallback, fresh=True)
            for number in range(CONFIRMATIONS)
        ]  # fmt: skip

    def delivery(self, known: Known) -> Single:
        """What was measured; or the pick adapted anew: after folds or draws, or as it is wished."""
        pick, prepared = self.pick, self.ladder.prepared
        if not pick.contender.method.hands_over:
            title = f"{pick.contender.name} · nothing to hand over"
            job = replace(pick.contender.job("deliver", pick.chosen, None, 0), source=pick.source)
            return Single(title, job, words="stay with it: there is no model to deliver")
        if pick.source and not prepared.request.refit_on_all:
            title = f"{pick.contender.name} · deliver as measured"
            job = replace(pick.contender.job("deliver", pick.chosen, None, 0), source=pick.source)
            return Single(title, job, words="saved in winner/")
        held_out = prepared.request.refit_on_all and prepared.split.mode == "holdout"
        return refit(
            self.ladder, pick.contender, pick.chosen, None, known, pick.calibration,
            0 if held_out else None,
        )  # fmt: skip


def refit(
    ladder: Ladder,
    contender: Contender,
    chosen: Method,
    size: Size,
    known: Known,
    calibration: Mapping[str, Any] | None = None,
    stop: int | None = None,
) -> Single:
    """A contender adapted on `size` shots, saved as ``winner/`` and measured on the test rows.

    Without test rows its settings come from a search on all rows, which comes first; `stop` 0: it
    learns from the test rows too, and is not measured.
    """
    if ladder.prepared.split.mode == "folds" and contender.is_open(ladder.prepared.task.kind):
        search = Single(f"{contender.name} · search on all rows", contender.search(size, 0, None))
        outcome = known.of(search.job)
        if outcome is None or outcome.state != "ok":
            return search
        chosen, calibration = ladder.chosen(known, search.job)
    title = f"{contender.name} · adapt on {shown(size)} rows and save"
    job = contender.job("deliver", chosen, size, 0)
    job = replace(job, stop=stop, calibration=calibration)
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
            chosen, calibration = self.ladder.chosen(known, search.job)
        return refit(self.ladder, contender, chosen, size, known, calibration)


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
    who = prepared.setting.judge
    if who is None:
        return None
    ref = who if isinstance(who, ModelRef) else None
    reward = {} if ref else {"reward": to_data(who)}

    def preferences(what: str, compared: Sequence[Comparison]) -> list[float]:
        job = Job("judge", {"comparisons": [asdict(one) for one in compared], **reward}, base=ref)
        outcome = known.of(job)
        if outcome is None or outcome.state != "ok":
            verdict = f"{len(compared)} compared"
            raise _Unanswered(Single(f"judge · {what}", job, words=verdict))
        return list(outcome.body["preferences"])

    rows = {e.id: e for e in prepared.split.test or prepared.split.train}
    try:
        return judge_rows(who.name, prepared.task, measured, rows, prepared.pairs, preferences)
    except _Unanswered as question:
        return question.piece
