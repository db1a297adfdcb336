"""Question 1: every contender once on all labelled rows, the slow ones only as far as they may win.

The rounds are computed from the outcomes alone, so that a resumed run goes through the same ones:
first everything fast, a trial of each dear method on some labelled rows and the first test rows of
each of the others; then, round by round, who may still be the pick goes on. The costs that are
weighed are those of a fixed machine (`Forecasts.nominal`): no clock decides who is put aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from nshot.bench.contenders import Contender
from nshot.bench.execute.base import Outcome
from nshot.bench.jobs.job import Job
from nshot.bench.jobs.trial import trial_fold
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known, Piece, Work
from nshot.bench.search import open_settings
from nshot.board.decide import Column, Floats
from nshot.board.racing import GOES_ON, Standing, chance_before_test, race
from nshot.board.words import in_points
from nshot.methods.contract import Method
from nshot.methods.spec import spec_hash
from nshot.metrics import Metric, metric_of, points, score
from nshot.predictors.measure import Answered, joined

DEAR = 60.0
"""Seconds to build and search, on a fixed machine, from which a trial comes before a test row."""
Stage: TypeAlias = Literal["trial", "first", "search", "more"]


@dataclass(frozen=True)
class Step:
    """A piece of one contender's race: see `Runner.take` for what each stage brings."""

    ladder: Ladder
    contender: Contender
    stage: Stage
    start: int = 0
    stop: int | None = None
    """Test rows from `start` to `stop`; None: to the last."""
    chosen: Method | None = None
    """With these settings; None: with the defaults."""
    source: str = ""
    """The job that has adapted it."""
    place: tuple[int, int] = (0, 1)
    fallback: ClassVar[bool] = False
    number: ClassVar[int] = 0
    size: ClassVar[None] = None

    @property
    def title(self) -> str:
        """See `Piece`."""
        if self.stage == "trial":
            return f"{self.contender.name} · trial on labelled rows"
        rows = f"test rows {self.start + 1} to {self.stop or self.ladder.rows}"
        return f"{self.contender.name} · {'search and ' * (self.stage == 'search')}{rows}"

    @property
    def why_not(self) -> str | None:
        """One sentence where the contender cannot work on this."""
        return self.ladder.forecasts.why_not(self.contender, None)

    @property
    def decides(self) -> bool:
        """Is its contender a row without a score where this is left?"""
        return self.stage != "more" and not self.source

    @property
    def method(self) -> Method:
        """With its settings, before any search of this piece."""
        return self.chosen or self.contender.method

    def work(self, known: Known) -> Work:
        """See `Piece`."""
        done: list[Outcome] = []
        for job in self._jobs(known):
            outcome = known.of(job)
            if outcome is None:
                return Work([job], done)
            if outcome.state != "ok":
                return Work([], done, outcome)
            done.append(outcome)
        return Work([], done)

    def _jobs(self, known: Known) -> Iterator[Job]:
        """One after the other, as far as the outcomes of those before say what they are."""
        contender = self.contender
        if self.stage == "trial":
            yield contender.job("trial", self.method.for_trial, None, 0)
        elif self.stage == "more":
            job = contender.job("answer", self.method, None, 0)
            yield replace(job, start=self.start, stop=self.stop, source=self.source)
        else:
            chosen, calibration, source = self.method, None, ""
            if self.stage == "search":
                search = contender.search(None, 0, None)
                yield search
                chosen, calibration = self.ladder.chosen(known, search)
                source = self.source if same(chosen, self.method) else ""
            job = contender.job("measure", chosen, None, 0)
            yield replace(job, stop=self.stop, source=source, calibration=calibration)

    def outcome(self, work: Work) -> str:
        """Its score, on the rows that this piece asked."""
        bodies = [outcome.body for outcome in work.done if "statistics" in outcome.body]
        rows = [row for body in bodies for row in body["statistics"]]
        if not rows:
            return "the settings it had"
        value = score(metric_of(self.ladder.prepared.task), np.array(rows, dtype=np.float64))
        on = " of labelled rows it had not seen" if self.stage == "trial" else ""
        return f"{100 * value:.1f} %{on}"

    def seconds(self, known: Known) -> float:
        """The forecast of what it takes."""
        whole = self.ladder.forecasts.of(self.contender, None)
        count = (self.stop or self.ladder.rows) - self.start
        use = whole.use * count / max(self.ladder.rows, 1)
        return {
            "trial": self.ladder.forecasts.trial(self.contender),
            "first": whole.build + use,
            "search": whole.search,
            "more": use,
        }[self.stage]

    def searches(self, known: Known) -> list[Outcome]:
        """The search behind it, where it went well."""
        outcome = known.of(self.contender.search(None, 0, None)) if self.stage == "search" else None
        return [outcome] if outcome and outcome.state == "ok" else []


def same(one: Method, other: Method) -> bool:
    """Are these one method with the same settings?"""
    return spec_hash(one) == spec_hash(other)


@dataclass
class Runner:
    """How far a contender has come."""

    contender: Contender
    chosen: Method
    searched: bool
    fast: bool
    parts: list[Outcome] = field(default_factory=list)
    """The measurement and further answers of one adapted predictor."""
    source: str = ""
    """The job that has adapted it."""
    rows: int = 0
    trial: Outcome | None = None
    waits_for: str = ""
    """The contender whose trial speaks for this one too."""
    aside: str = ""
    """Why it does not go on."""
    ended: bool = False
    """It failed, or could not be measured."""
    pieces: list[Step | Draw] = field(default_factory=list)
    """What it was given to do so far."""
    chance: float | None = None
    """Of being the pick, when it was put aside."""

    @property
    def alive(self) -> bool:
        """May it still go on?"""
        return not self.aside and not self.ended

    def take(self, step: Step | Draw, known: Known) -> None:
        """What a settled piece has brought."""
        state = known.states[step.title]
        if state == "left" and self.parts:
            self.aside = f"stopped after {self.rows} of {step.ladder.rows} test rows: "
            self.aside += known.reasons[step.title]
            return
        if state != "ok":
            self.ended = not _no_verdict(step, known)
            return
        work = step.work(known)
        if isinstance(step, Draw):
            self.parts, self.rows, self.searched = list(work.done), step.ladder.rows, True
            self.source = work.done[0].job.name(known.context)
            return
        if step.stage == "trial":
            self.trial = work.done[0]
            return
        if step.stage == "search":
            self.searched = True
            self.chosen, _ = step.ladder.chosen(known, work.done[0].job)
        measured = [outcome for outcome in work.done if outcome.job.kind in ("measure", "answer")]
        if step.stage == "more":
            self.parts += measured
        elif measured:
            self.parts, self.source = measured, measured[0].job.name(known.context)
        self.rows = step.stop or step.ladder.rows

    def trial_words(self, metric: Metric) -> str:
        """What its trial came to; "" where it had none, or has answered test rows since."""
        if self.trial is None or self.parts:
            return ""
        statistics = np.array(self.trial.body["statistics"], dtype=np.float64)
        value = 100 * score(metric, statistics)
        rows = f"{len(statistics)} labelled rows it had not seen"
        return f"in its trial it scored {value:.1f} % on {rows}"

    @property
    def answered(self) -> Answered:
        """All its answers to test rows."""
        measured = [outcome.measurement for outcome in self.parts]
        return joined([Answered(m.ids, m.predictions, m.statistics, m.use) for m in measured])


def _no_verdict(step: Step | Draw, known: Known) -> bool:
    """A trial that did not learn says nothing of all rows: it had few. One that broke does."""
    failure = step.work(known).failure
    tried = isinstance(step, Step) and step.stage == "trial"
    return tried and failure is not None and failure.state == "failed"


@dataclass
class Rounds:
    """Where a race stands: what can be done now, and how far each contender has come."""

    runners: dict[str, Runner]
    pending: list[Step | Draw]
    settled: int = 0
    history: list[list[Step | Draw]] = field(default_factory=list)
    """What had ended of each round so far."""

    def settle(self, steps: list[Step | Draw], known: Known) -> bool:
        """Take what these pieces of one round have brought; has the round ended?"""
        for step in steps:
            self.runners[step.contender.name].pieces.append(step)
        settled = [step for step in steps if step.title in known.states]
        for step in settled:
            self.runners[step.contender.name].take(step, known)
        self.settled += len(settled)
        self.history.append(settled)
        self.pending = [step for step in steps if step.title not in known.states]
        return not self.pending


@dataclass(frozen=True)
class Racing:
    """The plan of question 1; with `thorough` nothing is put aside.

    It is asked after every outcome: what was decided on the same answers is kept.
    """

    ladder: Ladder
    _standings: dict[tuple[object, ...], Standing] = field(default_factory=dict, compare=False)

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        rounds = self.rounds(known)
        total = rounds.settled + len(rounds.pending)
        for number, piece in enumerate(rounds.pending):
            yield replace(piece, place=(rounds.settled + number, total))
        fallback, runners = self.ladder.fallback, rounds.runners.values()
        nothing = not rounds.pending and not any(runner.parts for runner in runners)
        if nothing and fallback.title not in known.states:
            yield fallback

    def rounds(self, known: Known) -> Rounds:
        """All rounds so far, computed from the outcomes."""
        runners = self.runners()
        rounds = Rounds(runners, [])
        steps = self._first(runners)
        while steps:
            if not rounds.settle(steps, known):
                return rounds
            steps = self._following(runners)
        for rows in self.ladder.prepared.setting.looks[1:]:
            if not rounds.settle(self._looking_again(runners, rows), known):
                return rounds
        return rounds

    def _looking_again(self, runners: dict[str, Runner], rows: int) -> list[Step | Draw]:
        """Those that had answered all test rows answer the new ones, up to `rows`, too."""
        before = max((runner.rows for runner in runners.values()), default=0)
        whole = [r for r in runners.values() if r.alive and r.parts and r.rows == before]
        steps: list[Step | Draw] = [
            Step(self.ladder, r.contender, "more", before, rows, r.chosen, r.source) for r in whole
        ]
        return sorted(steps, key=self._turn)

    def runners(self) -> dict[str, Runner]:
        """Every contender at the start, by name."""
        return {c.name: self._runner(c) for c in self.ladder.contenders}

    def _runner(self, contender: Contender) -> Runner:
        is_open = bool(open_settings(contender.method, self.ladder.prepared.task.kind))
        return Runner(contender, contender.method, not is_open, contender.method.fast)

    # ------------------------------------------------------------------------------- first round

    def _first(self, runners: dict[str, Runner]) -> list[Step | Draw]:
        """Everything fast; a trial of what is dear; of all others the first rows."""
        steps: list[Step | Draw] = []
        trials = False
        for runner in runners.values():
            contender = runner.contender
            if runner.fast or self.ladder.prepared.request.thorough:
                steps += self._whole(contender)
            elif not self._is_dear(contender):
                steps += self._begin(runner)
            elif leader := self._leader(runner, runners):
                runner.waits_for = leader
            else:
                trials = True
                steps.append(Step(self.ladder, contender, "trial"))
        if trials:
            heads = [r.contender for r in runners.values() if r.fast]
            steps += [Step(self.ladder, c, "trial") for c in heads if c.method.learns]
        return sorted(steps, key=self._turn)

    def _whole(self, contender: Contender) -> list[Step | Draw]:
        repeats = self.ladder.forecasts.repeats(contender.method)
        return [Draw(self.ladder, contender, None, number) for number in range(repeats)]

    def _turn(self, step: Step | Draw) -> tuple[bool, float]:
        """What is fast first; then the dearest: begun last, it would keep one worker alone."""
        nominal, fast = self.ladder.nominal(step.contender), step.contender.method.fast
        seconds = nominal.build + nominal.search + nominal.use
        return not fast, seconds if fast else -seconds

    def _is_dear(self, contender: Contender) -> bool:
        """Does it cost minutes, and are there rows to try it on before?"""
        nominal = self.ladder.nominal(contender)
        return self._can_try and nominal.build + nominal.search > DEAR

    @cached_property
    def _can_try(self) -> bool:
        prepared = self.ladder.prepared
        return trial_fold(prepared.split.train, prepared.task.label_names) is not None

    def _leader(self, runner: Runner, runners: dict[str, Runner]) -> str:
        """The contender, on the same model, that measured no lower wherever both were compared."""
        name, base = runner.contender.method.after, runner.contender.base
        leaders = [
            r.contender.name
            for r in runners.values()
            if r.contender.method.name == name and r.contender.base == base
        ]
        return leaders[0] if leaders and name else ""

    def _begin(self, runner: Runner) -> list[Step | Draw]:
        """Adapt it and let it answer the first rows, after its search where that costs less.

        Without test rows: the folds.
        """
        if not self.ladder.rows:
            return self._whole(runner.contender)
        nominal = self.ladder.nominal(runner.contender)
        search = not runner.searched and nominal.build > nominal.search
        stage: Stage = "search" if search else "first"
        return [Step(self.ladder, runner.contender, stage, 0, self.ladder.blocks[0])]

    # --------------------------------------------------------------------------- further rounds

    def _following(self, runners: dict[str, Runner]) -> list[Step | Draw]:
        """Those whose trial went well begin; then those go on that may be the pick."""
        if steps := self._after_trials(runners):
            return steps
        if not self.ladder.rows or self.ladder.prepared.request.thorough:
            return []
        return self._going_on(runners)

    def _after_trials(self, runners: dict[str, Runner]) -> list[Step | Draw]:
        steps: list[Step | Draw] = []
        head = self._best_head(runners)
        for runner in runners.values():
            if runner.fast or not runner.alive or runner.parts:
                continue
            if leader := runners.get(runner.waits_for):
                steps += self._after_leader(runner, leader, head)
            elif runner.trial is None or head is None:
                steps += self._begin(runner)
            else:
                steps += self._judged(runner, *head)
        return steps

    def _after_leader(
        self, runner: Runner, leader: Runner, head: tuple[str, Floats] | None
    ) -> list[Step | Draw]:
        """Put aside by its leader's trial, else tried itself."""
        runner.waits_for = ""
        if leader.trial and head:
            name, best = head
            own = self._trial_points(leader)
            margin = runner.contender.method.above
            chance = chance_before_test(own + margin, best)
            if chance < GOES_ON:
                above = f"at most {in_points(margin)} lower" if margin else "no lower"
                behind = in_points(float(best.mean() - own.mean()))
                runner.chance = chance
                runner.aside = (
                    f"put aside untried: {leader.contender.name}, which measured {above} wherever"
                    f" both were compared, was {behind} behind {name} on {len(own)} labelled rows"
                )
                return []
        return [Step(self.ladder, runner.contender, "trial")]

    def _judged(self, runner: Runner, head: str, best: Floats) -> list[Step | Draw]:
        own = self._trial_points(runner)
        chance = chance_before_test(own, best)
        if chance >= GOES_ON:
            return self._begin(runner)
        behind = in_points(float(best.mean() - own.mean()))
        runner.chance = chance
        runner.aside = (
            f"put aside: {behind} behind {head} on {len(own)} labelled rows that neither had seen"
        )
        return []

    def _best_head(self, runners: dict[str, Runner]) -> tuple[str, Floats] | None:
        """(name, points) of the fast contender that did best in its trial."""
        tried = {n: self._trial_points(r) for n, r in runners.items() if r.fast and r.trial}
        if not tried:
            return None
        name = max(sorted(tried), key=lambda name: float(tried[name].mean()))
        return name, tried[name]

    def _trial_points(self, runner: Runner) -> Floats:
        statistics = runner.trial.body["statistics"] if runner.trial else []
        return points(self._metric, np.array(statistics, dtype=np.float64))

    @property
    def _metric(self) -> Metric:
        return metric_of(self.ladder.prepared.task)

    def _going_on(self, runners: dict[str, Runner]) -> list[Step | Draw]:
        """The next step of each that may be the pick, or whose rows would settle it."""
        open_ = [r for r in runners.values() if r.alive and r.parts and self._unfinished(r)]
        if not open_:
            return []
        standing = self._standing(runners)
        going = {*standing.go, *standing.blockers}
        for runner in open_:
            if runner.contender.name not in going:
                runner.chance = standing.chance.get(runner.contender.name)
                runner.aside = self._why_aside(runner, standing.pick)
        steps = [self._next(runner) for runner in open_ if runner.alive]

        def gain_a_second(step: Step | Draw) -> float:
            nominal = self.ladder.nominal(step.contender)
            return standing.chance[step.contender.name] / (nominal.build + nominal.use)

        return sorted(steps, key=gain_a_second, reverse=True)

    def _standing(self, runners: dict[str, Runner]) -> Standing:
        key = tuple(
            (r.contender.name, r.source, r.rows, r.searched, r.ended) for r in runners.values()
        )
        if key not in self._standings:
            self._standings[key] = race(
                self.columns(runners),
                groups=self.ladder.groups,
                rows=self.ladder.rows,
                give_up=self.ladder.give_up,
                tried=len(runners),
            )
        return self._standings[key]

    def _unfinished(self, runner: Runner) -> bool:
        return not runner.searched or runner.rows < self.ladder.rows

    def _why_aside(self, runner: Runner, pick: str) -> str:
        settings = "" if runner.searched else " with default settings"
        return (
            f"put aside after {runner.rows} of {self.ladder.rows} test rows{settings}: under"
            f" {GOES_ON:.0%} that it would be taken instead of {pick}"
        )

    def _next(self, runner: Runner) -> Step | Draw:
        """Its search, where it has had none; else the next rows."""
        stage: Stage
        rows = self.ladder.rows
        if not runner.searched:
            stage, start = "search", 0
            stop = runner.rows if runner.rows < rows else None
        else:
            stage, start = "more", runner.rows
            stop = next(end for end in self.ladder.blocks if (end or rows) > runner.rows)
        return Step(self.ladder, runner.contender, stage, start, stop, runner.chosen, runner.source)

    def columns(self, runners: dict[str, Runner]) -> list[Column]:
        """What each has answered, with the cost of a fixed machine."""
        return [
            Column(
                name,
                points(self._metric, np.array(runner.answered.statistics, dtype=np.float64))[None],
                self.ladder.cost(runner.contender),
                fast=runner.fast,
                searched=runner.searched,
            )
            for name, runner in runners.items()
            if runner.parts and not runner.ended
        ]
