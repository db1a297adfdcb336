"""Search a method's open settings on the folds of a draw's shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import FINDINGS, Workplace
from nshot.bench.search import search
from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.serial import from_data, to_data
from nshot.core.types import Fold, Prediction, digest
from nshot.data import sample
from nshot.methods.contract import Method
from nshot.methods.spec import spec, spec_hash
from nshot.models.wrap.cached import CachedModels
from nshot.predictors.calibration import calibration_of

SLOW_ROWS = 120


def do(job: Job, place: Workplace) -> Body:
    """The chosen specification, what was tried, its calibration; seconds and money of all trials.

    `spent_seconds` are those of all its trials when they were done, though some came from the
    store: what a search takes, whether or not it was interrupted.
    """
    method = place.method(job)
    shots, _ = place.shots(job)
    if not method.fast:
        names = place.setting.task.drawn_labels
        chosen = sample(shots.labelled, search_rows(names), job.draw, names)
        shots = replace(shots, labelled=chosen)
    ledger = _Ledger(job, place)
    tuned = search(method, place.setting.task, shots, ledger.answer)
    return {
        "spec": spec(tuned.method),
        "tried": [to_data(trial) for trial in tuned.tried],
        "note": tuned.note,
        "calibration": to_data(calibration_of(place.setting.task, tuned.validation)),
        "seconds": ledger.seconds,
        "money": ledger.money,
        "spent_seconds": ledger.spent_seconds,
    }


def search_rows(labels: Sequence[str]) -> int:
    """Labelled rows that a slow method's settings are chosen on, at most: each costs seconds."""
    return max(SLOW_ROWS, 3 * len(labels))


class _Ledger:
    """Answers the search's candidates, each fold a stored job of its own: a kill loses one fold."""

    def __init__(self, job: Job, place: Workplace) -> None:
        self._job, self._place = job, place
        self._name = job.name(place.context)
        self._account: set[str] = set()
        self._models = CachedModels(place.models)
        self.seconds = 0.0
        self.money = 0.0
        self.spent_seconds = 0.0

    def answer(self, candidate: Method, fold: Fold, index: int) -> list[Prediction]:
        """Predictions of the fold's dev rows."""
        trial = digest("trial", self._name, spec_hash(candidate), str(index))
        state, body = self._place.store.get(trial) or self._keep(trial, candidate, fold)
        self.seconds += body["seconds"]
        self.money += body.get("money", 0.0)
        self.spent_seconds += body["spent_seconds"]
        if state == "failed":
            raise CannotAdapt(body["reason"])
        return [from_data(Prediction, row) for row in body["predictions"]]

    def _keep(self, trial: str, candidate: Method, fold: Fold) -> tuple[str, Body]:
        place, meter = self._place, machine.Meter()
        machine.seed_everything(self._job.draw)
        bench = place.bench(self._job, trial, self._account, self._models)
        body: Body
        with meter.running():
            try:
                predictor = candidate.adapt(place.setting.task, fold.shots, bench)
                predictions = predictor.predict([example.input for example in fold.dev])
                bench.charge(0.0, sum(one.money for one in predictions))
                state, body = "ok", {"predictions": [to_data(p) for p in predictions]}
            except FINDINGS as error:
                state, body = "failed", {"reason": str(error)}
        body["seconds"] = meter.seconds + bench.charged
        body["money"] = bench.money
        body["spent_seconds"] = meter.spent_seconds
        place.store.put(trial, "trial", state, body)
        place.clear(trial)
        return state, body
