"""Measure a method: adapt it, save it, and let what was saved answer rows it has not seen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nshot.bench.jobs.afresh import answer_afresh
from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace, pictures_of
from nshot.bench.workbench import Workbench
from nshot.board.writing import KEY, writing
from nshot.core import machine
from nshot.core.files import folder_bytes, write_folder
from nshot.core.serial import to_data
from nshot.core.types import Cost, Example, Form, Measurement, Shots
from nshot.methods.compress.distil import Distil
from nshot.methods.contract import Method
from nshot.methods.spec import spec
from nshot.metrics import metric_of
from nshot.predictors.base import AskedElsewhere, Predictor
from nshot.predictors.calibrated import bare, calibrated, recalibrated
from nshot.predictors.measure import Answered, answer, train_score, value
from nshot.predictors.nearest import cosines
from nshot.predictors.reliance import reliance

AGREED = 100
"""Test rows that a student's teacher is asked about, at most."""


def do(job: Job, place: Workplace) -> Body:
    """Its measurement as JSON.

    What learned from all rows may be delivered, and what stops before the last test row may be
    asked again: its folder stays, and it is that folder, loaded again, that answers.
    """
    if job.source:
        return _calibrated_later(job, place)
    method, task = place.method(job), place.setting.task
    shots, rows = place.shots(job)
    test = rows[job.start : job.stop]
    predictor, build, bench = adapted(job, method, place, shots)
    predictor = calibrated(predictor, job.calibration)
    place.heard.clear()
    predictor, size, answered = _saved(predictor, job, place, method.afresh, test)
    wrote = writing(place.heard)
    build = replace(build, disk_bytes=size)
    train = None
    if job.draw == 0 and method.trains != "nothing":  # nothing learned, nothing overfitted
        train = train_score(predictor, task, shots.labelled)
    extra: dict[str, Any] = {"learning_curve": bench.curve} if bench.curve else {}
    if wrote:
        extra[KEY] = wrote
    extra |= attempts(bench)
    if hasattr(predictor, "beside"):
        extra["beside"] = {
            what: value(task, answer(other, task, test).statistics)
            for what, other in predictor.beside.items()
        }
    first = job.draw == 0 and (job.cut is None or job.cut.index == 0)
    own = [s for s, p in zip(answered.statistics, answered.predictions, strict=True)
           if not p.abstained]  # fmt: skip
    if 0 < len(own) < len(answered.statistics):
        beside = {"of the rows it answers itself": value(task, own)}
        extra["beside"] = {**extra.get("beside", {}), **beside}
    asks = method.fast and method.hands_over  # recorded answers are to the test rows alone
    if first and (moved := reliance(predictor, task, [e.input for e in test], asks)):
        extra["reliance"] = moved
    if first and isinstance(method, Distil):
        extra |= _taught(method, job, place, shots, test, answered)
    if job.calibration:
        extra["calibration"] = [[len(test), job.calibration]]
    if job.draw == 0 and task.pictures:
        extra |= _similar(job, method, place, shots.labelled, test)
    notes = [*bench.notes, *_truncations(job, method, place, test)]
    return body(job, method, place, answered, build, notes, train=train, extra=extra)


def _taught(
    method: Distil,
    job: Job,
    place: Workplace,
    shots: Shots,
    test: Sequence[Example],
    answered: Answered,
) -> dict[str, Any]:
    """How a student and its teacher answer the first test rows, where the teacher is elsewhere.

    {} of a teacher on this machine: it has its own row, or takes minutes to ask.
    """
    teacher = method.taught_by(place.setting.task, shots, place.bench(job, job.name(place.context)))
    if not isinstance(bare(teacher), AskedElsewhere) or not place.setting.task.has_labels:
        return {}
    rows = test[:AGREED]
    theirs = [one.answer for one in teacher.predict([row.input for row in rows])]
    own = [one.answer for one in answered.predictions[:AGREED]]
    right = [row.label for row in rows]
    wrong = [(a, b) for a, b, label in zip(own, theirs, right, strict=True) if b != label]
    alike = sum(a == b for a, b in zip(own, theirs, strict=True))
    hits = [sum(a == b for a, b in zip(some, right, strict=True)) for some in (theirs, own)]
    counts = {"agreement": [alike, len(rows)], "teacher": [hits[0], len(rows)],
              "student": [hits[1], len(rows)]}  # fmt: skip
    if wrong:
        counts["mistakes"] = [sum(a == b for a, b in wrong), len(wrong)]
    return {"taught": counts}


def _calibrated_later(job: Job, place: Workplace) -> Body:
    """The measurement of what `job.source` has adapted, its scores calibrated; nothing is asked.

    A search after the measurement kept the settings, and brought the calibration.
    """
    earlier, task = place.store.measurement(job.source), place.setting.task
    predictor = place.load(place.store.predictor_folder(job.source))
    _, size, _ = _saved(calibrated(predictor, job.calibration), job, place, False, ())
    answers = recalibrated(task, earlier.predictions, job.calibration)
    rows, metric = {e.id: e for e in place.setting.test}, metric_of(task)
    measurement = replace(
        earlier,
        job=job.name(place.context),
        predictions=tuple(answers),
        statistics=tuple(
            metric.statistics(rows[name], one)
            for name, one in zip(earlier.ids, answers, strict=True)
        ),
        build=replace(earlier.build, disk_bytes=size),
        extra={**earlier.extra, "calibration": [[len(answers), job.calibration]]},
    )
    body: dict[str, Any] = to_data(measurement)
    return body


def adapted(
    job: Job, method: Method, place: Workplace, shots: Shots
) -> tuple[Predictor, Cost, Workbench]:
    """The method adapted, what it took, and the workbench with what it reported."""
    bench = place.bench(job, job.name(place.context))
    meter = machine.Meter()
    with meter.running():
        predictor = method.adapt(place.setting.task, shots, bench)
    cost = Cost(
        seconds=meter.seconds + bench.charged,
        spent_seconds=meter.spent_seconds,
        peak_bytes=meter.grown_bytes + _model_bytes(job, method, place),
        trained_params=bench.parameters,
        money=bench.money,
    )
    return predictor, cost, bench


def attempts(bench: Workbench) -> dict[str, Any]:
    """What a method tried that searches while it adapts, for its row; {} of others."""
    return {"attempts": [to_data(one) for one in bench.attempts]} if bench.attempts else {}


def body(
    job: Job,
    method: Method,
    place: Workplace,
    answered: Answered,
    build: Cost,
    notes: Sequence[str],
    *,
    form: Form = "trained",
    parent: str | None = None,
    train: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Body:
    """A measurement as JSON."""
    measurement = Measurement(
        job=job.name(place.context),
        method=method.name,
        spec=spec(method),
        rung=method.rung,
        form=form,
        parent=parent,
        fingerprint=place.setting.split.fingerprint,
        shots=job.shots,
        draw=job.draw,
        ids=answered.ids,
        predictions=answered.predictions,
        statistics=answered.statistics,
        build=build,
        use=answered.use,
        train_score=train,
        notes=tuple(notes),
        extra=extra or {},
    )
    body: dict[str, Any] = to_data(measurement)
    return body


def _model_bytes(job: Job, method: Method, place: Workplace) -> int:
    """Weights a cold start of this method would have to hold."""
    held = place.models.resident_bytes()
    names = [method.stands_on(job.base).form] if method.needs and job.base else []
    names += [job.encoder.name] if method.needs_encoder and job.encoder else []
    return sum(held.get(name, 0) for name in names)


def _saved(
    predictor: Predictor, job: Job, place: Workplace, in_new_process: bool, test: Sequence[Example]
) -> tuple[Predictor, int, Answered]:
    """What is to answer, the bytes that it takes on the disk, and its answers."""
    name, task = job.name(place.context), place.setting.task
    keep = job.cut is None and job.rows is None and (job.shots is None or job.stop is not None)
    folder = place.store.predictor_folder(name) if keep else place.store.scratch(name) / "size"
    write_folder(folder, predictor.save)
    size = folder_bytes(folder)
    if keep:
        predictor = place.load(folder)
    if in_new_process:
        answered = answer_afresh(folder, task, test)
    else:
        answered = answer(predictor, task, test)
    if not keep:
        shutil.rmtree(folder)
    return predictor, size, answered


def _truncations(job: Job, method: Method, place: Workplace, test: Sequence[Example]) -> list[str]:
    """What to say where a test text alone is longer than what the language model can read."""
    if not method.needs or job.base is None:
        return []
    model = place.models.open(job.base)
    longest = max(model.count([example.input.text for example in test]), default=0)
    context = model.facts.context
    if longest <= context:
        return []
    return [f"texts longer than the language model's {context} tokens lose their beginning"]


def _similar(
    job: Job,
    method: Method,
    place: Workplace,
    shots: Sequence[Example],
    test: Sequence[Example],
) -> dict[str, Any]:
    """For the report: the shots' ids and, by an encoder, of each test picture the likest."""
    extra: dict[str, Any] = {"shots": [example.id for example in shots]}
    if method.needs_encoder and job.encoder is not None and shots and test:
        network = place.models.pictures(job.encoder)
        known, new = (network.encode(pictures_of(rows)) for rows in (shots, test))
        likest = cosines(new, known).argmax(axis=1)
        extra["near"] = {e.id: shots[i].id for e, i in zip(test, likest.tolist(), strict=True)}
    return extra
