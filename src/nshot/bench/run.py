"""A request carried out: plan -> execute -> collect -> events.

Everything a job's result depends on stands in its name, so the same request run again, after
whatever interruption, does only what is not done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nshot.bench.audited import audit_winner
from nshot.bench.collect import Collector
from nshot.bench.curves import Curves
from nshot.bench.deliver import Finishing
from nshot.bench.execute.base import Executor
from nshot.bench.execute.crew import crew
from nshot.bench.execute.local import LocalProcesses
from nshot.bench.exported import exports_of
from nshot.bench.files import Files
from nshot.bench.forecast import Budget, Forecasts
from nshot.bench.jobs.job import context
from nshot.bench.ladder import Ladder, Opening, Rating
from nshot.bench.plan import Known, Piece
from nshot.bench.prepare import Prepared, request_yaml
from nshot.bench.purses import REPLIES, all_requests, forecasts, probe, purse_of, write_purse
from nshot.bench.rounds import Measuring
from nshot.bench.schedule import Schedule
from nshot.bench.store import Store, locked, sweep
from nshot.board.events import Message, Subscriber
from nshot.board.schema import Board
from nshot.core.energy import Meter, add_spent
from nshot.core.errors import RunFailed
from nshot.core.files import write_atomic
from nshot.core.types import ModelRef
from nshot.models.catalog import needs_conversion
from nshot.models.wrap.kept_replies import Replies


@dataclass(frozen=True)
class Result:
    """A finished (or interrupted) run: its board, its folder, and the exit code it deserves."""

    board: Board
    folder: Path
    exit_code: int

    @property
    def pick(self) -> str:
        """The recommended method."""
        return self.board.advice.pick if self.board.advice else ""


class Run:
    """One request being carried out in its folder."""

    def __init__(
        self,
        prepared: Prepared,
        executor: Executor,
        on: Subscriber,
        command: str,
        budget: Budget,
    ) -> None:
        self.prepared = prepared
        write_atomic(prepared.out / "nshot.yaml", request_yaml(prepared))
        hello = executor.hello()
        self.files = Files(hello.machine, command)
        self.known = Known(context(prepared.split.fingerprint, hello.identity))
        store = Store(prepared.out)
        self.schedule = Schedule(self.known, store, executor, on, budget, self._settled)
        self._forecast_by(Forecasts(prepared))
        self.meter = Meter()
        self._next_write = math.inf  # a board without forecasts would say wrong reasons

    def rate(self, begin: bool = False) -> None:
        """Measure what this machine does with each model; `begin`: what needs none meanwhile."""
        rating = Rating(self.prepared)
        self.schedule.do(Opening(self.ladder, rating) if begin else rating)
        self._forecast_by(rating.forecasts(self.known))
        self._next_write = 0.0

    def _forecast_by(self, forecasts: Forecasts) -> None:
        self.ladder = Ladder.of(self.prepared, forecasts)
        exports = list(exports_of(self.schedule.store))
        self.collector = Collector(self.ladder, self.known, exports=exports)

    def _settled(self, piece: Piece) -> None:
        """Write the board as it stands, as often as takes a tenth of the time at most."""
        self.meter.tick()
        start = time.monotonic()
        if isinstance(piece, Measuring) and start >= self._next_write:
            self.write()
            self._next_write = time.monotonic() + 9 * (time.monotonic() - start)

    def go(self) -> None:
        """Measure all, choose, and finish the pick. Raises `RunFailed`."""
        self.rate(begin=True)
        self.schedule.do(self.collector.race)
        collected = self.collector.collect()
        first = collected.first(self.prepared.largest)
        advice = self.collector.board(collected).advice
        if advice is None:
            reasons = [f"{entry.name}: {entry.reason}" for entry in collected.entries]
            raise RunFailed("nothing could be measured\n  " + "\n  ".join(reasons))
        if self.prepared.question == 1 and self.ladder.rows:
            best = {advice.pick, *advice.could_be_best}
            if self.prepared.request.margin is not None:
                best |= {entry.name for entry in collected.entries if entry.measurements}
            names = [entry.name for entry in collected.entries if entry.name in best]
            picks = [self.collector.pick(collected, name) for name in names]
            self.collector.curves = Curves.of(self.ladder, picks)
            self.schedule.do(self.collector.curves)
        pick = self.collector.pick(collected, advice.pick)
        self.collector.finishing = Finishing(self.ladder, pick, first)
        self.schedule.do(self.collector.finishing)

    def stop(self) -> None:
        """End its workers, and add what they took to what the run has taken."""
        self.schedule.executor.stop()
        add_spent(self.prepared.out, self.meter.spent())

    def write(self) -> tuple[Board, bool]:
        """Write the run's files as things stand; the board, and whether something broke."""
        collected = self.collector.collect()
        board = self.collector.board(collected)
        if board.advice is not None:
            self.files.write(self.collector, collected, board, board.advice)
        return board, collected.broken


@contextmanager
def opened(prepared: Prepared, on: Subscriber, command: str) -> Iterator[Run]:
    """A run that holds its folder's lock; its workers end with it.

    Its minutes begin here: models that are converted first take of them.
    """
    budget = Budget(prepared.request.minutes)
    with locked(prepared.out) as lock:
        sweep(prepared.out)
        prepared.setting.write(prepared.out)
        write_purse(prepared.out, purse_of(prepared.methods, prepared.request))
        Replies(prepared.out / REPLIES).sweep()
        setting, methods = prepared.setting, prepared.methods
        judge = setting.judge if isinstance(setting.judge, ModelRef) else None
        models = (*setting.bases, *setting.encoders, judge)
        for ref in models:
            if ref and needs_conversion(ref):
                on(Message(f"{ref.name} is converted, once on this machine: about a minute"))
        count, threads, reason = crew(prepared.out, prepared.request.workers, models, methods)
        on(Message(reason))
        executor = LocalProcesses(prepared.out, count, threads, lock)
        try:
            yield Run(prepared, executor, on, command, budget)
        finally:
            executor.stop()


def tell_money(ladder: Ladder, on: Subscriber) -> None:
    """Say what the run will cost in money, from the bill of the first rows, where prices are known.

    These rows are asked about anyway, and a request is paid once.
    """
    purse = purse_of(ladder.prepared.methods, ladder.prepared.request)
    if not purse.prices:
        return
    probe(ladder, ladder.prepared.out)
    whole = forecasts(ladder, ladder.prepared.out, all_requests(ladder))[""]
    of = "" if purse.money is None else f", of {purse.money:.4g} that it may cost"
    unit = purse.currency or "in money"
    on(Message(f"models behind endpoints will cost {whole:.4g} {unit} at most{of}"))


def carry_out(prepared: Prepared, on: Subscriber, command: str = "") -> Result:
    """Run a prepared request to its end. Ctrl-C leaves the board of what was measured.

    Raises `RunFailed` or `KeyboardInterrupt` when there was nothing to make a board of.
    """
    with opened(prepared, on, command) as run:
        tell_money(run.ladder, on)
        end: BaseException | None = None
        try:
            run.go()
        except (KeyboardInterrupt, RunFailed) as error:
            end = error
        run.stop()
        board, broken = run.write()
        if board.advice is None and end is not None:
            raise end
        if isinstance(end, KeyboardInterrupt):
            on(Message("interrupted: the board shows what was measured; the same command goes on"))
            return Result(board, prepared.out, 130)
        if end is not None:
            on(Message(f"failed: {end}"))
    if prepared.request.audit and end is None:
        audit_winner(prepared.out, on)
    return Result(board, prepared.out, 3 if end or broken else 0)
