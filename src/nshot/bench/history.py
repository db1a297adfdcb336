"""How a run went: the seconds of each piece of work in the order of the plan, and its verdicts.

All of it is computed from the outcomes, whose seconds the store keeps: a resumed run tells the
same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from nshot.bench.execute.base import Outcome
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known
from nshot.bench.race import Racing, Rounds, Runner, Step
from nshot.board.decide import decide
from nshot.board.schema import Race, RaceRound, RaceStep
from nshot.core.types import group_numbers

Stage: TypeAlias = Literal["trial", "search", "fit", "answer"]
_STAGES: Mapping[str, Stage] = {
    "trial": "trial",
    "search": "search",
    "measure": "fit",
    "answer": "answer",
}
Verdicts: TypeAlias = dict[tuple[str, ...], RaceRound | None]
"""Of each round, by the titles of what had ended: a board is written often."""


def race_of(racing: Racing, known: Known, verdicts: Verdicts) -> Race:
    """The steps of a run, and how question 1 stood after each round; `verdicts` keeps those."""
    ladder = racing.ladder
    race = racing.rounds(known) if ladder.prepared.question == 1 else None
    rounds = race.history if race else [_drawn(ladder, known)]
    steps: list[RaceStep] = []
    ends: list[float] = []
    counted: set[str] = set()
    clock = 0.0
    for pieces in rounds:
        for piece in pieces:
            for stage, seconds in _work(piece, known, counted):
                name, rows = piece.contender.name, _rows(piece, stage)
                step = RaceStep(
                    contender=name, stage=stage, rows=rows, seconds=seconds, started=clock
                )
                steps.append(step)
                clock += seconds
        ends.append(clock)
    stood = _rounds(racing, known, race, ends, verdicts) if race and ladder.rows else ()
    return Race(steps=tuple(steps), rounds=tuple(stood))


def _drawn(ladder: Ladder, known: Known) -> list[Step | Draw]:
    """The draws of question 2 that have ended."""
    return [draw for draw in ladder.draws if draw.title in known.states]


def _work(piece: Step | Draw, known: Known, counted: set[str]) -> Iterator[tuple[Stage, float]]:
    """(stage, seconds) of each job behind a piece; one that several pieces share counts once."""
    for outcome in (*piece.searches(known), *piece.work(known).done):
        name = outcome.job.name(known.context)
        if name not in counted:
            counted.add(name)
            yield _STAGES[outcome.job.kind], _seconds(outcome)


def _seconds(outcome: Outcome) -> float:
    """What a job took when it was done. What was only calibrated later took nothing."""
    if outcome.job.kind == "measure" and outcome.job.source:
        return 0.0
    if outcome.job.kind in ("measure", "answer"):
        measured = outcome.measurement
        return measured.build.spent_seconds + measured.use.spent_seconds
    return float(outcome.body["spent_seconds"])


def _rows(piece: Step | Draw, stage: Stage) -> int:
    """Test rows that were answered once this was done."""
    if stage in ("trial", "search"):
        return piece.start if isinstance(piece, Step) else 0
    prepared = piece.ladder.prepared
    whole = piece.ladder.rows or len(prepared.split.train)
    return (piece.stop or whole) if isinstance(piece, Step) else whole


def _rounds(
    racing: Racing, known: Known, race: Rounds, ends: Sequence[float], verdicts: Verdicts
) -> Iterator[RaceRound]:
    """The rounds that are over, from that on in which the last of those with answers began."""
    runners = racing.runners()
    ended: tuple[str, ...] = ()
    over = len(race.history) - bool(race.pending)
    for pieces, end in list(zip(race.history, ends, strict=True))[:over]:
        for piece in pieces:
            runners[piece.contender.name].take(piece, known)
        ended += tuple(sorted(piece.title for piece in pieces))
        if any(race.runners[name].parts and not one.parts for name, one in runners.items()):
            continue
        if ended not in verdicts:
            verdicts[ended] = _standing(racing, runners, end)
        if standing := verdicts[ended]:
            yield standing


def _standing(racing: Racing, runners: dict[str, Runner], end: float) -> RaceRound | None:
    """What would have been decided then; None where nothing was measured yet."""
    ladder, columns = racing.ladder, racing.columns(runners)
    if not columns:
        return None
    rows = max(column.rows for column in columns)
    decision = decide(
        columns,
        groups=group_numbers(ladder.prepared.setting.test[:rows]),
        give_up=ladder.give_up,
        tried=len(runners),
    )
    return RaceRound(ended=end, pick=decision.pick, verdict=decision.verdict)


def left_seconds(ladder: Ladder, runner: Runner) -> float | None:
    """The forecast of what was left to do for a contender that was put aside."""
    if not runner.aside:
        return None
    whole = ladder.forecasts.of(runner.contender, None)
    build = 0.0 if runner.parts else whole.build
    search = 0.0 if runner.searched else whole.search
    left = 1 - runner.rows / ladder.rows if ladder.rows else 1.0
    return search + build + whole.use * left
