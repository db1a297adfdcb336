"""What comes next, from what is known: pure, without a clock, so that a resumed run decides as the
first did. Time decides only which draws are begun (`nshot.bench.run`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, Protocol, TypeAlias

import numpy as np

from nshot.bench.contenders import Contender, contenders, unique_names
from nshot.bench.execute.base import Outcome
from nshot.bench.forecast import Forecasts
from nshot.bench.jobs import rates
from nshot.bench.jobs.job import Job
from nshot.bench.prepare import Prepared
from nshot.board.reduce import Size, shown
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from nshot.metrics import metric_of, score

State: TypeAlias = Literal["ok", "failed", "left"]
"""How a piece of work ended; ``left``: it could not, or the minutes did not allow it."""


@dataclass
class Known:
    """All that is known of a run: outcomes by the job's name, and how pieces ended, by title."""

    context: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    """Why pieces were left."""

    def of(self, job: Job) -> Outcome | None:
        """How the job ended, or None where it has not."""
        return self.outcomes.get(job.name(self.context))

    def add(self, outcome: Outcome) -> None:
        """One more outcome."""
        self.outcomes[outcome.job.name(self.context)] = outcome


class Work(NamedTuple):
    """What there is to do for a piece, and what is done."""

    ready: Sequence[Job]
    """Jobs that wait for nothing."""
    done: Sequence[Outcome]
    """The measurements, in order; for a piece of one job its outcome."""
    failure: Outcome | None = None
    """The first job, in order, that did not go well: the piece has failed."""

    @property
    def state(self) -> State | None:
        """None while something is left to do."""
        if self.failure:
            return "failed"
        return None if self.ready else "ok"


class Piece(Protocol):
    """Some jobs that make sense together: what a display shows as one."""

    @property
    def title(self) -> str:
        """Names it for good."""
        ...

    @property
    def place(self) -> tuple[int, int]:
        """(its place from 0, of how many) in what is shown; (0, 0) where it is not shown."""
        ...

    @property
    def why_not(self) -> str | None:
        """One sentence where it cannot be done."""
        ...

    def work(self, known: Known) -> Work:
        """What is to be done for it now."""
        ...

    def outcome(self, work: Work) -> str:
        """In a few words, where all of it went well."""
        ...


class Plan(Protocol):
    """An order of work."""

    def next(self, known: Known) -> Iterator[Piece]:
        """The pieces that can be worked at, the most wanted first; none when all is decided."""
        ...


@dataclass(frozen=True)
class Single:
    """A piece of one job. Where it fails, the run has failed, unless it is `optional`."""

    title: str
    job: Job
    place: tuple[int, int] = (0, 1)
    words: str = "done"
    """What is said when it went well."""
    optional: bool = False
    why_not: str | None = None

    def work(self, known: Known) -> Work:
        """See `Piece`."""
        outcome = known.of(self.job)
        if outcome is None:
            return Work([self.job], [])
        return Work([], [outcome], None if outcome.state == "ok" else outcome)

    def outcome(self, work: Work) -> str:
        """See `Piece`."""
        return self.words


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

    @cached_property
    def draws(self) -> list[Draw]:
        """The largest size first, draw by draw, cheap methods first; then the smaller sizes."""
        prepared = self.prepared
        stages = [
            (size, number)
            for size in reversed(prepared.sizes)
            for number in range(prepared.request.seeds)
        ]
        cells = [(c, size, number) for size, number in stages for c in self.contenders]
        return [
            Draw(self, contender, size, number, (place, len(cells)))
            for place, (contender, size, number) in enumerate(cells)
            if number < self.forecasts.repeats(contender.method)
        ]

    def draw(self, contender: Contender, size: Size, number: int) -> Draw:
        """A draw by what it is of; it is equal to that of `draws` in all but its place."""
        return Draw(self, contender, size, number)

    @cached_property
    def fallback(self) -> Draw:
        """What is measured when nothing else could be: the trivial method takes a moment."""
        prepared = self.prepared
        name = "nearest_answer" if prepared.task.kind == "generate" else "majority"
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
        return f"{self.contender.name} · {shown(self.size)} shots · draw {self.number}"

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
                chosen = prepared.setting.table.build(outcome.body["spec"])
                calibration = outcome.body["calibration"]
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

    def seconds(self, known: Known) -> float:
        """The forecast of what is left to do for it."""
        forecasts, work = self.ladder.forecasts, self.work(known)
        kinds = [job.kind for job in work.ready]
        kinds += ["measure"] * kinds.count("search")
        return sum(forecasts.of_job(self.contender, self.size, kind) for kind in kinds)


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
class Measuring:
    """Every contender at the largest size, draw by draw; then the smaller sizes.

    Where nothing could be measured, the trivial method is: a pick is never null.
    """

    ladder: Ladder

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`. A draw waits for what decides whether it is worth anything."""
        left = False
        for draw in self.ladder.draws:
            if draw.title not in known.states and self._may(draw, known):
                left = True
                yield draw
        fallback = self.ladder.fallback
        if not left and not self.measured(known) and fallback.title not in known.states:
            yield fallback

    def measured(self, known: Known) -> bool:
        """Has any contender an answer at the largest size?"""
        ladder, largest = self.ladder, self.ladder.prepared.largest
        return any(
            known.states.get(ladder.draw(contender, largest, 0).title) == "ok"
            and not self._failed(contender, known)
            for contender in ladder.contenders
        )

    def _failed(self, contender: Contender, known: Known) -> bool:
        return "failed" in self._states(contender, self.ladder.prepared.largest, known)

    def _states(self, contender: Contender, size: Size, known: Known) -> list[State | None]:
        numbers = range(self.ladder.forecasts.repeats(contender.method))
        titles = [self.ladder.draw(contender, size, number).title for number in numbers]
        return [known.states.get(title) for title in titles]

    def _may(self, draw: Draw, known: Known) -> bool:
        """At the largest size every draw must go well; a smaller one is measured of those alone."""
        largest = self._states(draw.contender, self.ladder.prepared.largest, known)
        if "failed" in largest:
            return False
        at_size = self._states(draw.contender, draw.size, known)
        if draw.number and at_size[0] != "ok":
            return False
        if draw.size == self.ladder.prepared.largest:
            return True
        return largest[0] == "ok" and None not in largest
