"""Deliver a method: adapt it on all labelled rows, save it, and measure what was saved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.measure import adapted, body
from nshot.bench.jobs.place import Workplace
from nshot.core.files import folder_bytes, write_atomic, write_folder
from nshot.methods.contract import spec
from nshot.predictors.calibrated import calibrated
from nshot.predictors.checks import PICTURES, write_checks
from nshot.predictors.measure import answer

WINNER = "winner"


def do(job: Job, place: Workplace) -> Body:
    """Write ``winner/``; the measurement of what was loaded from there, as JSON."""
    method, split = place.method(job), place.setting.split
    shots = place.drawn(split.train, job)
    predictor, build, bench = adapted(job, method, place, shots)
    predictor = calibrated(predictor, job.calibration)

    def fill(folder: Path) -> None:
        predictor.save(folder)
        rows = split.test or split.train
        write_checks(folder, predictor, [example.input for example in rows])
        origin = {"job": job.name(place.context), "spec": spec(method)}
        write_atomic(folder / "method.json", json.dumps(origin, indent=1))

    winner = place.store.root / WINNER
    write_folder(winner, fill)
    size = folder_bytes(winner) - folder_bytes(winner / PICTURES)
    build = replace(build, disk_bytes=size)
    answered = answer(place.load(winner), place.setting.task, split.test)
    return body(
        job, method, place, answered, build, bench.notes, form="deployed", parent=method.name
    )


def delivered(root: Path) -> str | None:
    """The job that wrote ``winner/``: another pick may have taken the place of an earlier one."""
    path = root / WINNER / "method.json"
    job: str | None = json.loads(path.read_text()).get("job") if path.exists() else None
    return job
