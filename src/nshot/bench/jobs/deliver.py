"""Deliver a method: the folder that was measured, or one adapted on all labelled rows."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.measure import adapted, attempts, body
from nshot.bench.jobs.place import Workplace
from nshot.core.files import STAY, folder_bytes, link, write_atomic, write_folder
from nshot.core.serial import dumps
from nshot.methods.contract import Method
from nshot.methods.spec import spec
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import calibrated
from nshot.predictors.checks import PICTURES, write_checks
from nshot.predictors.measure import answer

WINNER = "winner"


def do(job: Job, place: Workplace) -> Body:
    """Write ``winner/``; the measurement of what was adapted anew for it, as JSON, else nothing.

    Where there is no model to deliver, it says so there. A job with a `source` delivers what that
    job has saved and measured. Any other adapts on all labelled rows, those that answered too where
    `stop` is 0, and is measured as it was saved.
    """
    method = place.method(job)
    winner = place.store.root / WINNER
    if not method.hands_over:
        write_folder(winner, partial(_fill_with_nothing, job, method, place))
        return {}
    if job.source:
        write_folder(winner, partial(_fill_as_measured, job, method, place))
        return {}
    setting = place.setting
    rows = setting.split.train if job.stop is None else (*setting.split.train, *setting.split.test)
    predictor, build, bench = adapted(job, method, place, place.drawn(rows, job))
    predictor = calibrated(predictor, job.calibration)
    write_folder(winner, partial(_fill, job, method, place, predictor))
    size = folder_bytes(winner) - folder_bytes(winner / PICTURES)
    build = replace(build, disk_bytes=size)
    test = setting.test[: len(setting.split.test) if job.stop is None else job.stop]
    answered = answer(place.load(winner), setting.task, test)
    return body(
        job, method, place, answered, build, bench.notes,
        form="deployed", parent=method.name, extra=attempts(bench),
    )  # fmt: skip


def _fill(job: Job, method: Method, place: Workplace, predictor: Predictor, folder: Path) -> None:
    """A predictor and some of its answers."""
    predictor.save(folder)
    rows = place.setting.split.test or place.setting.split.train
    write_checks(folder, predictor.predict, [example.input for example in rows])
    _sign(job, method, place, folder)


def _fill_as_measured(job: Job, method: Method, place: Workplace, folder: Path) -> None:
    """The files that answered the test rows, and some of the answers that were marked."""
    measured = place.store.predictor_folder(job.source)
    for path in sorted(measured.rglob("*")):
        copy = folder / path.relative_to(measured)
        copy.mkdir() if path.is_dir() else link(path, copy)
    measurement = place.store.measurement(job.source)
    answers = dict(zip(measurement.ids, measurement.predictions, strict=True))
    rows = {e.input: answers[e.id] for e in place.setting.test if e.id in answers}
    write_checks(folder, lambda inputs: [rows[one] for one in inputs], list(rows))
    _sign(job, method, place, folder)


def _fill_with_nothing(job: Job, method: Method, place: Workplace, folder: Path) -> None:
    """That the pick is a system which stands already; what an earlier run delivered is gone."""
    write_atomic(folder / STAY, dumps({"pick": method.called}))
    _sign(job, method, place, folder)


def _sign(job: Job, method: Method, place: Workplace, folder: Path) -> None:
    origin = {"job": job.name(place.context), "spec": spec(method)}
    write_atomic(folder / "method.json", json.dumps(origin, indent=1))


def delivered(root: Path) -> str | None:
    """The job that wrote ``winner/``: another pick may have taken the place of an earlier one."""
    path = root / WINNER / "method.json"
    job: str | None = json.loads(path.read_text()).get("job") if path.exists() else None
    return job
