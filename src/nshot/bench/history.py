"""How a run went: the seconds of each piece of work in the order of its rounds, and its verdicts.

All of it is computed from the outcomes, whose seconds the store keeps: a resumed run tells the
same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from nshot.bench.execute.base import Outcome
from nshot.bench.plan import Known
from nshot.bench.rounds import Measuring, Race, Rounds, Runner, Step
from nshot.board.decide import decide
from nshot.board.schema import Race as RaceHistory
from nshot.board.schema import RaceRound, RaceStep
from nshot.core.types import group_numbers

Stage: TypeAlias = Literal["trial", "search", "fit", "answer"]
_STAGES: Mapping[str, Stage] = {
    "short_trial": "trial",
    "trial": "trial",
    "search": "search",
    "measure": "fit",
    "answer": "answer",
}
Verdicts: TypeAlias = dict[tuple[str, ...], RaceRound | None]
"""Of each round, by the titles of what had ended: a board is written often."""


def race_of(race: Race, known: Known, verdicts: Verdicts) -> RaceHistory:
    """The steps of a run, and how it stood after each round; `verdicts` keeps those."""
    rounds = race.rounds(known)
    steps: list[RaceStep] = []
    ends: list[float] = []
    counted: set[str] = set()
    clock = 0.0
    for pieces in rounds.history:
        for piece in pieces:
            for stage, seconds in _work(piece, known, counted):
                name, rows = piece.contender.name, _rows(piece, stage)
                step = RaceStep(
                    contender=name, stage=stage, rows=rows, seconds=seconds, started=clock
                )
                steps.append(step)
                clock += seconds
        ends.append(clock)
    stood = _rounds(race, known, rounds, ends, verdicts) if race.ladder.rows else ()
    return RaceHistory(steps=tuple(steps), rounds=tuple(stood))


def _work(piece: Measuring, known: Known, counted: set[str]) -> Iterator[tuple[Stage, float]]:
    """(stage, seconds) of each job behind a piece; one that several pieces share counts once."""
    for outcome in (*piece.searches(known), *known.work(piece).done):
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


def _rows(piece: Measuring, stage: Stage) -> int:
    """Test rows that were answered once this was done."""
    if stage in ("trial", "search"):
        return piece.start if isinstance(piece, Step) else 0
    prepared = piece.ladder.prepared
    whole = piece.ladder.rows or len(prepared.split.train)
    return (piece.stop or whole) if isinstance(piece, Step) else whole


def _rounds(
    race: Race, known: Known, rounds: Rounds, ends: Sequence[float], verdicts: Verdicts
) -> Iterator[RaceRound]:
    """The rounds that are over, from that on in which the last of those with answers began.

    Smaller sizes decide nothing.
    """
    runners, largest = race.runners(), race.ladder.prepared.largest
    ended: tuple[str, ...] = ()
    over = len(rounds.history) - bool(rounds.pending)
    left_out = sum(runner.left_out for runner in rounds.runners.values())
    for pieces, end in list(zip(rounds.history, ends, strict=True))[:over]:
        if any(piece.size != largest for piece in pieces):
            return
        for piece in pieces:
            runners[piece.contender.name].take(piece, known)
        ended += tuple(sorted(piece.title for piece in pieces))
        if any(rounds.runners[name].parts and not one.parts for name, one in runners.items()):
            continue
        if ended not in verdicts:
            verdicts[ended] = _standing(race, runners, end, left_out)
        if standing := verdicts[ended]:
            yield standing


def _standing(
    race: Race, runners: dict[str, Runner], end: float, left_out: int
) -> RaceRound | None:
    """What would have been decided then; None where nothing was measured yet.

    `left_out` contenders were not measured in the whole run.
    """
    ladder, columns = race.ladder, race.columns(runners)
    if not columns:
        return None
    rows = max(column.rows for column in columns)
    decision = decide(
        columns,
        question=ladder.prepared.question,
        groups=group_numbers(ladder.prepared.setting.test[:rows]),
        give_up=ladder.give_up,
        tried=len(runners),
        left_out=left_out,
    )
    return RaceRound(ended=end, pick=decision.pick, verdict=decision.verdict)


def left_seconds(runner: Runner) -> float | None:
    """The forecast of what was left to do for a contender that was put aside or not reached."""
    if not (runner.aside or runner.left_out):
        return None
    ladder, largest = runner.ladder, runner.ladder.prepared.largest
    whole = ladder.forecasts.of(runner.contender, largest)
    repeats = ladder.forecasts.repeats(runner.contender, largest) if ladder.rows else 1
    answered = runner.draws * runner.rows / ladder.rows if ladder.rows else 0.0
    search = 0.0 if runner.searched else whole.search
    return search + whole.build * (repeats - runner.draws) + whole.use * (repeats - answered)
