"""Question 1: every contender once on all labelled rows, the slow ones only as far as they may win.

First everything fast, a trial of each dear method on some labelled rows and the first test rows of
each of the others; then, round by round, who may still be the pick goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nshot.bench.contenders import Contender
from nshot.bench.jobs.trial import trial_fold
from nshot.bench.plan import Known
from nshot.bench.rounds import Measuring, Onward, Race, Runner, Stage, Step
from nshot.board.decide import Column, Floats
from nshot.board.racing import GOES_ON, chance_before_test, race
from nshot.board.words import in_points
from nshot.metrics import metric_of, points

DEAR = 60.0
"""Seconds to build and search, on a fixed machine, from which a trial comes before a test row."""


@dataclass(frozen=True)
class Racing(Race):
    """The plan of question 1; with `thorough` nothing is put aside."""

    def plan(self, runners: Mapping[str, Runner], known: Known) -> Iterator[list[Measuring]]:
        """See `Race`."""
        steps = self._first(runners)
        while steps:
            yield steps
            steps = self._following(runners)
        for rows in self.ladder.prepared.setting.looks[1:]:
            yield self._looking_again(runners, rows)

    def _looking_again(self, runners: Mapping[str, Runner], rows: int) -> list[Measuring]:
        """Those that had answered all test rows answer the new ones, up to `rows`, too."""
        before = max((runner.rows for runner in runners.values()), default=0)
        whole = [r for r in runners.values() if r.alive and r.parts and r.rows == before]
        steps: list[Measuring] = [self._more(runner, before, rows) for runner in whole]
        return sorted(steps, key=self.turn)

    # ------------------------------------------------------------------------------- first round

    def _first(self, runners: Mapping[str, Runner]) -> list[Measuring]:
        """Everything fast; a trial of what is dear; of all others the first rows."""
        steps: list[Measuring] = []
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
        return sorted(steps, key=self.turn)

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

    def _following(self, runners: Mapping[str, Runner]) -> list[Measuring]:
        """Those whose trial went well begin; then those go on that may be the pick."""
        if steps := self._after_trials(runners):
            return steps
        if not self.ladder.rows or self.ladder.prepared.request.thorough:
            return []
        return self.going_on(runners)

    def _after_trials(self, runners: Mapping[str, Runner]) -> list[Measuring]:
        steps: list[Measuring] = []
        head = self._best_head(runners)
        ready = [
            runner
            for runner in runners.values()
            if not (runner.fast or runner.stepped or runner.parts) and runner.alive
        ]
        for runner in ready:
            if runner.trial and head:
                runner.chance = chance_before_test(self._trial_points(runner), head[1])
        for runner in sorted(ready, key=self._promise_a_second):
            if leader := runners.get(runner.waits_for):
                steps += self._after_leader(runner, leader, head)
            elif head and runner.chance is not None and runner.chance < GOES_ON:
                self._put_aside_by_trial(runner, *head)
            else:
                steps += self._begin(runner)
        return steps

    def _promise_a_second(self, runner: Runner) -> float:
        """Lower for what its trial makes worth more; what had none comes last."""
        nominal = self.ladder.nominal(runner.contender)
        return -(runner.chance or 0.0) / (nominal.build + nominal.search + nominal.use)

    def _after_leader(
        self, runner: Runner, leader: Runner, head: tuple[str, Floats] | None
    ) -> list[Measuring]:
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

    def _put_aside_by_trial(self, runner: Runner, head: str, best: Floats) -> None:
        own = self._trial_points(runner)
        behind = in_points(float(best.mean() - own.mean()))
        runner.aside = (
            f"put aside: {behind} behind {head} on {len(own)} labelled rows that neither had seen"
        )

    def _best_head(self, runners: Mapping[str, Runner]) -> tuple[str, Floats] | None:
        """(name, points) of the fast contender that did best in its trial."""
        tried = {n: self._trial_points(r) for n, r in runners.items() if r.fast and r.trial}
        if not tried:
            return None
        name = max(sorted(tried), key=lambda name: float(tried[name].mean()))
        return name, tried[name]

    def _trial_points(self, runner: Runner) -> Floats:
        statistics = runner.trial.body["statistics"] if runner.trial else []
        return points(metric_of(self.ladder.prepared.task), np.array(statistics, dtype=np.float64))

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
