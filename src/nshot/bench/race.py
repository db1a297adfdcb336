"""Question 1: every contender once on all labelled rows, the slow ones only as far as they may win.

Everything fast is measured. What is dear is tried on some labelled rows first, where it trains with
few steps, then with all of them; the others answer the first test rows. Then, round by round, who
may still be the pick goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nshot.bench.contenders import Contender
from nshot.bench.execute.base import Outcome
from nshot.bench.jobs.trial import trial_fold
from nshot.bench.plan import Known
from nshot.bench.rounds import Measuring, Onward, Race, Runner, Stage, Step
from nshot.board.decide import Column, Floats
from nshot.board.racing import GOES_ON, chance_before_test, hopeless, race
from nshot.board.words import in_points
from nshot.methods.contract import Method
from nshot.methods.spec import parts
from nshot.metrics import metric_of, points

DEAR = 60.0
"""Seconds to build and search, on a fixed machine, from which a trial comes before a test row."""


@dataclass(frozen=True)
class Racing(Race):
    """The plan of question 1; with `thorough` nothing is put aside."""

    def plan(self, runners: Mapping[str, Runner], known: Known) -> Iterator[list[Measuring]]:
        """See `Race`."""
        if standards := self._standards(runners):
            yield standards
        steps = self._first(runners, known)
        while steps:
            yield steps
            steps = self._following(runners, known)
        for rows in self.ladder.prepared.setting.looks[1:]:
            yield self._looking_again(runners, rows)

    def _looking_again(self, runners: Mapping[str, Runner], rows: int) -> list[Measuring]:
        """Those that had answered all test rows answer the new ones, up to `rows`, too."""
        before = max((runner.rows for runner in runners.values()), default=0)
        whole = [r for r in runners.values() if r.alive and r.parts and r.rows == before]
        steps: list[Measuring] = [self._more(runner, before, rows) for runner in whole]
        return sorted(steps, key=self.turn)

    # ------------------------------------------------------------------------------- first round

    def _standards(self, runners: Mapping[str, Runner]) -> list[Measuring]:
        """Trials of what is fast, with which those of what is dear are compared."""
        dear = [r.contender.method for r in runners.values() if self._is_tried(r)]
        heads = [r.contender for r in runners.values() if r.fast and r.contender.method.learns]
        return [
            Step(self.ladder, head, "trial", everything=everything)
            for everything in sorted({_costs_no_more(method) for method in dear})
            for head in heads
        ]

    def _first(self, runners: Mapping[str, Runner], known: Known) -> list[Measuring]:
        """Everything fast; a trial of what is dear; of all others the first rows."""
        steps: list[Measuring] = []
        for runner in runners.values():
            if runner.fast or self.ladder.prepared.request.thorough:
                steps += self._whole(runner.contender)
            elif not self._is_tried(runner):
                steps += self._begin(runner)
            else:
                runner.waits_for = self._leader(runner, runners)
                steps += self._first_trial(runner, runners, known)
        return sorted(steps, key=self._shortest_first)

    def _first_trial(
        self, runner: Runner, runners: Mapping[str, Runner], known: Known
    ) -> list[Measuring]:
        """A short one; where its trial is no dearer that one, unless another's speaks for it."""
        if short := self.ladder.forecasts.short_trial(runner.contender):
            trial = self._trial(runner, runners, known)
            return [replace(trial, stage="short_trial", chosen=short)]
        return [] if runner.waits_for else [self._trial(runner, runners, known)]

    def _trial(self, runner: Runner, runners: Mapping[str, Runner], known: Known) -> Step:
        """Its trial, compared with the best head's. It learns from all rows where that is free."""
        everything = _costs_no_more(runner.contender.method)
        head = self._best_head(runners, everything)
        against = head[1].job.name(known.context) if head else ""
        return Step(self.ladder, runner.contender, "trial", everything=everything, against=against)

    def _shortest_first(self, step: Measuring) -> tuple[bool, bool, float]:
        """What is fast, then trials, then the others; of these the shortest first: the minutes may
        end, and every one should have been tried before one is measured."""
        tried = isinstance(step, Step) and step.is_trial
        nominal = self.ladder.nominal(step.contender)
        seconds = nominal.build + nominal.use
        if isinstance(step, Step) and step.is_trial:
            seconds = step.seconds_of_trial
        return not step.contender.method.fast, not tried, seconds

    def _is_tried(self, runner: Runner) -> bool:
        """Does it cost minutes, so that it is tried before a test row is asked?"""
        thorough = self.ladder.prepared.request.thorough
        return not (runner.fast or thorough) and self._is_dear(runner.contender)

    def _whole(self, contender: Contender) -> list[Measuring]:
        repeats = self.ladder.forecasts.repeats(contender, None)
        return [self.ladder.draw(contender, None, number) for number in range(repeats)]

    def _is_dear(self, contender: Contender) -> bool:
        """Does it cost minutes, and are there rows to try it on before?"""
        nominal = self.ladder.nominal(contender)
        return self._can_try and nominal.build + nominal.search > DEAR

    @cached_property
    def _can_try(self) -> bool:
        prepared = self.ladder.prepared
        return trial_fold(prepared.split.train, prepared.task.drawn_labels) is not None

    def _leader(self, runner: Runner, runners: Mapping[str, Runner]) -> str:
        """The contender, on the same model, that measured no lower wherever both were compared."""
        name, base = runner.contender.method.after, runner.contender.base
        leaders = [
            r.contender.name
            for r in runners.values()
            if r.contender.method.name == name and r.contender.base == base
        ]
        return leaders[0] if leaders and name else ""

    def _begin(self, runner: Runner) -> list[Measuring]:
        """Adapt it and let it answer the first rows, after its search where that costs less.

        Without test rows: the folds.
        """
        if not self.ladder.rows:
            return self._whole(runner.contender)
        nominal = self.ladder.nominal(runner.contender)
        search = not runner.searched and nominal.build > nominal.search
        stage: Stage = "search" if search else "first"
        return [Step(self.ladder, runner.contender, stage, stop=self.ladder.blocks[0])]

    # --------------------------------------------------------------------------- further rounds

    def _following(self, runners: Mapping[str, Runner], known: Known) -> list[Measuring]:
        """Those whose trial went well begin; then those go on that may be the pick."""
        if steps := self._after_trials(runners, known):
            return steps
        if not self.ladder.rows or self.ladder.prepared.request.thorough:
            return []
        return self.going_on(runners)

    def _after_trials(self, runners: Mapping[str, Runner], known: Known) -> list[Measuring]:
        """What comes after a trial, of those that it has not put aside."""
        ready = [
            runner
            for runner in runners.values()
            if not (runner.fast or runner.stepped or runner.parts) and runner.alive
        ]
        for runner in ready:
            self._look_at_trial(runner, runners)
        steps: list[Measuring] = []
        for runner in sorted(ready, key=self._promise_a_second):
            if not runner.alive:
                continue
            if "trial" in runner.stages:
                steps += self._begin(runner)
            elif not self._waits(runner, runners):
                steps.append(self._trial(runner, runners, known))
        return steps

    def _look_at_trial(self, runner: Runner, runners: Mapping[str, Runner]) -> None:
        """How good its chances are by its last trial; put aside where it is hopeless."""
        stage: Stage = "trial" if runner.trial else "short_trial"
        trial, short = runner.trials.get(stage), stage == "short_trial"
        head = self._best_head(runners, _costs_no_more(runner.contender.method))
        if trial is None or head is None:
            return
        own, best = self._points(trial), self._points(head[1])
        runner.chance = chance_before_test(own, best[: len(own)], short)
        if hopeless(own, best, short):
            steps = f" after {trial.body['steps']} steps" if short else ""
            behind = in_points(float(best[: len(own)].mean() - own.mean()))
            runner.aside = (
                f"put aside{steps}: {behind} behind {head[0]} on {len(own)} labelled rows that "
                "neither had seen"
            )

    def _promise_a_second(self, runner: Runner) -> float:
        """Lower for what its trial makes worth more; what had none comes last."""
        nominal = self.ladder.nominal(runner.contender)
        return -(runner.chance or 0.0) / (nominal.build + nominal.search + nominal.use)

    def _waits(self, runner: Runner, runners: Mapping[str, Runner]) -> bool:
        """Has its leader still to be tried, or does the leader's trial put it aside?"""
        leader = runners.get(runner.waits_for)
        if leader is None:
            return False
        if leader.alive and not leader.stepped and "trial" not in leader.stages:
            return True
        runner.waits_for = ""
        return self._is_aside_by_leader(runner, leader, self._best_head(runners, False))

    def _is_aside_by_leader(
        self, runner: Runner, leader: Runner, head: tuple[str, Outcome] | None
    ) -> bool:
        """Put aside where even its margin above its leader's trial would be hopeless."""
        if leader.trial is None or head is None:
            return False
        own, best = self._points(leader.trial), self._points(head[1])
        margin = runner.contender.method.above
        if not hopeless(own + margin, best):
            return False
        above = f"at most {in_points(margin)} lower" if margin else "no lower"
        behind = in_points(float(best[: len(own)].mean() - own.mean()))
        runner.chance = chance_before_test(own + margin, best[: len(own)])
        runner.aside = (
            f"put aside{'' if runner.trials else ' untried'}: {leader.contender.name}, which"
            f" measured {above} wherever both were compared, was {behind} behind {head[0]} on"
            f" {len(own)} labelled rows"
        )
        return True

    def _best_head(
        self, runners: Mapping[str, Runner], everything: bool
    ) -> tuple[str, Outcome] | None:
        """(name, trial) of the fast contender that did best in its trial."""
        heads = {name: runner.standards.get(everything) for name, runner in runners.items()}
        tried = {name: trial for name, trial in heads.items() if trial is not None}
        if not tried:
            return None
        name = max(sorted(tried), key=lambda name: float(self._points(tried[name]).mean()))
        return name, tried[name]

    def _points(self, trial: Outcome) -> Floats:
        statistics = np.array(trial.body["statistics"], dtype=np.float64)
        return points(metric_of(self.ladder.prepared.task), statistics)

    # ------------------------------------------------------------------------------- who goes on

    def judge(self, columns: list[Column], tried: int) -> Onward:
        """See `Race`: by the chance to be the pick."""
        ladder = self.ladder
        standing = race(
            columns, groups=ladder.groups, rows=ladder.rows, give_up=ladder.give_up, tried=tried
        )
        return Onward(standing.pick, standing.chance, (*standing.go, *standing.blockers))

    def put_aside(self, runner: Runner, onward: Onward) -> None:
        """See `Race`."""
        settings = "" if runner.searched else " with default settings"
        runner.chance = onward.promise[runner.contender.name]
        runner.aside = (
            f"put aside after {runner.extent}{settings}: under"
            f" {GOES_ON:.0%} that it would be taken instead of {onward.pick}"
        )

    def following(self, runner: Runner) -> Step:
        """Its search, where it has had none; else the next rows."""
        rows, ladder = runner.rows, self.ladder
        if not runner.searched:
            stop = rows if rows < ladder.rows else None
            return Step(ladder, runner.contender, "search", stop=stop, sources=runner.sources)
        stop = next(end for end in ladder.blocks if (end or ladder.rows) > rows)
        return self._more(runner, rows, stop)

    def _more(self, runner: Runner, start: int, stop: int | None) -> Step:
        return Step(
            self.ladder,
            runner.contender,
            "more",
            start=start,
            stop=stop,
            chosen=runner.chosen,
            sources=runner.sources,
        )


def _costs_no_more(method: Method) -> bool:
    """Does it train nothing, so that a trial may learn from all rows instead of from a few?"""
    return all(part.trains == "nothing" for part in parts(method))
