"""Between plan and executor: what the store has, what the minutes allow, and who is told.

The plan knows no clock and the executor no plan; this is the only place where wall time decides
anything: which draws are begun.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from nshot.bench.execute.base import Executor, Outcome
from nshot.bench.forecast import Budget
from nshot.bench.jobs.deliver import delivered
from nshot.bench.jobs.job import Job
from nshot.bench.plan import Known, Piece, Plan, Single, State, Work
from nshot.bench.rounds import Measuring
from nshot.bench.store import Store
from nshot.board.events import Finished, Message, Progress, Started, Subscriber
from nshot.core.durations import duration
from nshot.core.errors import RunFailed


@dataclass
class Schedule:
    """Carries out plans on an executor.

    `on_settled` is called after each piece that has ended, but for those that the store had whole.
    """

    known: Known
    store: Store
    executor: Executor
    on: Subscriber
    budget: Budget
    on_settled: Callable[[Piece], object]
    _running: dict[str, Piece] = field(default_factory=dict)
    _absent: set[str] = field(default_factory=set)
    _worked_at: set[str] = field(default_factory=set)
    _started: dict[str, float] = field(default_factory=dict)
    _spent: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def do(self, plan: Plan) -> None:
        """Carry out a plan to its end. Raises `RunFailed` where what must go well did not."""
        failures: list[str] = []
        for outcome in self.executor.run(partial(self._take, plan, failures), self._progress):
            self.known.add(outcome)
            piece = self._running.pop(self._name(outcome.job))
            self._worked_at.add(piece.title)
            if isinstance(piece, Measuring):
                self._spent[piece.title].append(_spent(piece, outcome))
        if failures:
            raise RunFailed(failures[0])

    def _name(self, job: Job) -> str:
        return job.name(self.known.context)

    def _take(self, plan: Plan, failures: list[str]) -> Job | None:
        """The next job to begin. Pieces that need none are settled on the way."""
        pieces = plan.next(self.known)
        while (piece := next(pieces, None)) is not None:
            job = self._job_of(piece, failures)
            if job is not None:
                self._running[self._name(job)] = piece
                return job
            if piece.title in self.known.states:  # what can come next has changed
                pieces = plan.next(self.known)
        return None

    def _job_of(self, piece: Piece, failures: list[str]) -> Job | None:
        """A job of a piece to begin now; None where all of them run, or the piece has ended."""
        begun = piece.title in self._started
        if not begun and (reason := piece.why_not):
            self._leave(piece, reason)
            return None
        work = piece.work(self.known)
        while stored := next(filter(None, map(self._stored, work.ready)), None):
            self.known.add(stored)
            work = piece.work(self.known)
        if work.state:
            self._settle(piece, work, work.state, failures)
            return None
        waiting = [job for job in work.ready if self._name(job) not in self._running]
        if waiting and not begun and (reason := self._refusal(piece)):
            self._leave(piece, reason)
            return None
        if not waiting:
            return None
        self._start(piece)
        return waiting[0]

    def _stored(self, job: Job) -> Outcome | None:
        """What an earlier run has done; a winner that another has replaced is made again."""
        name = self._name(job)
        if name in self._absent or name in self._running:
            return None
        stored = self.store.get(name)
        if stored is None or (job.kind == "deliver" and delivered(self.store.root) != name):
            self._absent.add(name)
            return None
        state, body = stored
        return Outcome(job, "failed" if state == "failed" else "ok", body, body.get("reason", ""))

    def _refusal(self, piece: Piece) -> str | None:
        """Why a draw is not begun in the minutes that are left."""
        if not isinstance(piece, Measuring) or piece.fallback:
            return None
        if piece.contender.method.fast and piece.size is None:
            return None  # question 1 always has those to compare with
        return self.budget.refusal(piece.contender.name, piece.seconds(self.known))

    def _leave(self, piece: Piece, reason: str) -> None:
        self.known.states[piece.title], self.known.reasons[piece.title] = "left", reason
        if isinstance(piece, Measuring) and piece.decides:
            self.on(Message(f"{piece.contender.name}: skipped: {reason}"))

    def _start(self, piece: Piece) -> None:
        if piece.title not in self._started:
            self._started[piece.title] = time.monotonic()
            if piece.place[1]:
                self.on(Started(piece.title, *piece.place))

    def _settle(self, piece: Piece, work: Work, state: State, failures: list[str]) -> None:
        self._start(piece)
        self.known.states[piece.title] = state
        if work.failure and isinstance(piece, Single) and not piece.optional:
            failures.append(work.failure.reason)
        if piece.place[1]:
            reason = work.failure and f"failed: {work.failure.reason}"
            self.on(Finished(piece.title, reason or self._words(piece, work)))
        if isinstance(piece, Measuring) and state == "ok" and (spent := self._spent[piece.title]):
            forecast, actual = (sum(column) for column in zip(*spent, strict=True))
            if forecast > 0:
                self.budget.learn(piece.contender.name, forecast, actual)
        if piece.title in self._worked_at:
            self.on_settled(piece)

    def _words(self, piece: Piece, work: Work) -> str:
        seconds = duration(time.monotonic() - self._started[piece.title])
        return f"{piece.outcome(work)} in {seconds}"

    def _progress(self, job: Job, done: int, total: int, what: str) -> None:
        piece = self._running[self._name(job)]
        if piece.place[1]:
            self.on(Progress(piece.title, done, total, what))


def _spent(piece: Measuring, outcome: Outcome) -> tuple[float, float]:
    """(forecast, actual) seconds of a job. A search that was taken up again counts whole."""
    return piece.forecast(outcome.job), outcome.body.get("spent_seconds", outcome.seconds)
