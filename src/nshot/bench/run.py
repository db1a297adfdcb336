"""A request carried out: plan -> execute -> collect -> events.

Everything a job's result depends on stands in its name, so the same request run again, after
whatever interruption, does only what is not done.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nshot.bench.collect import Collected, Collector
from nshot.bench.curves import Curves
from nshot.bench.deliver import Adapting, Finishing
from nshot.bench.draws import Measuring
from nshot.bench.execute.base import Executor
from nshot.bench.execute.crew import crew
from nshot.bench.execute.local import LocalProcesses
from nshot.bench.forecast import Budget
from nshot.bench.history import Verdicts, race_of
from nshot.bench.jobs.job import context
from nshot.bench.ladder import Draw, Ladder, Rating
from nshot.bench.plan import Known, Piece
from nshot.bench.prepare import Prepared, request_yaml
from nshot.bench.race import Step
from nshot.bench.schedule import Schedule
from nshot.bench.search import trials
from nshot.bench.store import Store, locked, sweep
from nshot.board.details import contested_rows, details
from nshot.board.events import Message, Subscriber
from nshot.board.reduce import row_outside
from nshot.board.schema import Advice, Board, Machine, Row
from nshot.core.errors import Fault, InputError, RunFailed
from nshot.core.files import write_atomic
from nshot.data.json_lines import write_rows
from nshot.models.catalog import needs_conversion
from nshot.report import write as write_report


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
        self, prepared: Prepared, executor: Executor, on: Subscriber, command: str
    ) -> None:
        self.prepared, self.command, self.started = prepared, command, time.time()
        write_atomic(prepared.out / "nshot.yaml", request_yaml(prepared))
        hello = executor.hello()
        self.machine = hello.machine
        self.known = Known(context(prepared.split.fingerprint, hello.identity))
        store, budget = Store(prepared.out), Budget(prepared.request.minutes)
        self.schedule = Schedule(self.known, store, executor, on, budget, self._settled)
        rating = Rating(prepared)
        self.schedule.do(rating)
        self.ladder = Ladder.of(prepared, rating.forecasts(self.known))
        self.collector = Collector(self.ladder, self.known)
        self._next_write = 0.0
        self.verdicts: Verdicts = {}

    def _settled(self, piece: Piece) -> None:
        """Write the board as it stands, as often as takes a tenth of the time at most."""
        start = time.monotonic()
        if isinstance(piece, Draw | Step) and start >= self._next_write:
            self.write()
            self._next_write = time.monotonic() + 9 * (time.monotonic() - start)

    def go(self) -> None:
        """Measure all, choose, and finish the pick. Raises `RunFailed`."""
        races = self.prepared.question == 1
        self.schedule.do(self.collector.racing if races else Measuring(self.ladder))
        collected = self.collector.collect()
        first = collected.first(self.prepared.largest)
        advice = self.collector.board(collected).advice
        if advice is None:
            reasons = [f"{entry.name}: {entry.reason}" for entry in collected.entries]
            raise RunFailed("nothing could be measured\n  " + "\n  ".join(reasons))
        if races and self.ladder.rows:
            self.collector.curves = self._curves(collected, advice)
            self.schedule.do(self.collector.curves)
        pick = self.collector.pick(collected, advice.pick)
        self.collector.finishing = Finishing(self.ladder, pick, first)
        self.schedule.do(self.collector.finishing)

    def _curves(self, collected: Collected, advice: Advice) -> Curves:
        """Of the pick and of those that could be the best, as far as they are fast."""
        picks = [
            self.collector.pick(collected, entry.name)
            for entry in collected.entries
            if entry.name in (advice.pick, *advice.could_be_best)
        ]
        fast = [one for one in picks if one.contender.method.fast and one.contender.method.learns]
        return Curves(self.ladder, tuple((p.contender, p.chosen, p.calibration) for p in fast))

    def adapt(self) -> Row:
        """Search, adapt and save the one contender; its row. Raises `InputError`, `RunFailed`."""
        (contender, *_), size = self.ladder.contenders, self.prepared.largest
        if reason := self.ladder.forecasts.why_not(contender, size):
            raise InputError(Fault(f"{contender.name} cannot be adapted here: {reason}"))
        plan = Adapting(self.ladder)
        self.schedule.do(plan)
        entry = self.collector.adapted(plan.piece(self.known))
        row = row_outside(self.collector.facts, entry)
        write_atomic(self.prepared.out / "adapted.json", row.dumps())
        return row

    def write(self) -> tuple[Board, bool]:
        """Write the run's files as things stand; the board, and whether something broke."""
        collected = self.collector.collect()
        board, root = self.collector.board(collected), self.prepared.out
        if board.advice is not None:
            pick = next(e for e in collected.entries if e.name == board.advice.pick)
            machine, facts = Machine.model_validate(self.machine), self.collector.facts
            contested, rows = contested_rows(facts, collected.entries, board.advice.could_be_best)
            times = self.started, time.time()
            race, folder = (
                race_of(self.collector.racing, self.known, self.verdicts),
                self.collector.folder(root),
            )
            details(facts, pick, machine, self.command, times, race, contested, folder).write(root)
            write_rows(root / "disagreements.jsonl", [row.model_dump() for row in rows])
            board.write(root)
            write_report(root)
        return board, collected.broken


@contextmanager
def opened(prepared: Prepared, on: Subscriber, command: str) -> Iterator[Run]:
    """A run that holds its folder's lock; its workers end with it."""
    with locked(prepared.out) as lock:
        sweep(prepared.out)
        prepared.setting.write(prepared.out)
        setting, methods = prepared.setting, prepared.methods
        models = (*setting.bases, *setting.encoders, setting.judge)
        for ref in models:
            if ref and needs_conversion(ref):
                on(Message(f"{ref.name} is converted, once on this machine: about a minute"))
        count, threads, reason = crew(prepared.out, prepared.request.workers, models, methods)
        on(Message(reason))
        executor = LocalProcesses(prepared.out, count, threads, lock)
        try:
            yield Run(prepared, executor, on, command)
        finally:
            executor.stop()


def carry_out(prepared: Prepared, on: Subscriber, command: str = "") -> Result:
    """Run a prepared request to its end. Ctrl-C leaves the board of what was measured.

    Raises `RunFailed` or `KeyboardInterrupt` when there was nothing to make a board of.
    """
    with opened(prepared, on, command) as run:
        end: BaseException | None = None
        try:
            run.go()
        except (KeyboardInterrupt, RunFailed) as error:
            end = error
        board, broken = run.write()
        if board.advice is None and end is not None:
            raise end
        if isinstance(end, KeyboardInterrupt):
            on(Message("interrupted: the board shows what was measured; the same command goes on"))
            return Result(board, prepared.out, 130)
        if end is not None:
            on(Message(f"failed: {end}"))
        return Result(board, prepared.out, 3 if end or broken else 0)


def adapt_one(prepared: Prepared, on: Subscriber, command: str = "") -> Row:
    """Search, adapt and save the one method of a request; its row, measured as saved.

    The row's score is None without test rows. Raises `InputError` where the method cannot work
    here, and `RunFailed`.
    """
    names = [contender.name for contender in Ladder.of(prepared).contenders]
    if len(names) > 1:
        problem = f"several models: {', '.join(names)}"
        raise InputError(
            Fault(problem, "one method on one model", "nshot compare measures several")
        )
    with opened(prepared, on, command) as run:
        return run.adapt()


def plan(prepared: Prepared, on: Subscriber) -> list[dict[str, Any]]:
    """The forecast table: what each contender would take, or why it would not run.

    Measures this machine's rates in a temporary folder; nothing stays.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(replace(prepared, out=Path(folder) / "plan"), on, "") as run,
    ):
        return forecast_rows(run.ladder)


def forecast_rows(ladder: Ladder) -> list[dict[str, Any]]:
    """Of each contender its forecast at the largest size, and of all sizes together."""
    prepared, forecasts = ladder.prepared, ladder.forecasts
    rows = []
    for contender in ladder.contenders:
        one = forecasts.of(contender, prepared.largest)
        rows.append({
            "name": contender.name,
            "rung": contender.method.rung,
            "why_not": forecasts.why_not(contender, prepared.largest),
            "candidates": trials(contender.method, prepared.task.kind),
            "search": one.search,
            "build": one.build,
            "use": one.use,
            "total": sum(forecasts.of(contender, size).total for size in prepared.sizes),
        })  # fmt: skip
    return rows
