"""Question 2: draws of so many examples of each label, of the slow ones only as many as may matter.

First every draw of everything fast and a scout of each slow contender: one draw, its defaults, the
first test rows. Then, round by round, those get their search, further rows and further draws that
are expected to raise the pick's score. The smaller sizes are measured of who went the whole way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nshot.bench.plan import Known
from nshot.bench.rounds import Measuring, Onward, Race, Runner, Step
from nshot.board.decide import Column
from nshot.board.racing import draw_steps, race_draws
from nshot.board.reduce import Size


@dataclass(frozen=True)
class DrawRacing(Race):
    """The plan of question 2; with `thorough` nothing is put aside."""

    def plan(self, runners: Mapping[str, Runner], known: Known) -> Iterator[list[Measuring]]:
        """See `Race`."""
        yield self._first(runners, known)
        while steps := self.going_on(runners):
            yield steps
        for size in reversed(self.ladder.prepared.sizes[:-1]):
            yield self._smaller(runners, size, known)

    def _first(self, runners: Mapping[str, Runner], known: Known) -> list[Measuring]:
        """Everything fast whole, and of each slow one a scout; without test rows the folds."""
        prepared, steps = self.ladder.prepared, list[Measuring]()
        for runner in runners.values():
            if runner.fast or prepared.request.thorough or not self.ladder.rows:
                steps += self.whole(runner.contender, prepared.largest, known)
            else:
                steps.append(self._scout(runner))
        return sorted(steps, key=self.turn)

    def _scout(self, runner: Runner) -> Step:
        _, rows = self._steps(runner)[0]
        stop = self._stop(rows, runner.searched)
        return Step(self.ladder, runner.contender, "first", self._size, stop=stop)

    def _smaller(self, runners: Mapping[str, Runner], size: Size, known: Known) -> list[Measuring]:
        steps: list[Measuring] = []
        for runner in runners.values():
            if runner.alive and runner.parts:
                steps += self.whole(runner.contender, size, known)
        return sorted(steps, key=self.turn)

    # ------------------------------------------------------------------------------- who goes on

    def judge(self, columns: list[Column], tried: int) -> Onward:
        """See `Race`: by what it is expected to bring."""
        ladder = self.ladder
        standing = race_draws(
            columns,
            rows=ladder.rows,
            draws=ladder.prepared.draws,
            groups=ladder.groups,
            give_up=ladder.give_up,
            tried=tried,
        )
        go = (*standing.go, *standing.blockers)
        return Onward(standing.pick, standing.gain, go, standing.settled)

    def put_aside(self, runner: Runner, onward: Onward) -> None:
        """See `Race`."""
        settings = "" if runner.searched else " with default settings"
        gain = 100 * onward.promise[runner.contender.name]
        why = (
            f"{onward.pick} was settled without it"
            if onward.settled
            else f"measuring it whole was expected to bring {gain:.1f} points over {onward.pick}"
        )
        runner.aside = f"put aside after {runner.extent}{settings}: {why}"

    def following(self, runner: Runner) -> Step:
        """Its search, where it has had none; else the next rows, or the next draw."""
        contender, sources = runner.contender, runner.sources
        if not runner.searched:
            stop = self._stop(runner.rows, True)
            return Step(self.ladder, contender, "search", self._size, stop=stop, sources=sources)
        draws, rows = next(
            (draws, rows)
            for draws, rows in self._steps(runner)
            if draws > runner.draws or rows > runner.rows
        )
        return Step(
            self.ladder,
            contender,
            "more",
            self._size,
            start=runner.rows if rows > runner.rows else 0,
            stop=self._stop(rows, True),
            draws=draws,
            chosen=runner.chosen,
            calibration=runner.calibration,
            sources=sources,
        )

    @property
    def _size(self) -> Size:
        return self.ladder.prepared.largest

    def _steps(self, runner: Runner) -> tuple[tuple[int, int], ...]:
        """(draws, rows) that it is measured on, step by step; no more draws of what none moves."""
        repeats = self.ladder.forecasts.repeats(runner.contender, self._size)
        if runner.draws > 1 and runner.is_still:
            repeats = runner.draws
        return draw_steps(self.ladder.rows, repeats, self.ladder.groups)

    def _stop(self, rows: int, searched: bool) -> int | None:
        """Where a step stops. None: at the last row, and what has answered is not kept."""
        return None if searched and rows == self.ladder.rows else rows
