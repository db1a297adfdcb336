"""What a race consists of: its pieces, how far each contender has come, and its rounds.

The rounds are computed from the outcomes alone, so that a resumed run goes through the same ones,
with any number of workers. The costs that are weighed are those of a fixed machine
(`Forecasts.nominal`): no clock decides who is put aside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from nshot.bench.contenders import Contender
from nshot.bench.execute.base import Outcome
from nshot.bench.jobs.job import Job
from nshot.bench.jobs.trial import learned_rows
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known, Piece, Work
from nshot.bench.search import open_settings
from nshot.board.decide import Column, Floats
from nshot.board.racing import looks_of
from nshot.board.reduce import Size, shown
from nshot.board.schema import TrialScore
from nshot.methods.contract import Method
from nshot.methods.spec import spec_hash
from nshot.metrics import Metric, metric_of, points, score
from nshot.predictors.measure import Answered, joined

Stage: TypeAlias = Literal["short_trial", "trial", "first", "search", "more"]
TRIALS = ("short_trial", "trial")


@dataclass(frozen=True)
class Step:
    """A piece of one contender's race.

    `trial`: it is tried on labelled rows; `short_trial`: with few steps of its training, before.
    `first`: it is adapted and asked the first test rows.
    `search`: its settings are searched, then it is measured with them. `more`: what is adapted
    answers further rows, or it is adapted on further draws of the shots.
    """

    ladder: Ladder
    contender: Contender
    stage: Stage
    size: Size = None
    start: int = 0
    stop: int | None = None
    """Test rows from `start` to `stop`; None: to the last."""
    draws: int = 1
    """Draws of the shots that are measured then."""
    chosen: Method | None = None
    """With these settings; None: with the defaults."""
    calibration: Mapping[str, Any] | None = None
    """As their search fitted it."""
    sources: tuple[str, ...] = ()
    """The jobs that have adapted it, one of each draw."""
    everything: bool = False
    """Its trial learns from all labelled rows that it does not ask."""
    against: str = ""
    """The job of the head's trial that its own is compared with."""
    place: tuple[int, int] = (0, 1)
    fallback: ClassVar[bool] = False
    number: ClassVar[int] = 0

    @property
    def title(self) -> str:
        """See `Piece`."""
        name = self.contender.name
        if self.is_trial:
            short = "short " * (self.stage == "short_trial")
            learned = ", all others learned" * self.everything
            return f"{name} · {short}trial on labelled rows{learned}"
        rows = f"test rows {self.start + 1} to {self.stop or self.ladder.rows}"
        if self.ladder.prepared.question == 2:
            first = f"draws 0 to {self.draws - 1}" if self.start and self.draws > 1 else ""
            rows = f"{first or f'draw {self.draws - 1}'} · {rows}"
            name = f"{name} · {shown(self.size)} shots"
        return f"{name} · {'search and ' * (self.stage == 'search')}{rows}"

    @property
    def why_not(self) -> str | None:
        """One sentence where the contender cannot work on this."""
        return self.ladder.forecasts.why_not(self.contender, self.size)

    @property
    def decides(self) -> bool:
        """Is its contender a row without a score where this is left?"""
        return self.stage != "more" and not self.sources

    @property
    def is_trial(self) -> bool:
        """Is it on labelled rows alone?"""
        return self.stage in TRIALS

    @property
    def method(self) -> Method:
        """With its settings, before any search of this piece."""
        return self.chosen or self.contender.method

    def work(self, known: Known) -> Work:
        """See `Piece`."""
        before: list[Outcome] = []
        if self.stage == "search":
            searched = known.of(self._search)
            if searched is None:
                return Work([self._search], [])
            if searched.state != "ok":
                return Work([], [], searched)
            before.append(searched)
        jobs = self._jobs(known)
        outcomes = [known.of(job) for job in jobs]
        done = [*before, *(outcome for outcome in outcomes if outcome and outcome.state == "ok")]
        for outcome in outcomes:
            if outcome and outcome.state != "ok":
                return Work([], done, outcome)
        ready = [job for job, outcome in zip(jobs, outcomes, strict=True) if outcome is None]
        return Work(ready, done)

    @property
    def _search(self) -> Job:
        return self.contender.search(self.size, 0, None)

    def _jobs(self, known: Known) -> list[Job]:
        """Its jobs, once its search has ended; they wait for nothing."""
        contender, size = self.contender, self.size
        if self.is_trial:
            return [self._trial()]
        chosen, calibration, sources = self.method, self.calibration, self.sources
        if self.stage == "search":
            chosen, calibration = self.ladder.chosen(known, self._search)
            source = "".join(self.sources[:1]) if same(chosen, self.method) else ""
            job = contender.job("measure", chosen, size, 0)
            return [replace(job, stop=self.stop, source=source, calibration=calibration)]
        if self.start:
            answers = [contender.job("answer", chosen, size, n) for n in range(len(sources))]
            return [
                replace(job, start=self.start, stop=self.stop, source=source)
                for job, source in zip(answers, sources, strict=True)
            ]
        new = range(len(sources), self.draws)
        fits = [contender.job("measure", chosen, size, number) for number in new]
        return [replace(job, stop=self.stop, calibration=calibration) for job in fits]

    def _trial(self) -> Job:
        chosen = self.chosen or self.contender.method.for_trial
        job = self.contender.job(self.stage, chosen, self.size, 0)
        rows = None if self.everything else learned_rows(self.ladder.prepared.task.drawn_labels)
        return replace(job, rows=rows, stop=self.most_asked, source=self.against)

    @property
    def most_asked(self) -> int:
        """Labelled rows that its trial asks where it is not hopeless before."""
        return looks_of(self.stage == "short_trial")[-1][0]

    @property
    def seconds_of_trial(self) -> float:
        """The forecast of its trial."""
        return self.forecast(self._trial())

    def outcome(self, work: Work) -> str:
        """Its score, on the rows that this piece asked."""
        bodies = [outcome.body for outcome in work.done if "statistics" in outcome.body]
        rows = [row for body in bodies for row in body["statistics"]]
        if not rows:
            return "the settings it had"
        value = score(metric_of(self.ladder.prepared.task), np.array(rows, dtype=np.float64))
        if not self.is_trial:
            return f"{100 * value:.1f} %"
        steps = work.done[0].body["steps"]
        after = f" after {steps} steps" if self.stage == "short_trial" else ""
        return f"{100 * value:.1f} % of {len(rows)} labelled rows it had not seen{after}"

    def forecast(self, job: Job) -> float:
        """Seconds that one of its jobs is thought to take."""
        if self.is_trial:
            method = self.chosen or self.contender.method.for_trial
            forecasts = self.ladder.forecasts
            return forecasts.trial(self.contender, method, self.everything, self.most_asked)
        whole = self.ladder.forecasts.of(self.contender, self.size)
        if job.kind == "search":
            return whole.search
        if job.kind == "measure" and job.source:  # what it answered stays
            return 0.0
        count = (job.stop or self.ladder.rows) - job.start
        build = whole.build if job.kind == "measure" else 0.0
        return build + whole.use * count / max(self.ladder.rows, 1)

    def seconds(self, known: Known) -> float:
        """The forecast of what is left to do for it; other settings have to be measured anew."""
        ready = list(self.work(known).ready)
        if self._search in ready:
            fit = self.contender.job("measure", self.method, self.size, 0)
            ready.append(replace(fit, stop=self.stop))
        return sum(map(self.forecast, ready))

    def searches(self, known: Known) -> list[Outcome]:
        """The search behind it, where it went well."""
        outcome = known.of(self._search) if self.stage == "search" else None
        return [outcome] if outcome and outcome.state == "ok" else []


Measuring: TypeAlias = Step | Draw
"""A piece that measures a contender."""


def same(one: Method, other: Method) -> bool:
    """Are these one method with the same settings?"""
    return spec_hash(one) == spec_hash(other)


@dataclass
class Runner:
    """How far a contender has come at the largest size."""

    contender: Contender
    ladder: Ladder
    chosen: Method
    searched: bool
    calibration: Mapping[str, Any] | None = None
    parts: dict[int, list[Outcome]] = field(default_factory=dict)
    """By draw: the measurement and further answers of one adapted predictor."""
    rows: int = 0
    trials: dict[str, Outcome] = field(default_factory=dict)
    """Of one that is slow: by stage."""
    standards: dict[bool, Outcome] = field(default_factory=dict)
    """Of one that is fast, its trials that others are compared with: by `Step.everything`."""
    waits_for: str = ""
    """The contender whose trial speaks for this one too."""
    aside: str = ""
    """Why it does not go on."""
    chance: float | None = None
    """Of being the pick, when it was put aside or by its trial (question 1)."""
    ended: bool = False
    """It failed, could not be measured, or the minutes ended."""
    stopped: bool = False
    """The minutes ended between its first answers and its last."""
    failed: bool = False
    barred: bool = False
    """It cannot be measured here, with however many minutes."""
    pieces: list[Measuring] = field(default_factory=list)
    """What it was given to do so far."""

    @property
    def fast(self) -> bool:
        """Does its method answer at once?"""
        return self.contender.method.fast

    @property
    def trial(self) -> Outcome | None:
        """How its trial ended, where it went well; that of a few steps is another."""
        return self.trials.get("trial")

    @property
    def stages(self) -> set[Stage]:
        """What it was given to do, step by step."""
        return {piece.stage for piece in self.pieces if isinstance(piece, Step)}

    @property
    def measured(self) -> bool:
        """Has it answered test rows, and not failed since?"""
        return bool(self.parts) and (not self.ended or bool(self.aside))

    @property
    def alive(self) -> bool:
        """May it still go on?"""
        return not self.aside and not self.ended

    @property
    def left_out(self) -> bool:
        """Is it without an answer only because nobody got to it?"""
        return not (self.parts or self.aside or self.barred or self.failed)

    @property
    def stepped(self) -> bool:
        """Is it measured step by step?"""
        return any(stage not in TRIALS for stage in self.stages)

    @property
    def sources(self) -> tuple[str, ...]:
        """The jobs that have adapted it, one of each draw."""
        return tuple(self.parts[number][0].body["job"] for number in sorted(self.parts))

    @property
    def draws(self) -> int:
        """Draws of the shots, or the one fit."""
        return len(self.parts)

    @property
    def extent(self) -> str:
        """How far it has come: ``100 of 600 test rows``, with draws ``1 of 3 draws on ...``."""
        prepared = self.ladder.prepared
        rows = f"{self.rows} of {self.ladder.rows} test rows"
        if prepared.question == 1:
            return rows
        repeats = self.ladder.forecasts.repeats(self.contender, prepared.largest)
        return f"{self.draws} of {repeats} draw{'s' * (repeats > 1)} on {rows}"

    def take(self, step: Measuring, known: Known) -> None:
        """What a settled piece has brought."""
        if step.size != self.ladder.prepared.largest:
            return
        state = known.states[step.title]
        if state == "left":
            self._leave(step, known.reasons[step.title])
        elif state != "ok":
            self.ended = self.failed = not _no_verdict(step, known)
        elif isinstance(step, Draw):
            self.parts[step.number] = list(known.work(step).done)
            self.rows, self.searched = self.ladder.rows, True
        else:
            self._take_step(step, known)

    def _leave(self, step: Measuring, reason: str) -> None:
        """The minutes ended, or it cannot work here: further draws are not missed."""
        if isinstance(step, Step) and self.parts:
            self.aside, self.ended = f"stopped after {self.extent}: {reason}", True
            self.stopped = True
        self.ended = self.ended or not self.parts
        self.barred = step.why_not is not None

    def _take_step(self, step: Step, known: Known) -> None:
        done = known.work(step).done
        if step.is_trial and self.fast:
            self.standards[step.everything] = done[0]
            return
        if step.is_trial:
            self.trials[step.stage] = done[0]
            return
        if step.stage == "search":
            self.searched = True
            self.chosen, self.calibration = step.ladder.chosen(known, done[0].job)
            self.parts = {}
        for outcome in done:
            if outcome.job.kind == "answer":
                self.parts[outcome.job.draw] = [*self.parts[outcome.job.draw], outcome]
            elif outcome.job.kind == "measure":
                self.parts[outcome.job.draw] = [outcome]
        self.rows = step.stop or step.ladder.rows

    @property
    def is_still(self) -> bool:
        """No shot and no seed moves its answers: by what it is, or as several draws have shown."""
        if not self.contender.method.learns:
            return True
        table = self._table(metric_of(self.ladder.prepared.task))
        return len(table) > 1 and bool((table == table[0]).all())

    def _table(self, metric: Metric) -> Floats:
        """(draws, rows) points."""
        return np.array([_points(self.parts[draw], metric) for draw in sorted(self.parts)])

    def trial_score(self, metric: Metric) -> TrialScore | None:
        """How its last trial went, where it had one."""
        ends = [self.trial, self.trials.get("short_trial"), *self.standards.values()]
        last = next(filter(None, ends), None)
        if last is None:
            return None
        statistics = np.array(last.body["statistics"], dtype=np.float64)
        return TrialScore(
            score=score(metric, statistics),
            rows=len(statistics),
            learned=last.body["learned"],
            steps=last.body["steps"] if last.job.kind == "short_trial" else None,
        )

    def column(self, metric: Metric) -> Column:
        """What it has answered, with the cost of a fixed machine."""
        table = self._table(metric)
        measurements = [one.measurement for parts in self.parts.values() for one in parts]
        return Column(
            self.contender.name,
            table[:1] if self.is_still else table,
            self.ladder.cost(self.contender, measurements),
            deterministic=self.is_still,
            fast=self.fast,
            searched=self.searched,
        )


def _points(parts: list[Outcome], metric: Metric) -> Floats:
    """(n,) points of the answers of one adapted predictor."""
    measured = [outcome.measurement for outcome in parts]
    whole = joined([Answered(m.ids, m.predictions, m.statistics, m.use) for m in measured])
    return points(metric, np.array(whole.statistics, dtype=np.float64))


def _no_verdict(step: Measuring, known: Known) -> bool:
    """A trial that did not learn says nothing of all rows: it had few. One that broke does."""
    failure = known.work(step).failure
    tried = isinstance(step, Step) and step.is_trial
    return tried and failure is not None and failure.state == "failed"


@dataclass
class Rounds:
    """Where a race stands: what can be done now, and how far each contender has come."""

    runners: dict[str, Runner]
    pending: list[Measuring]
    settled: int = 0
    history: list[list[Measuring]] = field(default_factory=list)
    """What had ended of each round so far."""

    def settle(self, steps: list[Measuring], known: Known) -> bool:
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


class Onward(NamedTuple):
    """Who goes on after a round: `promise` is what each unfinished one is worth measuring for."""

    pick: str
    promise: Mapping[str, float]
    go: tuple[str, ...]
    settled: bool = False


@dataclass(frozen=True)
class Race(ABC):
    """A plan by rounds. It is asked after every outcome: what was judged once is kept."""

    ladder: Ladder
    _known_onward: dict[tuple[object, ...], Onward] = field(default_factory=dict, compare=False)

    @abstractmethod
    def plan(self, runners: Mapping[str, Runner], known: Known) -> Iterator[list[Measuring]]:
        """The rounds, one after the other; `runners` have what the last one has brought."""

    @abstractmethod
    def judge(self, columns: list[Column], tried: int) -> Onward:
        """Who goes on, by what is measured so far."""

    @abstractmethod
    def following(self, runner: Runner) -> Step:
        """The next step of one that goes on."""

    @abstractmethod
    def put_aside(self, runner: Runner, onward: Onward) -> None:
        """Say why it does not go on."""

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`. Where nothing could be measured, the trivial method is."""
        rounds = self.rounds(known)
        total = rounds.settled + len(rounds.pending)
        for number, piece in enumerate(rounds.pending):
            yield replace(piece, place=(rounds.settled + number, total))
        fallback, runners = self.ladder.fallback, rounds.runners.values()
        nothing = not rounds.pending and not any(runner.measured for runner in runners)
        if nothing and fallback.title not in known.states:
            yield fallback

    def rounds(self, known: Known) -> Rounds:
        """All rounds so far, computed from the outcomes."""
        rounds = Rounds(self.runners(), [])
        for steps in self.plan(rounds.runners, known):
            if not rounds.settle(steps, known):
                break
        return rounds

    def runners(self) -> dict[str, Runner]:
        """Every contender at the start, by name."""
        return {c.name: self._runner(c) for c in self.ladder.contenders}

    def _runner(self, contender: Contender) -> Runner:
        is_open = bool(open_settings(contender.method, self.ladder.prepared.task.kind))
        return Runner(contender, self.ladder, contender.method, not is_open)

    def columns(self, runners: Mapping[str, Runner]) -> list[Column]:
        """What each has answered, of those that did not fail."""
        metric = metric_of(self.ladder.prepared.task)
        return [runner.column(metric) for runner in runners.values() if runner.measured]

    def going_on(self, runners: Mapping[str, Runner]) -> list[Measuring]:
        """The next step of each that is worth it; who has stopped may be wanted again."""
        unfinished = [r for r in runners.values() if r.stepped and r.parts and not r.ended]
        if not unfinished:
            return []
        onward = self._onward(runners)
        going = []
        for runner in unfinished:
            name = runner.contender.name
            runner.aside, runner.chance = "", None
            if name in onward.go:
                going.append(runner)
            elif name in onward.promise:
                self.put_aside(runner, onward)

        def promise_a_second(runner: Runner) -> float:
            nominal = self.ladder.nominal(runner.contender)
            return onward.promise[runner.contender.name] / (nominal.build + nominal.use)

        return [self.following(r) for r in sorted(going, key=promise_a_second, reverse=True)]

    def _onward(self, runners: Mapping[str, Runner]) -> Onward:
        key = tuple((name, r.sources, r.rows, r.searched, r.ended) for name, r in runners.items())
        if key not in self._known_onward:
            self._known_onward[key] = self.judge(self.columns(runners), len(runners))
        return self._known_onward[key]

    def whole(self, contender: Contender, size: Size, known: Known) -> list[Measuring]:
        """All draws of it on all rows; later ones wait for what decides if they are worth it."""
        first, *later = [
            self.ladder.draw(contender, size, number)
            for number in range(self.ladder.forecasts.repeats(contender, size))
        ]
        if known.states.get(first.title) != "ok":
            return [first]
        if any(known.states.get(draw.title) == "failed" for draw in later):
            later = [draw for draw in later if draw.title in known.states]
        return [first, *later]

    def turn(self, step: Measuring) -> tuple[bool, int, float]:
        """What is fast first; then the dearest: begun last, it would keep one worker alone."""
        nominal, fast = self.ladder.nominal(step.contender), step.contender.method.fast
        seconds = nominal.build + nominal.search + nominal.use
        return not fast, step.number, seconds if fast else -seconds
