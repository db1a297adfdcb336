"""The loop: a request -> jobs in a worker, in order and within a budget -> a board in a folder.

Wall time decides only which jobs start. Everything a job's result depends on stands in its name,
so the same request run again, after whatever interruption, does only what is not done.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from nshot.bench.forecast import Budget, Forecast
from nshot.bench.job import Cut, Job, WorkerProcess
from nshot.bench.judging import judge_rows
from nshot.bench.prepare import (
    FOLDS,
    SLOW_FOLDS,
    SLOW_REPEATS,
    Prepared,
    prepare,
    request_yaml,
)
from nshot.bench.request import Request
from nshot.bench.search import open_settings, trials
from nshot.bench.store import Store, locked
from nshot.board.details import details
from nshot.board.judge import Comparison, Verdicts
from nshot.board.reduce import (
    Entry,
    Facts,
    Size,
    draw_scores,
    matrix,
    reduce,
    row_outside,
    shown,
)
from nshot.board.schema import Board, Machine, Preference, Row
from nshot.core.durations import duration
from nshot.core.errors import CannotAdapt, Fault, InputError, RunFailed
from nshot.core.files import write_atomic
from nshot.core.serial import from_data
from nshot.core.types import Measurement, Split, Trial, digest
from nshot.data.rows import measurement_from_json
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Method, Rates, spec
from nshot.predictors.measure import Answered, joined
from nshot.report import write as write_report

TRAIN_RATE = 1 / 3
"""Forward and backward against forward alone, as measured for LoRA on a CPU."""
CONFIRMATIONS = 2
"""Fresh draws that the pick is measured on, after it was chosen."""
RATES = "2"
"""Raised when the worker measures more of a machine: a run folder's older rates are then left."""


class Display(Protocol):
    """Who is told what runs, what is done, what is left."""

    def say(self, text: str) -> None:
        """A line that stays."""
        ...

    def start(self, what: str, done: int, total: int) -> None:
        """A piece of work begins; `done` of `total` pieces are behind it."""
        ...

    def progress(self, done: int, total: int, what: str) -> None:
        """How far the piece is."""
        ...

    def finish(self, what: str, outcome: str) -> None:
        """It ended."""
        ...


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Nothing."""

    def start(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def progress(self, done: int, total: int, what: str) -> None:
        """Nothing."""

    def finish(self, what: str, outcome: str) -> None:
        """Nothing."""


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


# ------------------------------------------------------------------ the run


class _Finding(RunFailed):
    """A failure that is a result (did not learn, cannot adapt): kept, and no fault of the run."""


def _search_job(method: Method, size: Size, number: int, cut: Cut | None) -> Job:
    """The search behind a draw. Its spec holds only what the user pinned: the rest is open."""
    pinned = {key: value for key, value in spec(method).items() if key in method.model_fields_set}
    return Job("search", {"method": method.name, **pinned}, size, number if cut else 0, cut)


def _slow(method: Method) -> bool:
    """Methods of minutes: those that score or train the language model for every row."""
    return bool(method.needs & {"score", "train", "generate"})


class Run:
    """One request being carried out in its folder."""

    def __init__(
        self, prepared: Prepared, display: Display, command: str, worker: WorkerProcess
    ) -> None:
        self.prepared = prepared
        self.display = display
        self.command = command
        self.started = time.time()
        self.store = Store(prepared.out)
        self.worker = worker
        self.entries = [Entry(method) for method in prepared.methods]
        self.outside: list[Entry] = []
        self.fresh: Any = None
        self.facts = _facts(prepared)
        judge = prepared.setting.judge
        self.verdicts = Verdicts(judge.name, reason="not asked") if judge else None
        prepared.setting.write(prepared.out)
        write_atomic(prepared.out / "nshot.yaml", request_yaml(prepared))
        hello = self._ask({"ask": "hello"})
        self.machine = hello["machine"]
        self.context = prepared.setting.context(hello["identity"])
        self.measured_rates = self._rates(hello["identity"])
        for entry in self.entries:
            entry.parameters = self.measured_rates["parameters"]
        self.budget = Budget(prepared.request.minutes)

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        event = self.worker.ask(request, self.display.progress)
        if event["event"] == "failed":
            raise RunFailed(event["reason"])
        return event["body"]  # type: ignore[no-any-return]

    def _rates(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Measured once for these models here: a resumed run has the forecasts it began with."""
        setting = self.prepared.setting
        refs = [asdict(ref) if ref else None for ref in (setting.base, setting.encoder)]
        named = digest(RATES, json.dumps([refs, identity], sort_keys=True))
        path = self.prepared.out / "data" / f"rates-{named}.json"
        if not path.exists():
            write_atomic(path, json.dumps(self._ask({"ask": "rates"})))
        return json.loads(path.read_text())  # type: ignore[no-any-return]

    # ---- what a method would need

    def brief(self, size: Size) -> Brief:
        """What methods may know before they run."""
        task, rows = self.prepared.task, self.prepared.split
        pool = [sum(e.label == name for e in rows.train) for name in task.label_names] or [
            len(rows.train)
        ]
        share = 1.0 if rows.mode != "folds" else 1 - 1 / FOLDS
        per_label = int(min(pool) * share) if size is None else size
        labelled = int(sum(pool) * share) if size is None else size * max(len(pool), 1)
        body, setting = self.measured_rates, self.prepared.setting
        return Brief(
            task=task,
            labelled=labelled,
            unlabelled=max(0, int(len(rows.train) * share) - labelled),
            per_label=per_label,
            test=len(rows.test) or len(rows.train),
            background=len(rows.background),
            tokens=body["tokens"],
            longest=int(body["longest"]),
            base=setting.base,
            abilities=frozenset(body["abilities"]),
            context=int(body["context"]),
            layers=int(body["layers"]),
            architecture=body["architecture"],
            encoder=setting.encoder,
            rates=Rates(body["lm_tokens"], body["lm_tokens"] * TRAIN_RATE, body["encoder_tokens"]),
        )

    def forecast(self, method: Method, size: Size) -> Forecast:
        """Seconds, from the machine's measured rates."""
        brief = self.brief(size)
        cuts, repeats = self.cuts(method), self.repeats(method)
        build, use = method.forecast(brief).seconds, method.use_forecast(brief).seconds
        count = trials(method, self.prepared.task.kind) if brief.per_label > 1 else 1
        search = 0.0
        if count > 1:
            k = min(method.search_folds, brief.per_label)
            part = replace(brief, labelled=brief.labelled * (k - 1) // k, test=brief.labelled // k)
            one = method.forecast(part).seconds + method.use_forecast(part).seconds
            search = count * k * one
        if cuts[0] is None:
            return Forecast(search, build, use, repeats)
        return Forecast(search * len(cuts) * repeats, build * len(cuts), use, repeats)

    def cuts(self, method: Method) -> list[Cut | None]:
        """No cut where test rows exist; else the folds, fewer for methods of minutes."""
        if self.prepared.split.mode != "folds":
            return [None]
        folds = SLOW_FOLDS if _slow(method) else FOLDS
        return [Cut(folds, index) for index in range(folds)]

    def repeats(self, method: Method) -> int:
        """Draws of a method: one where no shot and no seed matters."""
        if not method.learns:
            return 1
        seeds = self.prepared.request.seeds
        folds = self.prepared.split.mode == "folds"
        return min(seeds, SLOW_REPEATS) if folds and _slow(method) else seeds

    # ---- the loop

    def go(self) -> None:
        """Every method at the largest size, draw by draw; then the smaller sizes."""
        prepared = self.prepared
        stages = [
            (size, number)
            for size in reversed(prepared.sizes)
            for number in range(prepared.request.seeds)
        ]
        total, done = len(stages) * len(self.entries), 0
        for size, number in stages:
            for entry in self.entries:
                done += 1
                if number < self.repeats(entry.method):
                    self._advance(entry, size, number, done - 1, total)
                    self.write()

    def _advance(self, entry: Entry, size: Size, number: int, done: int, total: int) -> None:
        """One method on one draw, unless it cannot, may not or failed before."""
        largest = size == self.prepared.largest
        if (
            entry.failed
            or (entry.reason and largest)
            or (number and not entry.measurements.get(size))
        ):
            return
        if not largest and not entry.measurements.get(self.prepared.largest):
            return
        reason = entry.method.why_not(self.brief(size)) or self._no_time(entry, size, number)
        if reason:
            self._leave(entry, size, number, reason)
            return
        what = f"{entry.name} · {shown(size)} shots · draw {number}"
        self.display.start(what, done, total)
        start = time.monotonic()
        try:
            measurement = self._draw(entry, size, number)
        except (CannotAdapt, RunFailed) as error:
            self._fail(entry, size, error)
            self.display.finish(what, f"failed: {error}")
            return
        entry.measurements.setdefault(size, []).append(measurement)
        spent = time.monotonic() - start
        scores = draw_scores(entry, size, self.prepared.task)
        self.display.finish(what, f"{100 * scores[-1]:.1f} % in {duration(spent)}")

    def _no_time(self, entry: Entry, size: Size, number: int) -> str | None:
        forecast = self.forecast(entry.method, size)
        entry.forecast_seconds = entry.forecast_seconds or forecast.total
        if all(self._stored(entry, size, number, cut) for cut in self.cuts(entry.method)):
            return None
        one = forecast.build + forecast.use + (forecast.search if number == 0 else 0.0)
        return self.budget.refusal(entry.name, one)

    def _stored(self, entry: Entry, size: Size, number: int, cut: Cut | None) -> bool:
        """A finished job costs nothing: a resumed run with little time keeps what it had."""
        chosen = entry.method
        if open_settings(chosen, self.prepared.task.kind):
            found = self.store.get(_search_job(chosen, size, number, cut).name(self.context))
            if found is None or found[0] == "failed":
                return found is not None
            chosen = TABLE.build(found[1]["spec"])
        job = Job("measure", spec(chosen), size, number, cut)
        return self.store.get(job.name(self.context)) is not None

    def _leave(self, entry: Entry, size: Size, number: int, reason: str) -> None:
        if size == self.prepared.largest and number == 0:
            entry.reason = reason
            self.display.say(f"{entry.name}: skipped: {reason}")
        else:
            entry.notes.append(f"{shown(size)} shots, draw {number}: not run: {reason}")

    def _fail(self, entry: Entry, size: Size, error: Exception) -> None:
        """At the largest size the row has failed; at a smaller one the row says so."""
        final = isinstance(error, _Finding)
        if size == self.prepared.largest:
            entry.failed, entry.reason = True, str(error)
            entry.measurements.pop(size, None)
        else:
            entry.notes.append(f"{shown(size)} shots: failed: {error}")
        entry.broken = entry.broken or not final

    def _draw(self, entry: Entry, size: Size, number: int) -> Measurement:
        """Search and measure, on every cut, as one measurement of all test examples."""
        start, forecast = time.monotonic(), self.forecast(entry.method, size)
        bodies = []
        kept = all(self._stored(entry, size, number, cut) for cut in self.cuts(entry.method))
        for cut in self.cuts(entry.method):
            chosen = self.tuned(entry, size, number, cut)
            job = Job("measure", spec(chosen), size, number, cut)
            bodies.append(measurement_from_json(self.result(job)))
        if not kept:
            one = forecast.build + forecast.use + (forecast.search if number == 0 else 0.0)
            self.budget.learn(entry.name, one, time.monotonic() - start)
        return bodies[0] if len(bodies) == 1 else _out_of_fold(bodies)

    def tuned(self, entry: Entry, size: Size, number: int, cut: Cut | None) -> Method:
        """The method with its settings: searched on draw 0, or inside each training fold."""
        if not open_settings(entry.method, self.prepared.task.kind):
            return entry.method
        body = self.result(_search_job(entry.method, size, number, cut))
        first = number == 0 and (cut is None or cut.index == 0)
        if first and size == self.prepared.largest:
            entry.trials = tuple(Trial(**trial) for trial in body["tried"])
            entry.spec = body["spec"]
            if body["note"]:
                entry.notes.append(body["note"])
        if number == 0:
            folds = 1 if cut is None else cut.folds
            entry.search_seconds[size] = (
                entry.search_seconds.get(size, 0.0) + body["seconds"] / folds
            )
        return TABLE.build(body["spec"])

    def result(self, job: Job) -> dict[str, Any]:
        """A job's body, from the store or from the worker."""
        name = job.name(self.context)
        known = self.store.get(name)
        if known is None or (job.do == "deploy" and self._delivered() != name):
            body = {"ask": "job", "job": asdict(job)}
            event = self.worker.ask(body, self.display.progress)
            if event["event"] == "done":
                return event["body"]  # type: ignore[no-any-return]
            raise _Finding(event["reason"]) if event["final"] else RunFailed(event["reason"])
        state, stored = known
        if state == "failed":
            raise _Finding(stored["reason"])
        return stored

    def _delivered(self) -> str | None:
        """The job that wrote winner/: another pick may have taken the place of an earlier one."""
        path = self.store.root / "winner" / "method.json"
        found: str | None = json.loads(path.read_text()).get("job") if path.exists() else None
        return found

    def board(self) -> Board:
        """leaderboard.json as things stand."""
        return reduce(self.facts, self.entries, self.outside, self.fresh, self.verdicts)

    def write(self) -> Board:
        """Write leaderboard.json, points.json and details.json as things stand."""
        board, root = self.board(), self.prepared.out
        if board.advice is not None:
            pick = next(e for e in self.entries if e.name == board.advice.pick)
            machine = Machine.model_validate(self.machine)
            now = time.time()
            details(self.facts, pick, machine, self.command, self.started, now).write(root)
            board.write(root)
            write_report(root)
        return board

    def pick(self) -> str:
        """The recommended row. Raises `RunFailed` where nothing was measured."""
        advice = self.board().advice
        if advice is None:
            raise RunFailed("nothing could be measured")
        return advice.pick

    # ---- the winner

    def confirm(self, pick: str) -> None:
        """Two fresh draws of the pick: its score without the luck of having been chosen.

        A draw that fails leaves the pick unconfirmed, and the row says so.
        """
        import numpy as np

        prepared = self.prepared
        entry = next(e for e in self.entries if e.name == pick)
        if prepared.split.mode == "folds" or prepared.largest is None or not entry.method.learns:
            return
        fresh = Entry(entry.method)
        for number in range(prepared.request.seeds, prepared.request.seeds + CONFIRMATIONS):
            one = self.forecast(entry.method, prepared.largest)
            if self.budget.refusal(pick, one.build + one.use):
                return
            done = number - prepared.request.seeds
            self.display.start(f"{pick} · fresh draw {number}", done, CONFIRMATIONS)
            try:
                measurement = self._draw(fresh, prepared.largest, number)
            except RunFailed as error:
                entry.notes.append(f"fresh draw {number}: failed: {error}")
                entry.broken = entry.broken or not isinstance(error, _Finding)
                return
            fresh.measurements.setdefault(prepared.largest, []).append(measurement)
            self.display.finish(f"{pick} · fresh draw {number}", "done")
        points = matrix(fresh, prepared.largest, prepared.task)
        self.fresh = (pick, np.broadcast_to(points, (CONFIRMATIONS, points.shape[1])))

    def deliver(self, pick: str) -> None:
        """Refit the pick on all labelled rows, save it as the winner, measure what was saved."""
        entry = next(e for e in self.entries if e.name == pick)
        chosen = TABLE.build(entry.spec) if entry.spec else entry.method
        self.deliver_from(entry, chosen, None)

    def deliver_from(self, entry: Entry, chosen: Method, size: Size) -> None:
        """Adapt on `size` shots as chosen, save as winner/, measure what was saved."""
        what = f"{entry.name} · adapt on {shown(size)} shots and save"
        self.display.start(what, 0, 1)
        body = self.result(Job("deploy", spec(chosen), size, 0, form="deployed"))
        delivered = Entry(chosen, entry.name, form="deployed", parent=entry.name)
        delivered.parameters = entry.parameters
        delivered.measurements[None] = [measurement_from_json(body)]
        self.outside.append(delivered)
        self.display.finish(what, "saved in winner/")

    def rows_outside(self) -> list[Row]:
        """The rows of what was saved."""
        return [row_outside(self.facts, entry) for entry in self.outside]

    def ensure_pick(self) -> None:
        """The pick is never null: where nothing could be measured, the trivial method stands.

        No budget holds it back: it takes a moment. Raises `RunFailed` where it has no answer.
        """
        largest = self.prepared.largest
        if any(entry.measurements.get(largest) for entry in self.entries):
            return
        name = "nearest_answer" if self.prepared.task.kind == "generate" else "majority"
        entry = next((e for e in self.entries if e.name == name), None)
        if entry is None:
            entry = Entry(TABLE.build({"method": name}))
            self.entries.append(entry)
        if not entry.failed:
            entry.reason, self.budget = None, Budget(None)
            entry.notes.append("measured because nothing else could be")
            self._advance(entry, largest, 0, 0, 1)
        if not entry.measurements.get(largest):
            reasons = [f"{e.name}: {e.reason}" for e in self.entries]
            raise RunFailed("nothing could be measured\n  " + "\n  ".join(reasons))

    # ---- the judge

    def judge(self) -> None:
        """Hold the rows' answers against those of zero_shot, where a judge was named.

        Raises `RunFailed` where it does not answer.
        """
        if self.verdicts is None:
            return
        prepared, model = self.prepared, self.verdicts.model
        measured = {
            entry.name: entry.measurements[prepared.largest][0]
            for entry in self.entries
            if entry.measurements.get(prepared.largest)
        }
        known = self.facts.examples
        try:
            self.verdicts = judge_rows(
                model, prepared.task, measured, known, prepared.pairs, self._preferences
            )
        except RunFailed:
            self.verdicts = Verdicts(model, reason="the judge did not answer")
            raise
        self.display.say(self.verdicts.note())

    def _preferences(self, what: str, compared: Sequence[Comparison]) -> list[float]:
        self.display.start(f"judge · {what}", 0, 1)
        body = self._ask({"ask": "judge", "comparisons": [asdict(one) for one in compared]})
        self.display.finish(f"judge · {what}", f"{len(compared)} compared")
        return list(body["preferences"])

    @property
    def exit_code(self) -> int:
        """3 when something broke, though the board stands."""
        return 3 if any(entry.broken for entry in self.entries) else 0


def _facts(prepared: Prepared) -> Facts:
    """What the board says of the run besides its measurements."""
    setting, request = prepared.setting, prepared.request
    models = (
        ("language model", setting.base),
        ("encoder", setting.encoder),
        ("judge", setting.judge),
    )
    return Facts(
        task=prepared.task,
        split=prepared.split,
        sizes=prepared.sizes,
        seeds=request.seeds,
        models={use: ref.name if ref else None for use, ref in models},
        also=prepared.also,
        fold_plan=_fold_plan(prepared.split),
        wish=request.wish,
    )


def _fold_plan(rows: Split) -> str:
    if rows.mode == "folds":
        return (
            f"no test file and {len(rows.train)} rows: every row is answered by a model that did"
            f" not see it ({FOLDS} folds, {SLOW_FOLDS} for methods of minutes, repeated)"
        )
    return f"{len(rows.train)} rows to draw from, {len(rows.test)} held out for the test"


def _out_of_fold(parts: Sequence[Measurement]) -> Measurement:
    """The folds of one repeat as one measurement: every example answered once."""
    whole = joined([Answered(p.ids, p.predictions, p.statistics, p.use) for p in parts])
    build = parts[0].build
    count = len(parts)
    beside = {
        what: _weighted([(p.extra["beside"][what], len(p.ids)) for p in parts])
        for what in parts[0].extra.get("beside", {})
    }
    near = {key: name for p in parts for key, name in p.extra.get("near", {}).items()}
    return replace(
        parts[0],
        job="+".join(p.job for p in parts),
        ids=whole.ids,
        predictions=whole.predictions,
        statistics=whole.stats,
        use=whole.use,
        build=replace(
            build,
            seconds=sum(p.build.seconds for p in parts) / count,
            spent_seconds=sum(p.build.spent_seconds for p in parts),
            peak_bytes=max(p.build.peak_bytes for p in parts),
        ),
        train_score=_weighted([(p.train_score, len(p.ids)) for p in parts]),
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
        extra={
            **parts[0].extra,
            **({"beside": beside} if beside else {}),
            **({"near": near} if near else {}),
        },
    )


def _weighted(scores: Sequence[tuple[float | None, int]]) -> float | None:
    """Mean of (score, rows) by rows, of the scores there are."""
    found = [(score, rows) for score, rows in scores if score is not None]
    total = sum(rows for _, rows in found)
    return sum(score * rows for score, rows in found) / total if total else None


@contextmanager
def opened(prepared: Prepared, display: Display, command: str) -> Iterator[Run]:
    """A run that holds its folder's lock; its worker ends with it."""
    with locked(prepared.out) as lock:
        _sweep(prepared.out)
        worker = WorkerProcess(prepared.out, lock)
        try:
            yield Run(prepared, display, command, worker)
        finally:
            worker.stop()


def _sweep(root: Path) -> None:
    """Remove what a killed run left half-written: names that nothing reads."""
    for pattern in (".*.tmp", ".*.old", "*/.*.tmp", "*/.*.old"):
        for path in root.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def carry_out(prepared: Prepared, display: Display, command: str = "") -> Result:
    """Run a prepared request to its end. Ctrl-C leaves the board of what was measured.

    Raises `RunFailed` or `KeyboardInterrupt` when there was nothing to make a board of.
    """
    with opened(prepared, display, command) as run:
        code = 0
        end: BaseException | None = None
        try:
            run.go()
            run.ensure_pick()
            pick = run.pick()
            run.confirm(pick)
            run.deliver(pick)
            run.judge()
        except KeyboardInterrupt as interrupt:
            code, end = 130, interrupt
        except RunFailed as error:
            code, end = 3, error
        board = run.write()
        if board.advice is None and end is not None:
            raise end
        if code == 130:
            display.say("interrupted: the board shows what was measured; the same command goes on")
        elif end is not None:
            display.say(f"failed: {end}")
        return Result(board, prepared.out, code or run.exit_code)


def plan(prepared: Prepared, display: Display) -> list[dict[str, Any]]:
    """The forecast table: what each method would take, or why it would not run.

    Measures this machine's rates in a temporary folder; nothing stays.
    """
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        there = replace(prepared, out=Path(folder) / "plan")
        with opened(there, display, "") as run:
            return [_planned(run, method) for method in prepared.methods]


def _planned(run: Run, method: Method) -> dict[str, Any]:
    size = run.prepared.largest
    forecast = run.forecast(method, size)
    return {
        "name": method.called,
        "rung": method.rung,
        "why_not": method.why_not(run.brief(size)),
        "candidates": trials(method, run.prepared.task.kind),
        "search": forecast.search,
        "build": forecast.build,
        "use": forecast.use,
        "total": sum(run.forecast(method, each).total for each in run.prepared.sizes),
    }


def adapt_one(prepared: Prepared, display: Display, command: str = "") -> Row:
    """Search, adapt and save the one method of a request; its row, measured as saved.

    The row's score is None without test rows. Raises `InputError` where the method cannot work
    here, and what the method raised.
    """
    with opened(prepared, display, command) as run:
        entry, size = run.entries[0], prepared.largest
        if reason := entry.method.why_not(run.brief(size)):
            raise InputError(Fault(f"{entry.name} cannot be adapted here: {reason}"))
        run.deliver_from(entry, run.tuned(entry, size, 0, None), size)
        (row,) = run.rows_outside()
        write_atomic(prepared.out / "adapted.json", row.dumps())
        return row


def compare(
    task: str | Path,
    *,
    test: str | Path | None = None,
    text: str | Sequence[str] = (),
    label: str | None = None,
    group: str | None = None,
    kind: Literal["classify", "generate"] | None = None,
    model: str | Path | Sequence[str | Path] = (),
    encoder: str | Path | Sequence[str | Path] = (),
    metric: str | None = None,
    also: str | Sequence[str] = (),
    methods: str | Sequence[str] | None = None,
    adapters: Sequence[str | Path] = (),
    shots: Sequence[int | None] | None = None,
    seeds: int = 3,
    test_limit: int | None = None,
    minutes: float | None = None,
    workers: int | None = None,
    prefer: Preference = "balanced",
    give_up: float | None = None,
    judge: str | Path | None = None,
    judge_pairs: str | Path | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    out: str | Path | None = None,
) -> Result:
    """What ``nshot compare`` does, from Python: the board, its folder and the pick.

    `Request` says what each argument is. `shots` are rows per label (None among them: all rows);
    `settings` pins settings by method. Raises `InputError` with every fault of the request before
    anything is written.
    """
    request = from_data(Request, locals())
    return carry_out(prepare(request), Silent(), "nshot.compare(...)")
