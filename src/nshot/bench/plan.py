"""What comes next, from what is known: pure, without a clock, so that a resumed run decides as the
first did. Time decides only which pieces are begun (`nshot.bench.run`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from nshot.bench.execute.base import Outcome
from nshot.bench.jobs.job import Job

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
    _ended: dict[str, Work] = field(default_factory=dict)

    def of(self, job: Job) -> Outcome | None:
        """How the job ended, or None where it has not."""
        return self.outcomes.get(job.name(self.context))

    def work(self, piece: Piece) -> Work:
        """What there is to do for a piece; of one that has ended it is kept: plans ask often."""
        if piece.title in self._ended:
            return self._ended[piece.title]
        work = piece.work(self)
        if piece.title in self.states:
            self._ended[piece.title] = work
        return work

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
