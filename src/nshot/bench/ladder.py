"""The contenders of a request, and what there is to measure of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nshot.bench.contenders import Contender, contenders, unique_names
from nshot.bench.execute.base import Outcome
from nshot.bench.forecast import Forecast, Forecasts
from nshot.bench.jobs import rates
from nshot.bench.jobs.job import Job
from nshot.bench.plan import Known, Piece, Single, Work
from nshot.bench.prepare import Prepared
from nshot.bench.purses import purse_of
from nshot.board.racing import blocks
from nshot.board.reduce import Size, shown
from nshot.board.reliance import latency
from nshot.board.words import Outlay, cost_in_money, cost_in_seconds, give_up_of
from nshot.core.types import Measurement, ModelRef, group_numbers
from nshot.methods import TABLE, TRIVIAL
from nshot.methods.contract import Method
from nshot.metrics import metric_of, score
from nshot.models.wrap.purse import Purse


@dataclass(frozen=True)
class Ladder:
    """The contenders of a request, and what their draws consist of."""

    prepared: Prepared
    contenders: tuple[Contender, ...]
    forecasts: Forecasts

    @staticmethod
    def of(prepared: Prepared, forecasts: Forecasts | None = None) -> Ladder:
        """The ladder of a request."""
        setting = prepared.setting
        rows = contenders(prepared.methods, setting.bases, setting.encoders)
        return Ladder(prepared, rows, forecasts or Forecasts(prepared))

    @property
    def rows(self) -> int:
        """Test rows at the first look; 0 where folds measure."""
        return len(self.prepared.split.test)

    @cached_property
    def groups(self) -> list[int] | None:
        """The number of each of these rows' group, in the order of answering; None without."""
        return group_numbers(self.prepared.setting.test[: self.rows])

    @cached_property
    def blocks(self) -> list[int | None]:
        """After how many test rows a slow contender is looked at; None: at the end."""
        return [*blocks(self.rows, self.groups)[:-1], None]

    def chosen(self, known: Known, search: Job) -> tuple[Method, Mapping[str, Any] | None]:
        """The method with the settings that a search has chosen, and its calibration."""
        outcome = known.of(search)
        if outcome is None:
            raise KeyError(search.spec["method"])
        table = self.prepared.setting.table
        return table.build(outcome.body["spec"]), outcome.body["calibration"]

    def nominal(self, contender: Contender) -> Forecast:
        """Seconds on a fixed machine; see `Forecasts.nominal`."""
        return self.forecasts.nominal(contender)

    def cost(self, contender: Contender, measurements: Sequence[Measurement]) -> float:
        """What a wish would weigh, on that machine; in money by what was billed so far."""
        prefer, nominal = self.prepared.request.prefer, self.nominal(contender)
        rows = self.rows or len(self.prepared.split.train)
        build, use = nominal.build + nominal.search, 1000 * nominal.use / rows
        if prefer != "money":
            return cost_in_seconds(prefer, build, use)
        paid = sum(one.use.money for one in measurements)
        answers = max(1, sum(len(one.ids) for one in measurements))
        base = contender.base
        known = paid > 0 or (base is not None and base.name in self.purse.prices)
        outlay = Outlay.of(
            (build, max((one.build.money for one in measurements), default=0.0)),
            (use, 1000 * paid / answers if known else None),
            contender.method.trains,
            elsewhere=latency(measurements) is not None,
        )
        return cost_in_money(outlay, self.hour)

    @cached_property
    def purse(self) -> Purse:
        """The prices of its models."""
        return purse_of(self.prepared.methods, self.prepared.request)

    @property
    def hour(self) -> float | None:
        """What an hour of this machine costs, where the table of prices says."""
        return self.purse.hour

    @property
    def give_up(self) -> float:
        """Score given up for less cost."""
        wish = self.prepared.request.wish
        return give_up_of(wish.prefer) if wish.give_up is None else wish.give_up

    def draw(self, contender: Contender, size: Size, number: int) -> Draw:
        """A draw by what it is of."""
        return Draw(self, contender, size, number)

    @cached_property
    def fallback(self) -> Draw:
        """What is measured when nothing else could be: the trivial method takes a moment."""
        prepared = self.prepared
        name = TRIVIAL.get(prepared.task.kind, "majority")
        setting = prepared.setting
        models = setting.bases[:1], setting.encoders[:1]
        one = [c for c in self.contenders if c.method.name == name]
        (contender, *_) = one or contenders([TABLE.build({"method": name})], *models)
        return Draw(self, contender, prepared.largest, 0, fallback=True)


@dataclass(frozen=True)
class Draw:
    """One contender on one draw of the shots: search and measure, on every cut."""

    ladder: Ladder
    contender: Contender
    size: Size
    number: int
    place: tuple[int, int] = (0, 1)
    fallback: bool = False
    fresh: bool = False
    """A draw on which the pick was not chosen."""

    @property
    def title(self) -> str:
        """See `Piece`."""
        if self.fresh:
            return f"{self.contender.name} · fresh draw {self.number}"
        if self.fallback:
            return f"{self.contender.name} · because nothing else could be measured"
        if self.ladder.prepared.question == 2:
            return f"{self.contender.name} · {shown(self.size)} shots · draw {self.number}"
        folds = self.ladder.prepared.split.mode == "folds"
        repeat = f" · repeat {self.number + 1}" * folds
        return f"{self.contender.name} · all rows{repeat}"

    @property
    def why_not(self) -> str | None:
        """One sentence where the contender cannot work on this."""
        return self.ladder.forecasts.why_not(self.contender, self.size)

    def work(self, known: Known) -> Work:
        """See `Piece`."""
        ready: list[Job] = []
        done: list[Outcome] = []
        prepared = self.ladder.prepared
        for cut in self.ladder.forecasts.cuts(self.contender.method):
            chosen, calibration = self.contender.method, None
            if self.contender.is_open(prepared.task.kind):
                search = self.contender.search(self.size, self.number, cut)
                outcome = known.of(search)
                if outcome is None:
                    ready.append(search)
                    continue
                if outcome.state != "ok":
                    return Work([], done, outcome)
                chosen, calibration = self.ladder.chosen(known, search)
            measure = self.contender.job("measure", chosen, self.size, self.number, cut)
            measure = replace(measure, calibration=calibration)
            outcome = known.of(measure)
            if outcome is None:
                ready.append(measure)
            elif outcome.state != "ok":
                return Work([], done, outcome)
            else:
                done.append(outcome)
        return Work(ready, done)

    @property
    def decides(self) -> bool:
        """Is its contender a row without a score where this is left?"""
        return self.size == self.ladder.prepared.largest and self.number == 0

    def outcome(self, work: Work) -> str:
        """Its score."""
        metric = metric_of(self.ladder.prepared.task)
        rows = [row for outcome in work.done for row in outcome.measurement.statistics]
        return f"{100 * score(metric, np.array(rows, dtype=np.float64)):.1f} %"

    def searches(self, known: Known) -> list[Outcome]:
        """The searches behind it that went well, cut by cut."""
        if not self.contender.is_open(self.ladder.prepared.task.kind):
            return []
        cuts = self.ladder.forecasts.cuts(self.contender.method)
        jobs = [self.contender.search(self.size, self.number, cut) for cut in cuts]
        outcomes = [known.of(job) for job in jobs]
        return [outcome for outcome in outcomes if outcome and outcome.state == "ok"]

    def forecast(self, job: Job) -> float:
        """Seconds that one of its jobs is thought to take."""
        return self.ladder.forecasts.of_job(self.contender, self.size, job.kind)

    def seconds(self, known: Known) -> float:
        """The forecast of what is left to do for it."""
        ready = self.work(known).ready
        searches = [replace(job, kind="measure") for job in ready if job.kind == "search"]
        return sum(map(self.forecast, [*ready, *searches]))


@dataclass(frozen=True)
class Rating:
    """Measure what this machine does with each model: the ground of the forecasts."""

    prepared: Prepared

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        for piece in self.pieces.values():
            if piece.title not in known.states:
                yield piece

    @property
    def pieces(self) -> dict[ModelRef, Single]:
        """One of each model."""
        setting = self.prepared.setting
        version = rates.VERSION
        jobs = {ref: Job("rates", base=ref, version=version) for ref in setting.bases}
        jobs |= {ref: Job("rates", encoder=ref, version=version) for ref in setting.encoders}
        names = unique_names(list(jobs))
        return {
            ref: Single(f"rates · {names[ref]}", job, (0, 0), optional=True)
            for ref, job in jobs.items()
        }

    def forecasts(self, known: Known) -> Forecasts:
        """What was measured, and which models could not be."""
        outcomes = {ref: known.of(piece.job) for ref, piece in self.pieces.items()}
        bodies = {ref: o.body for ref, o in outcomes.items() if o and o.state == "ok"}
        failures = {ref: o.reason for ref, o in outcomes.items() if o and o.state != "ok"}
        return Forecasts(self.prepared, bodies, failures)


@dataclass(frozen=True)
class Opening:
    """How a run begins: what is fast and needs no model is measured while models are loaded.

    It would be measured in any case, whatever the rates are; the rates of the models come after.
    """

    ladder: Ladder
    """Without rates."""
    rating: Rating

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        pieces = [piece for piece in self._draws if piece.title not in known.states]
        yield from pieces
        yield from self.rating.next(known)

    @cached_property
    def _draws(self) -> list[Draw]:
        prepared = self.ladder.prepared
        if prepared.question == 2 and prepared.request.minutes is not None:
            return []  # what it takes there has to be forecast first
        without = [
            contender
            for contender in self.ladder.contenders
            if contender.method.fast and not (contender.base or contender.encoder)
        ]
        total = len(self.ladder.contenders)
        return [
            replace(self.ladder.draw(contender, prepared.largest, 0), place=(number, total))
            for number, contender in enumerate(without)
        ]
