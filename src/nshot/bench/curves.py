"""What more labels would bring: fast methods on parts of the labelled rows, beside question 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nshot.bench.contenders import Contender
from nshot.bench.deliver import Pick
from nshot.bench.execute.base import Outcome
from nshot.bench.jobs.job import Job
from nshot.bench.ladder import Ladder
from nshot.bench.plan import Known, Piece, Work
from nshot.methods.contract import Method

PARTS = (4, 2)
"""A quarter of the labelled rows, and half of them."""
MORE_PARTS = (16, 8, 4, 2)
"""Where it is asked from how many rows on a model matches what stands already."""
DRAWS = 3
LEAST_ROWS = 16
"""Labelled rows under which a part says nothing."""


@dataclass(frozen=True)
class Part:
    """A contender on `rows` of the labelled rows, `DRAWS` times, with the settings of all rows."""

    ladder: Ladder
    contender: Contender
    chosen: Method
    calibration: Mapping[str, Any] | None
    rows: int
    place: tuple[int, int] = (0, 1)
    why_not: str | None = None

    @property
    def title(self) -> str:
        """See `Piece`."""
        return f"{self.contender.name} · on {self.rows} labelled rows"

    def jobs(self) -> list[Job]:
        """A job for each draw."""
        return [
            replace(
                self.contender.job("measure", self.chosen, None, number),
                rows=self.rows,
                calibration=self.calibration,
            )
            for number in range(DRAWS)
        ]

    def work(self, known: Known) -> Work:
        """See `Piece`."""
        outcomes = [known.of(job) for job in self.jobs()]
        done = [outcome for outcome in outcomes if outcome is not None]
        failure = next((outcome for outcome in done if outcome.state != "ok"), None)
        if failure:
            return Work([], done, failure)
        ready = [job for job, one in zip(self.jobs(), outcomes, strict=True) if one is None]
        return Work(ready, done)

    def outcome(self, work: Work) -> str:
        """See `Piece`."""
        return "measured"

    def measured(self, known: Known) -> list[Outcome]:
        """All draws, where all went well."""
        work = self.work(known)
        return [] if work.state != "ok" else list(work.done)


@dataclass(frozen=True)
class Curves:
    """The parts of each of `contenders`: (contender, settings, calibration) as on all rows."""

    ladder: Ladder
    contenders: tuple[tuple[Contender, Method, Mapping[str, Any] | None], ...]
    shares: Sequence[int] = PARTS

    @staticmethod
    def of(ladder: Ladder, picks: Sequence[Pick]) -> Curves:
        """Of those that answer at once and learn."""
        fast = [one for one in picks if one.contender.method.fast and one.contender.method.learns]
        shares = PARTS if ladder.prepared.request.margin is None else MORE_PARTS
        return Curves(ladder, tuple((p.contender, p.chosen, p.calibration) for p in fast), shares)

    @property
    def parts(self) -> list[Part]:
        """The smaller ones first."""
        labelled = len(self.ladder.prepared.split.train)
        sizes = [labelled // part for part in self.shares if labelled // part >= LEAST_ROWS]
        cells = [(*one, rows) for rows in sizes for one in self.contenders]
        return [Part(self.ladder, *cell, (number, len(cells))) for number, cell in enumerate(cells)]

    def next(self, known: Known) -> Iterator[Piece]:
        """See `Plan`."""
        for part in self.parts:
            if part.title not in known.states:
                yield part
