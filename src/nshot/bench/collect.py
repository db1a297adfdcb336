"""Outcomes put together: the entries of a board, and what stands beside them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nshot.bench.contenders import Contender, unique_names
from nshot.bench.curves import Curves
from nshot.bench.deliver import Finishing, Pick, judge
from nshot.bench.draws import DrawRacing
from nshot.bench.execute.base import Outcome
from nshot.bench.exported import exported_entry
from nshot.bench.history import left_seconds
from nshot.bench.jobs.deliver import WINNER
from nshot.bench.ladder import Draw, Ladder
from nshot.bench.plan import Known, Single
from nshot.bench.purses import (
    Requests,
    all_requests,
    money_cell,
    spent_by,
    unpriced,
)
from nshot.bench.race import Racing
from nshot.bench.rounds import Measuring, Race, Rounds, Runner, Step
from nshot.bench.setting import in_order
from nshot.bench.task_rows import FOLDS, SLOW_FOLDS
from nshot.board.break_even import break_evens
from nshot.board.decide import Floats
from nshot.board.judge import Verdicts
from nshot.board.matching import matches
from nshot.board.reduce import Entry, Facts, Searching, Size, matrix, reduce, shown
from nshot.board.schema import Board, CalibrationCell, DeliveredFolder, Row, Trial
from nshot.board.words import trial_words
from nshot.board.writing import KEY, together
from nshot.core.errors import RunFailed
from nshot.core.files import sizes_in
from nshot.core.types import Measurement, Split
from nshot.methods.contract import Method
from nshot.methods.spec import spec
from nshot.metrics import metric_of
from nshot.predictors.measure import Answered, joined


@dataclass
class Collected:
    """What a board is made of."""

    entries: list[Entry]
    outside: list[Entry] = field(default_factory=list)
    fresh: tuple[str, Floats] | None = None
    verdicts: Verdicts | None = None

    def first(self, size: Size) -> dict[str, Measurement]:
        """The first draw of each row measured at a size, by name."""
        return {e.name: e.measurements[size][0] for e in self.entries if e.measurements.get(size)}

    @property
    def broken(self) -> bool:
        """Has something raised, as opposed to a finding?"""
        return any(entry.broken for entry in self.entries)


@dataclass
class Collector:
    """Makes the entries of a ladder, again and again as outcomes come."""

    ladder: Ladder
    known: Known
    finishing: Finishing | None = None
    """Once the pick is made."""
    curves: Curves | None = None
    """Once it is known of which contenders."""
    exports: Sequence[Measurement] = ()
    """Forms that winners of this run were written in, measured."""
    _statistics: dict[tuple[str, str], Floats] = field(default_factory=dict)
    """By metrics that do not decide: a board is written often."""
    _calibrations: dict[str, CalibrationCell | None] = field(default_factory=dict)
    _measurements: dict[str, Measurement] = field(default_factory=dict)

    @cached_property
    def race(self) -> Race:
        """The plan that measures the contenders."""
        question = self.ladder.prepared.question
        return Racing(self.ladder) if question == 1 else DrawRacing(self.ladder)

    @cached_property
    def facts(self) -> Facts:
        """What the board says of the run besides its measurements."""
        prepared = self.ladder.prepared
        setting, request = prepared.setting, prepared.request
        judges = (setting.judge,) if setting.judge else ()
        models = {"language model": setting.bases, "encoder": setting.encoders, "judge": judges}
        return Facts(
            task=prepared.task,
            split=prepared.split,
            sizes=prepared.sizes,
            seeds=self._draws,
            test=setting.test or in_order(prepared.split.train),
            question=prepared.question,
            refit=prepared.refit,
            look=len(setting.looks),
            models={
                use: ", ".join(ref.name for ref in refs) or None for use, refs in models.items()
            },
            also=prepared.also,
            fold_plan=_fold_plan(prepared.split),
            wish=request.wish,
        )

    @property
    def _draws(self) -> int:
        """The most draws that a contender has."""
        ladder, largest = self.ladder, self.ladder.prepared.largest
        repeats = [ladder.forecasts.repeats(one, largest) for one in ladder.contenders]
        return max([ladder.prepared.draws, *repeats])

    def board(self, collected: Collected) -> Board:
        """The board of what was collected."""
        c = collected
        board = self._with_money(reduce(self.facts, c.entries, c.outside, c.fresh, c.verdicts))
        pick = board.advice.pick if board.advice else None
        pairs = break_evens(self.facts, c.entries, board.rows, pick, self.ladder.hour)
        board = board.model_copy(update={"break_even": pairs})
        margin = self.ladder.prepared.request.margin
        if margin is None:
            return board
        return board.model_copy(update={"matches": matches(self.facts, c.entries, margin / 100)})

    @cached_property
    def _requests(self) -> Mapping[str, Requests]:
        return all_requests(self.ladder)

    def _with_money(self, board: Board) -> Board:
        """The board with what was paid, and what is not known of it."""
        cell, spent = money_cell(self.ladder, self._requests), dict[str, float]()
        if cell is not None:
            spent = spent_by(self.ladder)
        words = unpriced(self.ladder)
        rows = []
        for row in board.rows:
            if row.in_contest and row.name in spent:
                row = _with_bill(row, spent[row.name])
            if row.is_measured and row.name in words:
                row = row.model_copy(update={"notes": (*row.notes, words[row.name])})
            rows.append(row)
        board = board.model_copy(
            update={"money": cell, "hour": self.ladder.hour, "rows": tuple(rows)}
        )
        if board.advice is None or self.facts.wish.prefer != "money":
            return board
        return board.model_copy(update={"advice": board.decide(self.facts.wish)})

    def collect(self) -> Collected:
        """All as it stands."""
        rounds = self.race.rounds(self.known)
        collected = Collected([self._entry(c, rounds) for c in self.ladder.contenders])
        self._add_fallback(collected)
        self._add_curves(collected)
        if self.ladder.prepared.setting.judge:
            collected.verdicts = self._judged()
        if self.finishing:
            self._add_fresh(collected, self.finishing)
            self._add_delivered(collected, self.finishing.pick)
            self._add_exports(collected, self.finishing)
        return collected

    def pick(self, collected: Collected, name: str) -> Pick:
        """The contender of a row, with the settings that were chosen for it."""
        fallback = self.ladder.fallback
        entry = next(entry for entry in collected.entries if entry.name == name)
        by_name = {c.name: c for c in (fallback.contender, *self.ladder.contenders)}
        table = self.ladder.prepared.setting.table
        chosen = table.build(entry.spec) if entry.spec else entry.method
        draw = self.ladder.draw(by_name[name], self.ladder.prepared.largest, 0)
        bodies = [outcome.body for outcome in draw.searches(self.known)[:1]]
        calibration = bodies[0]["calibration"] if bodies else None
        source = ""
        measured = entry.measurements.get(self.ladder.prepared.largest, [])
        if self._is_kept and measured:
            source = measured[0].job
        alone = fallback.title in self.known.states
        return Pick(by_name[name], chosen, source, calibration, alone, len(measured))

    @property
    def _is_kept(self) -> bool:
        """Is what was measured kept, as what may be delivered?"""
        return self.ladder.prepared.question == 1 and self.ladder.rows > 0

    def _entry(self, contender: Contender, rounds: Rounds) -> Entry:
        entry = self._fresh(contender)
        prepared = self.ladder.prepared
        if prepared.split.mode == "folds":
            entry.folds = FOLDS if contender.method.fast else SLOW_FOLDS
        self._add_race(entry, rounds.runners[contender.name])
        return entry

    def _fresh(self, contender: Contender) -> Entry:
        entry = Entry(
            contender.method, statistics=self._statistics, calibrations=self._calibrations
        )
        return self._named(entry, contender)

    def _named(self, entry: Entry, contender: Contender) -> Entry:
        """The entry with its contender's name and models, these where several take part."""
        setting = self.ladder.prepared.setting
        entry.name = contender.name
        entry.parameters = self.ladder.forecasts.parameters(contender)
        if contender.base and len(setting.bases) > 1:
            entry.base = unique_names(setting.bases)[contender.base]
        if contender.encoder and len(setting.encoders) > 1:
            entry.encoder = unique_names(setting.encoders)[contender.encoder]
        return entry

    def _add(self, entry: Entry, draw: Draw) -> None:
        """What is known of a draw; once one has failed at the largest size, the row has."""
        state = self.known.states.get(draw.title)
        if entry.failed:
            return
        largest = draw.size == self.ladder.prepared.largest
        if state and largest and draw.number == 0 and draw.why_not is None:
            forecast = self.ladder.forecasts.of(draw.contender, draw.size)
            entry.forecast_seconds = forecast.total
        self._add_searches(entry, draw)
        if state == "left":
            self._leave(entry, draw)
        elif state == "failed":
            self._fail(entry, draw)
        elif state == "ok":
            entry.measurements.setdefault(draw.size, []).append(self.measurement(draw))

    def _add_race(self, entry: Entry, runner: Runner) -> None:
        """What the pieces of a race have brought, and why it ended where it did."""
        entry.aside, entry.chance = runner.aside, runner.chance
        entry.left_seconds, entry.stopped = left_seconds(runner), runner.stopped
        entry.trial = runner.trial_score(metric_of(self.facts.task))
        if runner.parts and self._is_kept:
            entry.saved = f"jobs/{runner.sources[0]}"
        entry.searched = runner.searched
        for piece in runner.pieces:
            if isinstance(piece, Draw):
                self._add(entry, piece)
            else:
                self._add_step(entry, piece)
        self._add_left_draws(entry, runner)
        if runner.left_out and entry.trial:
            entry.reason = f"{entry.reason or 'not reached'}; {trial_words(entry.trial)}"
        if runner.parts and runner.stepped and not entry.failed:
            entry.measurements[self.ladder.prepared.largest] = [
                in_parts([part.measurement for part in runner.parts[draw]])
                for draw in sorted(runner.parts)
            ]
            entry.spec = entry.spec or spec(runner.chosen)

    def _add_step(self, entry: Entry, step: Step) -> None:
        state = self.known.states.get(step.title)
        if step.decides and state and step.why_not is None:
            entry.forecast_seconds = self.ladder.forecasts.of(step.contender, step.size).total
        self._add_searches(entry, step)
        if state == "left":
            reason = self.known.reasons[step.title]
            if step.decides:
                entry.reason = reason
                entry.broken = self.ladder.forecasts.failure(step.contender) is not None
            else:
                entry.notes.append(f"stopped after its first test rows: {reason}")
        elif state == "failed" and (failure := self.known.work(step).failure):
            if step.is_trial and failure.state == "failed":
                which = "short trial" if step.stage == "short_trial" else "trial"
                entry.notes.append(f"{which} on labelled rows: {failure.reason}")
                return
            entry.failed, entry.reason = True, failure.reason
            entry.broken = entry.broken or failure.state == "broken"

    def _add_searches(self, entry: Entry, draw: Measuring) -> None:
        if draw.number:
            return
        for place, outcome in enumerate(draw.searches(self.known)):
            body = outcome.body
            if place == 0 and draw.size == self.ladder.prepared.largest:
                entry.trials = tuple(Trial(**trial) for trial in body["tried"])
                entry.spec = body["spec"]
                if body["note"]:
                    entry.notes.append(body["note"])
            cut = outcome.job.cut
            share = 1 if cut is None else 1 / cut.folds
            cost = Searching(share * body["seconds"], share * body.get("money", 0.0))
            entry.searching[draw.size] = entry.searching.get(draw.size, Searching()).plus(cost)

    def _leave(self, entry: Entry, draw: Draw) -> None:
        if draw.size == self.ladder.prepared.largest and draw.number == 0:
            entry.reason = self.known.reasons[draw.title]
            entry.broken = self.ladder.forecasts.failure(draw.contender) is not None

    def _add_left_draws(self, entry: Entry, runner: Runner) -> None:
        """The draws that were left out, in one note a size."""
        left: dict[Size, list[Draw]] = {}
        for piece in runner.pieces:
            if isinstance(piece, Draw) and self.known.states.get(piece.title) == "left":
                left.setdefault(piece.size, []).append(piece)
        for size, draws in left.items():
            if size == self.ladder.prepared.largest and draws[0].number == 0:
                continue  # that is why the row has no score
            first = draws[0]
            which = "repeat" if self.ladder.prepared.question == 1 else "draw"
            number = first.number + (which == "repeat")
            some = f"{which} {number}" if len(draws) == 1 else f"{len(draws)} {which}s"
            of = "" if which == "repeat" else f"{shown(size)} shots: "
            entry.notes.append(f"{of}{some} not run: {self.known.reasons[first.title]}")

    def _fail(self, entry: Entry, draw: Draw) -> None:
        """At the largest size the row has failed; at a smaller one the row says so."""
        failure = self.known.work(draw).failure
        if failure is None:
            return
        if draw.size == self.ladder.prepared.largest:
            entry.failed, entry.reason = True, failure.reason
            entry.measurements.pop(draw.size, None)
        else:
            entry.notes.append(f"{shown(draw.size)} shots: failed: {failure.reason}")
        entry.broken = entry.broken or failure.state == "broken"

    def measurement(self, draw: Draw) -> Measurement:
        """Of a draw that went well, its folds as one."""
        if draw.title not in self._measurements:
            parts = [outcome.measurement for outcome in draw.work(self.known).done]
            whole = parts[0] if len(parts) == 1 else out_of_fold(parts)
            self._measurements[draw.title] = whole
        return self._measurements[draw.title]

    def _add_curves(self, collected: Collected) -> None:
        """What contenders measured on parts of the labelled rows."""
        by_name = {entry.name: entry for entry in collected.entries}
        for part in self.curves.parts if self.curves else ():
            if outcomes := part.measured(self.known):
                entry = by_name[part.contender.name]
                entry.parts[part.rows] = [outcome.measurement for outcome in outcomes]

    def _add_fallback(self, collected: Collected) -> None:
        fallback = self.ladder.fallback
        if fallback.title not in self.known.states:
            return
        name = fallback.contender.name
        entry = next((entry for entry in collected.entries if entry.name == name), None)
        if entry is None:
            entry = self._fresh(fallback.contender)
            collected.entries.append(entry)
        if not entry.failed:
            entry.reason = None
            entry.notes.append("measured because nothing else could be")
            self._add(entry, fallback)

    def _add_fresh(self, collected: Collected, finishing: Finishing) -> None:
        """The pick's fresh draws where both went well; one that failed is told on its row."""
        name, prepared = finishing.pick.contender.name, self.ladder.prepared
        entry = next(entry for entry in collected.entries if entry.name == name)
        fresh = Entry(entry.method)
        for draw in finishing.confirmations:
            state = self.known.states.get(draw.title)
            failure = draw.work(self.known).failure if state == "failed" else None
            if failure:
                entry.notes.append(f"fresh draw {draw.number}: failed: {failure.reason}")
                entry.broken = entry.broken or failure.state == "broken"
            if state != "ok":
                return
            fresh.measurements.setdefault(draw.size, []).append(self.measurement(draw))
        if fresh.measurements:
            points = matrix(fresh, prepared.largest, self.facts)
            shape = (len(finishing.confirmations), points.shape[1])
            collected.fresh = name, np.broadcast_to(points, shape)

    def _add_delivered(self, collected: Collected, pick: Pick) -> None:
        finishing = self.finishing
        outcome = self.known.of(finishing.delivery(self.known).job) if finishing else None
        if outcome and outcome.state == "ok" and outcome.job.kind == "deliver" and outcome.body:
            collected.outside.append(self._delivered(pick.contender, pick.chosen, outcome))

    def _add_exports(self, collected: Collected, finishing: Finishing) -> None:
        """The forms that were written of this very winner."""
        job = finishing.delivery(self.known).job.name(self.known.context)
        for one in self.exports:
            if one.extra["winner"] == job:
                entry = exported_entry(one, self.ladder.prepared.setting)
                collected.outside.append(self._named(entry, finishing.pick.contender))

    def folder(self, root: Path) -> DeliveredFolder | None:
        """What lies in ``winner/``, once the pick of this run is there."""
        finishing = self.finishing
        job = finishing.delivery(self.known).job if finishing else None
        outcome = self.known.of(job) if job else None
        if job is None or outcome is None or outcome.state != "ok" or job.kind != "deliver":
            return None
        if finishing and not finishing.pick.contender.method.hands_over:
            return None
        return DeliveredFolder(anew=not job.source, files=sizes_in(root / WINNER))

    def adapted(self, delivery: Single) -> Entry:
        """The row of a contender that was adapted alone."""
        (contender, *_), outcome = self.ladder.contenders, self.known.of(delivery.job)
        if outcome is None:
            raise RunFailed(f"{delivery.title} has not ended")
        chosen = self.ladder.prepared.setting.table.build(delivery.job.spec)
        return self._delivered(contender, chosen, outcome)

    def _delivered(self, contender: Contender, chosen: Method, outcome: Outcome) -> Entry:
        entry = Entry(chosen, form="deployed", parent=contender.name)
        entry.measurements[None] = [outcome.measurement]
        return self._named(entry, contender)

    def _judged(self) -> Verdicts:
        ref = self.ladder.prepared.setting.judge
        name = ref.name if ref else ""
        if self.finishing is None:
            return Verdicts(name, reason="not asked")
        verdict = judge(self.ladder, self.finishing.measured, self.known)
        if isinstance(verdict, Verdicts):
            return verdict
        broken = verdict is not None and self.known.states.get(verdict.title) == "failed"
        return Verdicts(name, reason="the judge did not answer" if broken else "not asked")


def _writing(parts: Sequence[Measurement]) -> dict[str, Any]:
    """How the answers of all parts were written, under its key; {} where nobody says."""
    cell = together(part.extra.get(KEY, {}) for part in parts)
    return {} if cell is None else {KEY: cell.model_dump(mode="json")}


def in_parts(parts: Sequence[Measurement]) -> Measurement:
    """The first answers of a predictor and its further ones as one measurement."""
    whole = joined([Answered(p.ids, p.predictions, p.statistics, p.use) for p in parts])
    return replace(
        parts[0],
        extra={**parts[0].extra, **_writing(parts)},
        ids=whole.ids,
        predictions=whole.predictions,
        statistics=whole.statistics,
        use=whole.use,
    )


def out_of_fold(parts: Sequence[Measurement]) -> Measurement:
    """The folds of one repeat as one measurement: every example answered once."""
    whole = joined([Answered(p.ids, p.predictions, p.statistics, p.use) for p in parts])
    build = parts[0].build
    count = len(parts)
    beside = {
        what: _weighted([(p.extra["beside"][what], len(p.ids)) for p in parts])
        for what in parts[0].extra.get("beside", {})
    }
    near = {key: name for p in parts for key, name in p.extra.get("near", {}).items()}
    calibration = [one for p in parts for one in p.extra.get("calibration", ())]
    extra: Mapping[str, Any] = {
        **parts[0].extra,
        **({"calibration": calibration} if calibration else {}),
        **({"beside": beside} if beside else {}),
        **({"near": near} if near else {}),
        **_writing(parts),
    }
    return replace(
        parts[0],
        job="+".join(p.job for p in parts),
        ids=whole.ids,
        predictions=whole.predictions,
        statistics=whole.statistics,
        use=whole.use,
        build=replace(
            build,
            seconds=sum(p.build.seconds for p in parts) / count,
            spent_seconds=sum(p.build.spent_seconds for p in parts),
            peak_bytes=max(p.build.peak_bytes for p in parts),
        ),
        train_score=_weighted([(p.train_score, len(p.ids)) for p in parts]),
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
        extra=extra,
    )


def _fold_plan(rows: Split) -> str:
    if rows.mode == "folds":
        return (
            f"no test file and {len(rows.train)} rows: every row is answered by a model that did"
            f" not see it ({FOLDS} folds, {SLOW_FOLDS} for methods of minutes, repeated)"
        )
    return f"{len(rows.train)} rows to learn from, {len(rows.test)} held out for the test"


def _weighted(scores: Sequence[tuple[float | None, int]]) -> float | None:
    """Mean of (score, rows) by rows, of the scores there are."""
    present = [(score, rows) for score, rows in scores if score is not None]
    total = sum(rows for _, rows in present)
    return sum(score * rows for score, rows in present) / total if total else None


def _with_bill(row: Row, spent: float) -> Row:
    """With what was paid for all that it asked; answers that cost nothing have that price."""
    free = spent == 0 and row.is_measured and row.money_per_1000 is None
    update = {"spent_money": spent} | ({"money_per_1000": 0.0} if free else {})
    return row.model_copy(update=update)
